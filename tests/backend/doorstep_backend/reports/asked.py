"""The parameters of `GET /fleet/status`, which are not trusted. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from agent.models import DEVICE_ID
from doorstep_backend.reports.fleet import Device
from doorstep_backend.reports.troubles import NEEDS, Need, Noticed

LIMIT: Final = 100
MOST: Final = 1_000
"""Devices in one answer: with the longest documents some 2 MB."""

_NAMES: Final[dict[str, Need]] = {str(one): one for one in (*NEEDS, Noticed.BENCH_MODE)}


_PARAMETERS: Final = ("after", "limit", "need")


class NotAskedRightError(ValueError):
    """A request for what the fleet has not, here or on its page; the message says so."""


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """A page of the fleet.

    Attributes:
        after: devices after this id, in the order of ids.
        need: only devices that have this need or note; None for all.
    """

    after: str = ""
    limit: int = LIMIT
    need: Need | None = None

    @classmethod
    def read(cls, given: Iterable[tuple[str, str]]) -> Self:
        """Read the parameters of a query. Raises NotAskedRightError."""
        texts: dict[str, str] = {}
        for name, text in given:
            if name not in _PARAMETERS:
                known = ", ".join(_PARAMETERS)
                raise NotAskedRightError(f"there is no such parameter; there are {known}")
            if name in texts:
                raise NotAskedRightError(f"{name} is there twice")
            texts[name] = text
        return cls(
            _after(texts["after"]) if "after" in texts else "",
            _limit(texts["limit"]) if "limit" in texts else LIMIT,
            _need(texts["need"]) if "need" in texts else None,
        )

    def fits(self, device: Device) -> bool:
        """Return whether the device has the need or note that is asked for, or none is."""
        return self.need is None or self.need in (*device.needs, *device.notes)


def _after(text: str) -> str:
    if not DEVICE_ID.fullmatch(text):
        raise NotAskedRightError("after is no device id: take `next` of the page before")
    return text


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) or not 1 <= int(text) <= MOST:
        raise NotAskedRightError(f"limit is not a number from 1 to {MOST}")
    return int(text)


def _need(text: str) -> Need:
    if text not in _NAMES:
        raise NotAskedRightError(f"there is no such need; there are {', '.join(_NAMES)}")
    return _NAMES[text]
