"""The requests of devices: only these go wrong, and only these are counted."""

from typing import Final

from doorstep_backend.health import ALIVE, READY
from doorstep_backend.identity.admission import is_for_clients
from doorstep_backend.pages import is_for_people

CONTROL_PATHS: Final = frozenset({"/switches", "/counts"})
"""Paths that only tests ask."""


def is_a_devices(path: str) -> bool:
    """Return whether devices ask this path, and no test, person, other system or probe."""
    is_near = path in CONTROL_PATHS or path in {ALIVE, READY}
    return not (is_near or is_for_people(path) or is_for_clients(path))
