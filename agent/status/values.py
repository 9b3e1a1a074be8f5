"""The status document as values, and the one place that turns them into JSON.

The order of the attributes is the order of the document's members.
"""

import json
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Final, Literal


class Unsaid(Enum):
    """The mark of a member that the document does not have; None is null in the document."""

    UNSAID = "unsaid"

    def __bool__(self) -> Literal[False]:
        return False


UNSAID: Final = Unsaid.UNSAID


@dataclass(frozen=True, slots=True)
class PartFailed:
    """A process that does not answer with a status; `error` says why."""

    error: str


@dataclass(frozen=True, slots=True)
class IdentityPart:
    """The certificates: their ends, and what is wrong; if identity is off, only the mode."""

    mode: str
    tls_until: str | Unsaid | None = UNSAID
    evidence_until: str | Unsaid | None = UNSAID
    serve_until: str | Unsaid | None = UNSAID
    trouble: str | Unsaid | None = UNSAID


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
        why: why the oldest record waits, as a name of Trouble; unsaid until the whole status is
            known.
    """

    waiting: int
    suspected: int
    refused: int
    damaged: int
    oldest_utc: str | None = None
    as_of: str | Unsaid | None = UNSAID
    oldest_suspect: bool = False
    alarms: tuple[Alarm, ...] = ()
    why: str | Unsaid | None = UNSAID


@dataclass(frozen=True, slots=True)
class QueueFailed:
    """A queue that cannot be read; `error` says why, and `why` is as in QueuePart."""

    error: str
    why: str | Unsaid | None = UNSAID


@dataclass(frozen=True, slots=True)
class DiskPart:
    """The free space of the card; None if it cannot be read, and then `error` says why."""

    free_mb: int | None
    reserve_mb: int
    error: str | Unsaid = UNSAID


@dataclass(frozen=True, slots=True)
class CapturePart:
    """The part that capture says of itself.

    It has 13 attributes because the document's contract has 13 members there.
    """

    ready: bool | Unsaid = UNSAID
    writable: bool | Unsaid = UNSAID
    simulated: bool | Unsaid = UNSAID
    quiet: bool | Unsaid = UNSAID
    position: str | Unsaid = UNSAID
    clock: str | Unsaid = UNSAID
    fleet: int | Unsaid | None = UNSAID
    fleet_refused: str | Unsaid | None = UNSAID
    recipients: int | Unsaid | None = UNSAID
    manifest: int | str | Unsaid = UNSAID
    manifest_until: str | Unsaid | None = UNSAID
    manifest_refused: str | Unsaid | None = UNSAID
    no_credentials: str | Unsaid | None = UNSAID


@dataclass(frozen=True, slots=True)
class SyncPart:
    """The part that sync says of itself; `hindrance` is a name of Trouble."""

    state: str | Unsaid = UNSAID
    last_contact: str | Unsaid | None = UNSAID
    last_answer: str | Unsaid | None = UNSAID
    pause: str | Unsaid | None = UNSAID
    waits_s: float | Unsaid = UNSAID
    hindrance: str | Unsaid | None = UNSAID


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
    """Return a value of this module as JSON types, without the members that are unsaid."""
    if is_dataclass(part):
        found = ((one.name, getattr(part, one.name)) for one in fields(part))
        return {name: plain(value) for name, value in found if value is not UNSAID}
    return [plain(one) for one in part] if isinstance(part, tuple) else part


def compact(part: object) -> str:
    """Return a value of this module as JSON in ASCII without spaces."""
    return json.dumps(plain(part), separators=(",", ":"))
