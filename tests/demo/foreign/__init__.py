"""The demo's round against a foreign backend."""
