"""What people see in a browser: customers, customer service, dispatch. No JavaScript."""

from typing import Final

PREFIX: Final = "/pages"
"""Every page is below it, no device's address is: so switches and counts can tell them apart."""


def is_for_people(path: str) -> bool:
    """Return whether a person asks there: at the bare address, or for a page."""
    return path in {"/", PREFIX} or path.startswith(f"{PREFIX}/")
