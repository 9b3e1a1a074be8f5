"""Which devices the fleet page shows, and in which order: filters, sorting and pages. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from doorstep_backend.identity.known import DeviceState
from doorstep_backend.reports.asked import NotAskedRightError
from doorstep_backend.reports.fleet import Device
from doorstep_backend.reports.troubles import NEEDS, Need

PAGE_LENGTH: Final = 50
"""Devices on one page: what a thumb still scrolls through."""

MOST_DIGITS: Final = 6
"""Digits of a page's number: more pages than any fleet has."""


class Group(StrEnum):
    """A group of devices, in the order in which the groups are listed."""

    NEEDS = "needs"
    WAITS = "waits"
    WELL = "well"
    GONE = "gone"


ALL: Final = "all"

SHOWN: Final = frozenset({ALL, *Group, *NEEDS})
"""Values of the filter: all devices, those of a group, or those with a certain need."""


class Sort(StrEnum):
    """By what devices are sorted."""

    WORST = "worst"
    WAITING = "waiting"
    CONTACT = "contact"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Brief:
    """The part of a device by which a list is made: ten thousand whole reports take 60 MB.

    Attributes:
        oldest_utc: when its oldest waiting record was made, to the hour.
        heard_at: when it last reported, to the hour.
    """

    device_id: str
    group: Group
    needs: tuple[Need, ...]
    waiting: bool
    oldest_utc: str | None
    heard_at: datetime | None


def brief(device: Device) -> Brief:
    """Return a device as a list shows it."""
    said = device.report
    return Brief(
        device.device_id,
        group(device),
        device.needs,
        said.waiting > 0 if said else False,
        said.oldest_utc if said else None,
        said.received_at if said else None,
    )


def group(device: Device) -> Group:
    """Return a device's group; records of a device that is gone are not waited for."""
    if device.state is DeviceState.GONE:
        return Group.GONE
    if device.needs:
        return Group.NEEDS
    return Group.WAITS if device.report and device.report.waiting else Group.WELL


@dataclass(frozen=True, slots=True)
class FleetListQuery:
    """The parameters of the page.

    Attributes:
        show: one of SHOWN.
        text: stands in the devices' ids, in upper or lower case; empty for any.
        page: from 1; one beyond the last is the last.
    """

    show: str = ALL
    sort: Sort = Sort.WORST
    text: str = ""
    page: int = 1

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> "FleetListQuery":
        """Read a query's fields, ignoring others. Raises NotAskedRightError."""
        show, sort = fields.get("show", ALL), fields.get("sort", Sort.WORST)
        page = fields.get("page", "1")
        if show not in SHOWN:
            raise NotAskedRightError("There is no such choice of devices.")
        if sort not in list(Sort):
            raise NotAskedRightError("Devices cannot be sorted by that.")
        if not _is_number(page):
            raise NotAskedRightError("Pages of the list are numbers from 1 on.")
        return cls(show, Sort(sort), fields.get("text", "").strip(), int(page))

    @property
    def is_in_groups(self) -> bool:
        """True if the devices of a group are together."""
        return self.sort is Sort.WORST

    @property
    def is_narrowed(self) -> bool:
        """True if it asks for anything but all devices in their first order."""
        return replace(self, page=1) != FleetListQuery()

    def query(self, **changes: Any) -> str:
        """Return the query for a link, with changes; defaults are left out."""
        asked, plain = replace(self, **changes), FleetListQuery()
        told = {name: getattr(asked, name) for name in ("show", "sort", "text", "page")}
        return urlencode({one: what for one, what in told.items() if what != getattr(plain, one)})


@dataclass(frozen=True, slots=True)
class DevicePage:
    """A page of the devices that were asked for.

    Attributes:
        number: of this page, from 1.
        of: how many there are, at least 1.
        found: devices on all of them.
    """

    devices: Sequence[Brief]
    number: int
    of: int
    found: int


def page(devices: Sequence[Brief], asked: FleetListQuery) -> DevicePage:
    """Return the page of devices that was asked for."""
    found = sorted(filter(_is_asked_for(asked), devices), key=_KEYS[asked.sort])
    of = max(1, -(-len(found) // PAGE_LENGTH))
    number = min(asked.page, of)
    first = (number - 1) * PAGE_LENGTH
    return DevicePage(found[first : first + PAGE_LENGTH], number, of, len(found))


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole fleet in numbers.

    Attributes:
        devices: all but those that are gone.
        needs: how many devices have each need, worst first; one that none has is left out.
        oldest_utc: when the oldest record was made that goes on by itself, to the hour.
    """

    devices: int
    groups: Mapping[Group, int]
    needs: Mapping[Need, int]
    oldest_utc: str | None


def summary(devices: Sequence[Brief]) -> Summary:
    """Return the counts that stand above the list."""
    groups = Counter(device.group for device in devices)
    needs = Counter(need for device in devices for need in device.needs)
    oldest = [device.oldest_utc for device in devices if device.group is Group.WAITS]
    return Summary(
        len(devices) - groups[Group.GONE],
        groups,
        {need: needs[need] for need in NEEDS if needs[need]},
        min(filter(None, oldest), default=None),
    )


_UNDATED: Final = "~"
"""After every time: nobody knows since when it waits, or nothing does."""

_GROUPS: Final = {one: place for place, one in enumerate(Group)}
_NEEDS: Final = {one: place for place, one in enumerate(NEEDS)}


def _by_worst(device: Brief) -> tuple[int, int, str, str]:
    worst = _NEEDS[device.needs[0]] if device.needs else 0
    return _GROUPS[device.group], worst, device.oldest_utc or _UNDATED, device.device_id


def _by_waiting(device: Brief) -> tuple[bool, str, str]:
    return not device.waiting, device.oldest_utc or _UNDATED, device.device_id


def _by_contact(device: Brief) -> tuple[str, str]:
    """Return a sort key: the longest ago first, and before them devices without a contact."""
    return str(device.heard_at or ""), device.device_id


_KEYS: Final[Mapping[Sort, Callable[[Brief], Any]]] = {
    Sort.WORST: _by_worst,
    Sort.WAITING: _by_waiting,
    Sort.CONTACT: _by_contact,
    Sort.NAME: lambda device: device.device_id,
}


def _is_asked_for(asked: FleetListQuery) -> Callable[[Brief], bool]:
    text = asked.text.casefold()

    def is_asked_for(device: Brief) -> bool:
        shown = asked.show in {ALL, device.group} or asked.show in device.needs
        return shown and text in device.device_id.casefold()

    return is_asked_for


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS and int(text) > 0
