"""HTTPS of a device: a client, what it trusts and shows, and what an answer says."""
