"""No cut, silence, altered byte or wrong answer loses a record."""
