"""The reader of a device's report, which comes in a header. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agent.models import from_rfc3339, to_the_hour
from agent.status import header
from agent.status.document import VERSION
from agent.status.troubles import WAITS_BY_ITSELF, Trouble
from doorstep_backend.reports.shape import known_members

FUTURE: Final = timedelta(days=1)
"""A clock that is further ahead says nothing of when; one that is behind is a trouble it tells."""

NO_NEED: Final = 1_000
"""`worst` of a device that needs nobody: after every trouble."""

OF_ANOTHER: Final = "it is another device's: were two cards exchanged?"
NEWER: Final = f"it is not of version {VERSION}: is the device newer than this backend?"
FROM_THE_FUTURE: Final = "it is from the future, by more than a day: the device's clock is wrong"

_WORST_FIRST: Final = tuple(Trouble)

_NEEDS: Final = tuple(one for one in Trouble if one not in WAITS_BY_ITSELF)


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The last status document of a device.

    Attributes:
        received_at: to the hour, downwards: when exactly is a record of somebody's pace.
        document: as agent/status/document.py makes it, with its times to the hour.
    """

    device_id: str
    received_at: datetime
    document: Mapping[str, Any]

    @property
    def needs(self) -> tuple[Trouble, ...]:
        """Needs that the device reports, worst first: a person must do something about each."""
        return tuple(one for one in _NEEDS if one in self.document["needs"])

    @property
    def unknown_needs(self) -> tuple[str, ...]:
        """Needs that the device reports and this backend does not know: the device is newer."""
        return tuple(one for one in self.document["needs"] if one not in _NEEDS)

    @property
    def worst(self) -> int:
        """Place of the first need in Trouble; NO_NEED for none."""
        return next((_WORST_FIRST.index(one) for one in self.needs), NO_NEED)

    @property
    def waiting(self) -> int:
        """Records that wait; 0 where the device could not tell, or was just sending them.

        A report rides on an upload: what is said to be next was here a moment later.
        """
        queue = self.document["queue"]
        return 0 if queue.get("why") == Trouble.NEXT else int(queue.get("waiting", 0))

    @property
    def oldest_utc(self) -> str | None:
        """When the oldest of them was made, to the hour."""
        found: str | None = self.document["queue"].get("oldest_utc")
        return found

    @property
    def agent(self) -> str:
        """Version of its agent."""
        return str(self.document["agent"])

    @property
    def bench_mode(self) -> bool:
        """True if bench mode is on."""
        return bool(self.document["bench_mode"])


def read(text: str, device_id: str, now: datetime) -> StatusReport | str:
    """Read a report; return an error as a sentence that quotes nothing of it.

    Args:
        text: the value of `Doorstep-Status`.
        device_id: the device of the certificate that it came with.
        now: the backend's time.
    """
    try:
        return of_document(header.decoded(text), device_id, now)
    except ValueError as error:
        return str(error)


def of_document(found: Mapping[str, Any], device_id: str, now: datetime) -> StatusReport | str:
    """Return the report of a document, whichever way it came, or a sentence as `read` does."""
    if found.get("device") != device_id:
        return OF_ANOTHER
    if found.get("v") != VERSION:
        return NEWER
    try:
        document = known_members(found)
    except ValueError as error:
        return str(error)
    if from_rfc3339(document["utc"]) > now + FUTURE:
        return FROM_THE_FUTURE
    return StatusReport(device_id, to_the_hour(now), document)
