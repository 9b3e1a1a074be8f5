"""A backend for Doorstep: receives records over tus, and answers with signed receipts."""

__version__ = "2026.12.0"
