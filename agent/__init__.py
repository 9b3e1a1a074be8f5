"""Proof-of-delivery capture: one press, one durable, dated, signed record."""

__version__ = "2026.12.0"
