"""The rescue of records from a device's card: found in a copy, and saved."""
