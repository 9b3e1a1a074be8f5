"""Proof-of-delivery capture: one press, one durable, dated, signed record."""
