"""The HTTPS client of a device: what it trusts, what it shows, and what an answer says."""
