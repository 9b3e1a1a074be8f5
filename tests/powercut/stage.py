"""A device on the rig's disk, and what it promises while a scenario runs."""

import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agent.database import Connection, Database
from agent.layout import Layout
from hardware.indicator import Signal
from tests.agent.benchtop import Bench, Parts, bench

Row = dict[str, Any]

KEPT_SIGNALS: Final = frozenset({Signal.SAVED, Signal.ONCE_MORE, Signal.NO_PHOTO, Signal.FAULT})
"""What a press ends with; the rig looks only at presses that leave a record."""


@dataclass(frozen=True, slots=True)
class Version:
    """The queue after one transaction.

    Attributes:
        begun: size of the log before it; a cut from there on may leave this version.
        done: size of the log when it had returned; a cut from there on leaves this one or a later.
        rows: by capture_id.
        floor: the time floor.
    """

    begun: int
    done: int
    rows: dict[str, Row]
    floor: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """The driver saw that a record was kept when the log had this size."""

    log_bytes: int
    capture_id: str


@dataclass(slots=True)
class Told:
    """All that a scenario promised; sizes of the log say when.

    Attributes:
        begun: where the crash states begin.
        versions: the queue after each transaction.
        shown: what the driver was shown.
        presses: from the edge of each photo's press to its light.
        lost: records whose file may be gone from then on, since the scenario deletes it.
    """

    begun: int = 0
    versions: list[Version] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    presses: list[tuple[int, int]] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)

    def known(self) -> dict[str, Row]:
        """Every record that ever had a row, with its latest one."""
        return {name: row for version in self.versions for name, row in version.rows.items()}

    def possible(self, log_bytes: int) -> list[Version]:
        """What the queue may be after a cut: as last promised, or as the change in hand has it."""
        empty = Version(0, 0, {}, None)
        settled = [version for version in self.versions if version.done <= log_bytes]
        in_hand = [
            version for version in self.versions if version.begun <= log_bytes < version.done
        ]
        return [settled[-1] if settled else empty, *in_hand]


class Stage:
    """The folder of one device's settings, with its state on the rig's disk."""

    def __init__(self, folder: Path, mounted: Path, log: Path | None = None) -> None:
        self.folder = folder
        self.layout = Layout(mounted / "state", folder / "run")
        self.parts = Parts()
        self.told = Told()
        self._log = log
        self._shown_at = 0
        self._left_open = ExitStack()

    def open(self) -> AbstractContextManager[Bench]:
        """The product's capture process, wired as its command does it, swept and with its chain."""
        self.parts.light.on_show = self._look_at_light
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

    def lose(self, capture_id: str) -> None:
        """From now on its file may be gone."""
        self.told.lost[capture_id] = self.now()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the queue after each transaction while the block runs; the product is unchanged."""
        original = Database.step

        @contextmanager
        def step(database: Database) -> Iterator[Connection]:
            begun = self.now()
            with original(database) as sql:
                yield sql
                rows, floor = read_queue(sql)
            self.told.versions.append(Version(begun, self.now(), rows, floor))

        Database.step = step  # type: ignore[method-assign,assignment]  # calls the original
        try:
            yield
        finally:
            Database.step = original  # type: ignore[method-assign]  # as it was

    def _look_at_light(self, signal: Signal) -> None:
        if signal in KEPT_SIGNALS:
            self._shown_at = self.now()


def read_queue(sql: Connection) -> tuple[dict[str, Row], str | None]:
    """All rows by capture_id, and the time floor."""
    rows = sql.execute("SELECT * FROM captures").fetchall()
    floor = sql.execute("SELECT text FROM facts WHERE name = 'time_floor'").fetchone()
    return {row["capture_id"]: dict(row) for row in rows}, floor and floor["text"]


def frames(layout: Layout) -> int:
    """How many pages the write-ahead log holds now; mxFrame of SQLite's WAL-index header."""
    with layout.database.with_name("doorstep.db-shm").open("rb") as index:
        return int(struct.unpack("=I", index.read(20)[16:])[0])
