"""The office for a company's other systems: orders and routes in, outcomes out, by a token."""

from typing import Final

PREFIX: Final = "/api"
"""Every address of it is below, and none that a device or a person asks."""


def is_for_systems(path: str) -> bool:
    """Return whether another system asks there. Pure."""
    return path.startswith(f"{PREFIX}/")
