"""What the backend does wrong when a test asks for it."""
