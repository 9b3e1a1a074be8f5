"""Simulated rounds: what the rule refuses, and what it lets through, where position and map err."""
