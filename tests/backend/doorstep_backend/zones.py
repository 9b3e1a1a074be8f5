"""Time zones by their IANA names, from the system's database or else from the package `tzdata`."""

from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

UTC_ZONE: Final = ZoneInfo("UTC")


def named(name: str) -> ZoneInfo:
    """Return the zone of this name. Raises ValueError without one, with a similar name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of the database
        near = get_close_matches(name[:64], sorted(available_timezones()), n=1)
        meant = f"did you mean {near[0]}?" if near else "give one as Europe/Zurich"
        raise ValueError(f"{name[:64]!r} is no IANA time zone: {meant}") from None


def offset_if_doubled(there: datetime) -> str:
    """Return the offset, as `UTC+2`, if the clock there shows this hour twice; else empty."""
    others = {there.replace(fold=fold).utcoffset() for fold in (0, 1)}
    offset = there.utcoffset()
    if len(others) == 1 or offset is None:
        return ""
    hours, rest = divmod(abs(offset), timedelta(hours=1))
    minutes = f":{rest // timedelta(minutes=1):02}" if rest else ""
    return f"UTC{'-' if offset < timedelta(0) else '+'}{hours}{minutes}"
