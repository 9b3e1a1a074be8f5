"""What keeps the backend's rows: SQLite in its folder, or PostgreSQL."""
