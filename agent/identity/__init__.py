"""The identity of a device, for all its processes: enrolment, certificates, renewal, the end."""
