"""What only an arm64 system can tell: whether each wheel for it does its work."""
