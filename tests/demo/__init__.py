"""A driver's round by two simulated devices and a real backend."""
