"""A device on the rig's disk, and what it promises while a scenario runs."""

import hashlib
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from agent.queue import disk
from agent.queue.database import Connection, Database
from agent.queue.paths import Layout
from agent.record import signing
from agent.trust.store import TrustStore
from hardware.indicator import Signal
from tests.faults.powercut.forked import in_child
from tests.faults.powercut.promise_log import Change, PromiseLog, Rebuild, Row, Shown, Version
from tests.support.benchtop import Bench, Parts, bench

KEPT_SIGNALS: Final = frozenset(
    {Signal.SAVED, Signal.HANDED_OVER, Signal.ONCE_MORE, Signal.NO_PHOTO, Signal.FAULT}
)
"""Signals that may end a press; the rig looks only at presses that leave a record."""

RECEIPT_KEY: Final = signing.new_key()
"""The backend's; every device of the rig knows it."""


class Stage:
    """The folder of one device's settings, with its state on the rig's disk."""

    def __init__(self, folder: Path, mounted: Path, log: Path | None = None) -> None:
        self.folder = folder
        self.disk = mounted
        self.layout = Layout(mounted / "state", folder / "run")
        self.filler = mounted / "filler"
        self.parts = Parts()
        self.promises = PromiseLog()
        self.tables: dict[str, dict[str, Any]] = {}
        self._log = log
        self._shown_at = 0
        self.left_open = ExitStack()

    @property
    def state(self) -> dict[str, Any]:
        """The `[state]` table of the device's settings."""
        return {"dir": str(self.layout.state), "run_dir": str(self.layout.run), "reserve_mb": 1}

    @contextmanager
    def open(self) -> Iterator[Bench]:
        """The product's capture process, wired as its command does it, swept and with its chain."""
        self.parts.light.on_show = self._look_at_light
        public = signing.public_pem(RECEIPT_KEY.public_key())
        self.folder.mkdir(exist_ok=True)
        (self.folder / "receipt-key.pem").write_bytes(public)
        with bench(self.folder, self.parts, state=self.state, **self.tables) as device:
            if self.tables:
                device.tick()  # as `CaptureLoop.run` begins: it takes up what lies in `trust/`
            yield device

    def begin(self) -> None:
        """Begin the crash states here: everything before is on the disk, and is not cut."""
        self.flush()
        self.promises.begun = self.now()

    def flush(self) -> None:
        """Flush everything that was written to the disk, even if a variant leaves flushes out."""
        subprocess.run(["sync", "--file-system", self.disk], check=True)

    def leave_open(self) -> Bench:
        """Return an open bench for a process that dies with everything open."""
        return self.left_open.enter_context(self.open())

    def now(self) -> int:
        """Size of the log in bytes."""
        return self._log.stat().st_size if self._log else 0

    def photo(self, device: Bench) -> None:
        """Press the photo button; what the driver sees is a promise."""
        begun = self.now()
        device.press()
        self.promises.presses.append((begun, self._shown_at))
        self.promise()

    def promise(self) -> None:
        """The newest record is the one that the last light was about."""
        newest = max(self.promises.versions[-1].rows.values(), key=lambda row: row["number"])
        self.promises.shown.append(Shown(self._shown_at, newest["capture_id"]))

    def change(self, name: str, begun: int, value: str | None) -> None:
        """Promise that `name` has this `value`; the change began at the log size `begun`."""
        self.promises.changes.append(Change(begun, self.now(), name, value))

    def lose(self, capture_id: str) -> None:
        """From now on its file may be gone."""
        self.promises.lost[capture_id] = self.now()

    def spoil(self, how: Callable[[Path], None]) -> None:
        """Break the queue for good.

        A child does it: SQLite loses its locks where its process closes the file elsewhere.
        """
        self.promises.rebuilds.append(Rebuild(self.now()))
        in_child(lambda: how(self.layout.database))

    def fill(self, left_bytes: int) -> None:
        """Fill the disk except for about `left_bytes` with a file that is not Doorstep's."""
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
                rows = read_queue(sql)
            kept = has_time(self.layout)
            self._settled(Version(begun, self.now(), rows, has_time=kept))

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
        self.promises.versions.append(version)
        for one in self.promises.rebuilds:
            if one.is_set_aside:
                one.done = min(one.done, version.done)

    def _set_aside(self) -> None:
        self.promises.quarantined += 1
        for one in self.promises.rebuilds:
            one.is_set_aside = True

    def _look_at_light(self, signal: Signal) -> None:
        if signal in KEPT_SIGNALS:
            self._shown_at = self.now()


def read_queue(sql: Connection) -> dict[str, Row]:
    """All rows by capture_id."""
    rows = sql.execute("SELECT * FROM captures").fetchall()
    return {row["capture_id"]: dict(row) for row in rows}


def has_time(layout: Layout) -> bool:
    """Return True if the time that capture keeps is there, and whole."""
    return TrustStore(layout).time().floor is not None


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def frames(layout: Layout) -> int:
    """Return the number of pages in the write-ahead log: mxFrame of SQLite's WAL-index header."""
    with layout.database.with_name("doorstep.db-shm").open("rb") as index:
        return int(struct.unpack("=I", index.read(20)[16:])[0])
