"""What is left of a device on its card: looked at in a copy, and saved."""
