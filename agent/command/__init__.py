"""What each command does, and how each process is put together."""
