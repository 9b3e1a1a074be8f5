"""Who a device is, for all its processes: enrolment, certificates, renewal and the end."""
