"""The office for a company's other systems: orders and routes in, outcomes out, by a token."""

from enum import StrEnum
from typing import Final

PREFIX: Final = "/api"
"""Every address of it is below, and none that a device or a person asks."""


class Put(StrEnum):
    """The result of a PUT that was not refused."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


def put_result(before: object | None, after: object) -> Put:
    """Return the result of a PUT by what there was and what there is. Pure."""
    if before is None:
        return Put.NEW
    return Put.SAME if before == after else Put.CHANGED


def is_for_systems(path: str) -> bool:
    """Return whether another system asks there. Pure."""
    return path.startswith(f"{PREFIX}/")
