"""No kill, failing system call, full or read-only card loses a record; 100,000 records work."""
