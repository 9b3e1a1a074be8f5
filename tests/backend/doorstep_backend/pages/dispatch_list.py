"""The choice and the order of waiting photos in dispatch's table. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from agent.models import DEVICE_ID
from doorstep_backend.office.showing import WaitingOrder, WaitingQuery
from doorstep_backend.pages import words
from doorstep_backend.reports.asked import NotAskedRightError

SORTS: Final[Mapping[WaitingOrder, str]] = {
    WaitingOrder.LONGEST: "Oldest first",
    WaitingOrder.LATEST: "Latest first",
    WaitingOrder.DEVICE: "By device",
}


@dataclass(frozen=True, slots=True)
class DispatchQuery:
    """The parameters of the table.

    Attributes:
        why: one of `words.WAITS_SHORTLY`; empty for any.
        device: a device's id; empty for any.
    """

    why: str = ""
    device: str = ""
    sort: WaitingOrder = WaitingOrder.LONGEST

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "DispatchQuery":
        """Read a query's fields, ignoring others. Raises NotAskedRightError."""
        why, device = given.get("why", ""), given.get("device", "").strip()
        sort = given.get("sort", WaitingOrder.LONGEST)
        if why and why not in words.WAITS_SHORTLY:
            raise NotAskedRightError("Photos do not wait for that.")
        if device and not DEVICE_ID.fullmatch(device):
            raise NotAskedRightError("A device cannot have this name.")
        if sort not in list(WaitingOrder):
            raise NotAskedRightError("Photos cannot be sorted by that.")
        return cls(why, device, WaitingOrder(sort))

    @property
    def is_narrowed(self) -> bool:
        """True if some photos are left out."""
        return bool(self.why or self.device)

    def waiting(self) -> WaitingQuery:
        """Return the question to the office."""
        bound_by = words.WAITS_SHORTLY[self.why][1] if self.why else ()
        return WaitingQuery(bound_by, self.device, self.sort)

    def query(self, number: str = "", **changes: Any) -> str:
        """Return the query for a link, with `?` and changes; defaults are left out.

        Args:
            number: an order that the link also chooses.
        """
        asked, plain = replace(self, **changes), DispatchQuery()
        told = {name: getattr(asked, name) for name in ("why", "device", "sort")}
        told = {one: what for one, what in told.items() if what != getattr(plain, one)}
        said = urlencode(({"number": number} if number else {}) | told)
        return f"?{said}" if said else ""
