"""The alert rules for Prometheus, and their test."""
