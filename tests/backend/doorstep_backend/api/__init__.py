"""The office's HTTP API for other systems: orders and routes in, outcomes out."""

from enum import StrEnum
from typing import Final

PREFIX: Final = "/api"
"""All its paths are below, and no path for devices or people is."""


class Put(StrEnum):
    """The result of a PUT that was not refused."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


def put_result(before: object | None, after: object) -> Put:
    """Return the result of a PUT from the states before and after it. Pure."""
    if before is None:
        return Put.NEW
    return Put.SAME if before == after else Put.CHANGED


def is_for_systems(path: str) -> bool:
    """Return whether a path is of this API. Pure."""
    return path.startswith(f"{PREFIX}/")
