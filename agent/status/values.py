"""The status document as values, and the one place that turns them into JSON.

The order of the attributes is the order of the document's members.
"""

import json
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Final, Literal


class NotInDocument(Enum):
    """The mark of a member that the document does not have; None is null in the document."""

    NOT_IN_DOCUMENT = "not in the document"

    def __bool__(self) -> Literal[False]:
        return False


NOT_IN_DOCUMENT: Final = NotInDocument.NOT_IN_DOCUMENT


MOST_HOURS: Final = 6
"""Largest `hours_left`: six hours or more.

More hours would be finer than the rest: together with the time since the shift began they would
tell the power of its last hour.
"""


@dataclass(frozen=True, slots=True)
class PartFailed:
    """A process that does not answer with a status; `error` says why."""

    error: str


@dataclass(frozen=True, slots=True)
class IdentityPart:
    """The certificates: their ends, and what is wrong; if identity is off, only the mode."""

    mode: str
    tls_until: str | NotInDocument | None = NOT_IN_DOCUMENT
    evidence_until: str | NotInDocument | None = NOT_IN_DOCUMENT
    serve_until: str | NotInDocument | None = NOT_IN_DOCUMENT
    trouble: str | NotInDocument | None = NOT_IN_DOCUMENT


@dataclass(frozen=True, slots=True)
class Alarm:
    """A record that needs a person."""

    id: str
    state: str
    what: str


@dataclass(frozen=True, slots=True)
class QueuePart:
    """The records that the backend does not have.

    Attributes:
        oldest_utc: since when the oldest record waits, to the hour; None if its clock knew no time.
        as_of: when capture kept these figures, to the hour; only if the queue could not be read.
        oldest_suspect: whether the backend answered the oldest record as if it were wrong.
        why: why the oldest record waits, as a name of Trouble; not in the document until the
            whole status is known.
    """

    waiting: int
    suspected: int
    refused: int
    damaged: int
    oldest_utc: str | None = None
    as_of: str | NotInDocument | None = NOT_IN_DOCUMENT
    oldest_suspect: bool = False
    alarms: tuple[Alarm, ...] = ()
    why: str | NotInDocument | None = NOT_IN_DOCUMENT


@dataclass(frozen=True, slots=True)
class QueueFailed:
    """A queue that cannot be read; `error` says why, and `why` is as in QueuePart."""

    error: str
    why: str | NotInDocument | None = NOT_IN_DOCUMENT


@dataclass(frozen=True, slots=True)
class DiskPart:
    """The free space of the card; None if it cannot be read, and then `error` says why."""

    free_mb: int | None
    reserve_mb: int
    error: str | NotInDocument = NOT_IN_DOCUMENT


@dataclass(frozen=True, slots=True)
class CapturePart:
    """The part that capture says of itself.

    It has 17 attributes because the document's contract has 17 members there.
    """

    ready: bool | NotInDocument = NOT_IN_DOCUMENT
    writable: bool | NotInDocument = NOT_IN_DOCUMENT
    simulated: bool | NotInDocument = NOT_IN_DOCUMENT
    quiet: bool | NotInDocument = NOT_IN_DOCUMENT
    position: str | NotInDocument = NOT_IN_DOCUMENT
    clock: str | NotInDocument = NOT_IN_DOCUMENT
    fleet: int | NotInDocument | None = NOT_IN_DOCUMENT
    fleet_refused: str | NotInDocument | None = NOT_IN_DOCUMENT
    recipients: int | NotInDocument | None = NOT_IN_DOCUMENT
    manifest: int | str | NotInDocument = NOT_IN_DOCUMENT
    manifest_until: str | NotInDocument | None = NOT_IN_DOCUMENT
    manifest_refused: str | NotInDocument | None = NOT_IN_DOCUMENT
    no_credentials: str | NotInDocument | None = NOT_IN_DOCUMENT
    energy: str | NotInDocument = NOT_IN_DOCUMENT
    used_wh: int | NotInDocument | None = NOT_IN_DOCUMENT
    hours_left: int | NotInDocument | None = NOT_IN_DOCUMENT
    mean_w: float | NotInDocument | None = NOT_IN_DOCUMENT


@dataclass(frozen=True, slots=True)
class SyncPart:
    """The part that sync says of itself; `hindrance` is a name of Trouble.

    `batch_minutes` is in the document of a device that sends in batches.
    """

    state: str | NotInDocument = NOT_IN_DOCUMENT
    last_contact: str | NotInDocument | None = NOT_IN_DOCUMENT
    last_answer: str | NotInDocument | None = NOT_IN_DOCUMENT
    pause: str | NotInDocument | None = NOT_IN_DOCUMENT
    waits_s: float | NotInDocument = NOT_IN_DOCUMENT
    hindrance: str | NotInDocument | None = NOT_IN_DOCUMENT
    batch_minutes: int | NotInDocument = NOT_IN_DOCUMENT


@dataclass(frozen=True, slots=True)
class DoctorPart:
    """When `doorstep doctor` last ran, and which of its checks failed."""

    utc: str
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The whole document, as agent/docs/status.md describes it.

    It has 16 attributes because the document's contract has 16 members.
    """

    v: int
    device: str
    agent: str
    utc: str
    needs: tuple[str, ...]
    identity: IdentityPart
    manifest: str
    bench_mode: bool
    sealed: bool
    queue: QueuePart | QueueFailed
    torn: int | None
    disk: DiskPart
    clock_wrong: bool
    capture: CapturePart | PartFailed | None
    sync: SyncPart | PartFailed | None
    doctor: DoctorPart | None

    @property
    def of_capture(self) -> CapturePart:
        """The part of capture; empty if capture does not answer."""
        return self.capture if isinstance(self.capture, CapturePart) else CapturePart()

    @property
    def of_sync(self) -> SyncPart:
        """The part of sync; empty if sync does not answer."""
        return self.sync if isinstance(self.sync, SyncPart) else SyncPart()


def plain(part: object) -> Any:
    """Return a value of this module as JSON types, without the members that it does not have."""
    if is_dataclass(part):
        found = ((one.name, getattr(part, one.name)) for one in fields(part))
        return {name: plain(value) for name, value in found if value is not NOT_IN_DOCUMENT}
    return [plain(one) for one in part] if isinstance(part, tuple) else part


def compact(part: object) -> str:
    """Return a value of this module as JSON in ASCII without spaces."""
    return json.dumps(plain(part), separators=(",", ":"))
