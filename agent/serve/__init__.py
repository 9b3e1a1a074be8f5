"""The process that answers requests for the status: its clients, and its answers."""
