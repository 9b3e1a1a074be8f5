"""Two instances of the backend over one PostgreSQL may act at the same moment."""
