"""Proof-of-delivery capture: one press, one durable, dated, signed record."""

from typing import Final

__version__: Final = "2026.11.1"
