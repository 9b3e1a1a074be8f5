"""A hostile database stops no process."""
