"""The status document: what a device says of itself."""
