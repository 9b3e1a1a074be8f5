"""The promises of a scenario, and their times: the size of the write log is the clock."""

import sys
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """The queue after one transaction.

    Attributes:
        begun: size of the log before it; a cut from there on may leave this version.
        done: size of the log when it had returned; a cut from there on leaves this one or a later.
        rows: by capture_id.
        has_time: whether capture had kept what it knows of time.
    """

    begun: int
    done: int
    rows: dict[str, Row]
    has_time: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A light that showed the driver that a record was kept, when the log had this size."""

    log_bytes: int
    capture_id: str


@dataclass(slots=True)
class Rebuild:
    """A queue that the scenario breaks, and that the product makes again.

    Attributes:
        begun: size of the log when it was still whole; from there on a restart may rebuild it.
        done: size of the log when the new one had the records.
        is_set_aside: the old one is out of the way, so that the next transaction is the new one's.
    """

    begun: int
    done: int = sys.maxsize
    is_set_aside: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A change of something that has a name; `begun` and `done` as in `Version`.

    Attributes:
        name: such as a file's path on the disk.
        value: such as the digest of its content; None where it is not there any more.
    """

    begun: int
    done: int
    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """A request that a server had when the log had this size; `peer` is the client's, PEM."""

    log_bytes: int
    method: str
    path: str
    login: str | None
    body: bytes
    peer: bytes | None


@dataclass(slots=True)
class PromiseLog:
    """All that a scenario promised; sizes of the log say when.

    Attributes:
        begun: where the crash states begin.
        versions: the queue after each transaction.
        shown: what the driver was shown.
        presses: from the edge of each photo's press to its light.
        lost: records whose file may be gone from then on, since the scenario deletes it.
        rebuilds: when the queue was broken, and made again.
        quarantined: how many of them were set aside.
        changes: what else has become otherwise.
        heard: what a server was asked.
    """

    begun: int = 0
    versions: list[Version] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    presses: list[tuple[int, int]] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    rebuilds: list[Rebuild] = field(default_factory=list)
    quarantined: int = 0
    changes: list[Change] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    def known(self) -> dict[str, Row]:
        """Return every record that ever had a row, with its latest row."""
        return {name: row for version in self.versions for name, row in version.rows.items()}

    def possible(self, log_bytes: int) -> list[Version]:
        """Return the queue's possible states after a cut: the promised or the unfinished one."""
        empty = Version(0, 0, {}, has_time=False)
        settled = [version for version in self.versions if version.done <= log_bytes]
        in_hand = [
            version for version in self.versions if version.begun <= log_bytes < version.done
        ]
        return [settled[-1] if settled else empty, *in_hand]

    def may_rebuild(self, log_bytes: int) -> bool:
        """Return whether a restart on this cut may find the queue broken."""
        return any(one.begun <= log_bytes < one.done for one in self.rebuilds)

    def names(self) -> set[str]:
        """Return the names of everything that has ever changed."""
        return {one.name for one in self.changes}

    def may_be(self, name: str, log_bytes: int) -> set[str | None]:
        """Return its possible values after a cut: as last promised, or by an unfinished change."""
        changes = [one for one in self.changes if one.name == name]
        settled = [one.value for one in changes if one.done <= log_bytes]
        in_hand = {one.value for one in changes if one.begun <= log_bytes < one.done}
        return {settled[-1] if settled else None, *in_hand}
