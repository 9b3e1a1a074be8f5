"""A device on the rig's disk, and what it promises while a scenario runs."""

import hashlib
import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agent.queue import disk
from agent.queue.database import Connection, Database
from agent.queue.paths import Layout
from agent.record import signing
from agent.trust.store import TrustStore
from hardware.indicator import Signal
from tests.powercut.forked import in_child
from tests.support.benchtop import Bench, Parts, bench

Row = dict[str, Any]

KEPT_SIGNALS: Final = frozenset({Signal.SAVED, Signal.ONCE_MORE, Signal.NO_PHOTO, Signal.FAULT})
"""What a press ends with; the rig looks only at presses that leave a record."""

RECEIPT_KEY: Final = signing.new_key()
"""The backend's; every device of the rig knows it."""


@dataclass(frozen=True, slots=True)
class Version:
    """The queue after one transaction.

    Attributes:
        begun: size of the log before it; a cut from there on may leave this version.
        done: size of the log when it had returned; a cut from there on leaves this one or a later.
        rows: by capture_id.
        decided: whose receipt came last.
        has_time: whether capture had kept what it knows of time.
    """

    begun: int
    done: int
    rows: dict[str, Row]
    decided: str | None
    has_time: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """The driver saw that a record was kept when the log had this size."""

    log_bytes: int
    capture_id: str


@dataclass(slots=True)
class Rebuild:
    """A queue that the scenario breaks, and the product makes again.

    Attributes:
        begun: size of the log when it was still whole; from there on a restart may rebuild it.
        done: size of the log when the new one had the records.
        is_set_aside: the old one is out of the way, so that the next transaction is the new one's.
    """

    begun: int
    done: int = sys.maxsize
    is_set_aside: bool = False


@dataclass(frozen=True, slots=True)
class Believed:
    """What lies in `trust/` after one change; `begun` and `done` as in `Version`."""

    begun: int
    done: int
    fleet: tuple[str, ...]
    manifest: str | None
    newest: int | None


@dataclass(slots=True)
class Told:
    """All that a scenario promised; sizes of the log say when.

    Attributes:
        begun: where the crash states begin.
        versions: the queue after each transaction.
        shown: what the driver was shown.
        presses: from the edge of each photo's press to its light.
        lost: records whose file may be gone from then on, since the scenario deletes it.
        rebuilds: when the queue was broken, and made again.
        asides: how many of them were set aside.
        believed: what lies in `trust/` after each change.
    """

    begun: int = 0
    versions: list[Version] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    presses: list[tuple[int, int]] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    rebuilds: list[Rebuild] = field(default_factory=list)
    asides: int = 0
    believed: list[Believed] = field(default_factory=list)

    def known(self) -> dict[str, Row]:
        """Every record that ever had a row, with its latest one."""
        return {name: row for version in self.versions for name, row in version.rows.items()}

    def possible(self, log_bytes: int) -> list[Version]:
        """What the queue may be after a cut: as last promised, or as the change in hand has it."""
        empty = Version(0, 0, {}, None, has_time=False)
        settled = [version for version in self.versions if version.done <= log_bytes]
        in_hand = [
            version for version in self.versions if version.begun <= log_bytes < version.done
        ]
        return [settled[-1] if settled else empty, *in_hand]

    def may_rebuild(self, log_bytes: int) -> bool:
        """Whether a restart on this cut may find the queue broken."""
        return any(one.begun <= log_bytes < one.done for one in self.rebuilds)


