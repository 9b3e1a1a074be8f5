"""No power cut loses a record."""
