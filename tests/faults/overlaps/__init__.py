"""Two instances of the backend over one PostgreSQL act at once without a wrong result."""