class Stage:
    """The folder of one device's settings, with its state on the rig's disk."""

    def __init__(self, folder: Path, mounted: Path, log: Path | None = None) -> None:
        self.folder = folder
        self.layout = Layout(mounted / "state", folder / "run")
        self.filler = mounted / "filler"
        self.parts = Parts()
        self.told = Told()
        self._log = log
        self._shown_at = 0
        self._left_open = ExitStack()

    def open(self) -> AbstractContextManager[Bench]:
        """The product's capture process, wired as its command does it, swept and with its chain."""
        self.parts.light.on_show = self._look_at_light
        public = signing.public_pem(RECEIPT_KEY.public_key())
        self.folder.mkdir(exist_ok=True)
        (self.folder / "receipt-key.pem").write_bytes(public)
        state = {"dir": str(self.layout.state), "run_dir": str(self.layout.run)}
        return bench(self.folder, self.parts, state=state | {"reserve_mb": 1})

    def leave_open(self) -> Bench:
        """The same, for a process that dies with everything open."""
        return self._left_open.enter_context(self.open())

    def now(self) -> int:
        """Size of the log in bytes."""
        return self._log.stat().st_size if self._log else 0

    def photo(self, device: Bench) -> None:
        """Press the photo button; what the driver sees is a promise."""
        begun = self.now()
        device.press()
        self.told.presses.append((begun, self._shown_at))
        self.promise()

    def promise(self) -> None:
        """The newest record is the one that the last light was about."""
        newest = max(self.told.versions[-1].rows.values(), key=lambda row: row["number"])
        self.told.shown.append(Shown(self._shown_at, newest["capture_id"]))

    def believe(self, change: Callable[[TrustStore], None]) -> None:
        """Change what lies in `trust/`; when it returns, that is a promise."""
        store, begun = TrustStore(self.layout), self.now()
        change(store)
        kept = store.fleet(), store.manifest(), store.manifest_version()
        self.told.believed.append(Believed(begun, self.now(), *kept))

    def lose(self, capture_id: str) -> None:
        """From now on its file may be gone."""
        self.told.lost[capture_id] = self.now()

    def spoil(self, how: Callable[[Path], None]) -> None:
        """Break the queue for good.

        A child does it: SQLite loses its locks where its process closes the file elsewhere.
        """
        self.told.rebuilds.append(Rebuild(self.now()))
        in_child(lambda: how(self.layout.database))

    def fill(self, left_bytes: int) -> None:
        """Take the disk's room with a file that is not Doorstep's, but for about `left_bytes`."""
        descriptor = os.open(self.filler, os.O_RDWR | os.O_CREAT)
        with suppress(OSError):  # no space left
            while disk.free_bytes(self.layout.records) > left_bytes:
                os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, 16_384)
        os.fsync(descriptor)
        os.close(descriptor)

    def empty(self) -> None:
        """Somebody deletes that file."""
        self.filler.unlink(missing_ok=True)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the queue after each transaction while the block runs; the product is unchanged."""
        plain_step, plain_set_aside = Database.step, Database.set_aside

        @contextmanager
        def step(database: Database) -> Iterator[Connection]:
            begun = self.now()
            with plain_step(database) as sql:
                yield sql
                rows, decided = read_queue(sql)
            kept = has_time(self.layout)
            self._settled(Version(begun, self.now(), rows, decided, has_time=kept))

        def set_aside(database: Database) -> Path:
            aside = plain_set_aside(database)
            self._set_aside()
            return aside

        Database.step = step  # type: ignore[method-assign,assignment]  # calls the original
        Database.set_aside = set_aside  # type: ignore[method-assign,assignment]  # calls the original
        try:
            yield
        finally:
            Database.step = plain_step  # type: ignore[method-assign]  # as it was
            Database.set_aside = plain_set_aside  # type: ignore[method-assign]  # as it was

    def _settled(self, version: Version) -> None:
        self.told.versions.append(version)
        for one in self.told.rebuilds:
            if one.is_set_aside:
                one.done = min(one.done, version.done)

    def _set_aside(self) -> None:
        self.told.asides += 1
        for one in self.told.rebuilds:
            one.is_set_aside = True

    def _look_at_light(self, signal: Signal) -> None:
        if signal in KEPT_SIGNALS:
            self._shown_at = self.now()


def read_queue(sql: Connection) -> tuple[dict[str, Row], str | None]:
    """All rows by capture_id, and whose receipt came last."""
    rows = sql.execute("SELECT * FROM captures").fetchall()
    decided = sql.execute("SELECT text FROM facts WHERE name = 'last_decided'").fetchone()
    return {row["capture_id"]: dict(row) for row in rows}, decided and decided["text"]


def has_time(layout: Layout) -> bool:
    """Whether what capture keeps of time is there, and whole."""
    return TrustStore(layout).time().floor is not None


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def frames(layout: Layout) -> int:
    """How many pages the write-ahead log holds now; mxFrame of SQLite's WAL-index header."""
    with layout.database.with_name("doorstep.db-shm").open("rb") as index:
        return int(struct.unpack("=I", index.read(20)[16:])[0])
