"""Two processes of the backend act at once without a wrong result."""
