"""The pages for people in a browser: customers, customer service, dispatch. No JavaScript."""

from typing import Final

PREFIX: Final = "/pages"
"""Every page is below it, and no address that a device asks."""


def is_for_people(path: str) -> bool:
    """Return whether a person asks there: at the bare address, or for a page."""
    return path in {"/", PREFIX} or path.startswith(f"{PREFIX}/")
