"""Disk and SQL: paths, durable writes, the database, the outbox, recovery and retention."""
