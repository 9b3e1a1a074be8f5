"""A whole device in this process whose power, time, network and card are in the machine's hand.

Capture, sync and prune are the product's own, wired as its commands do it, over real files and
real HTTP; set are the camera's pictures, the time, the boot id, and the moment of death.
"""

import random
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from agent.capture.documents import Documents
from agent.command import capture_process, state_access
from agent.config import load
from agent.errors import DoorstepError
from agent.identity.device_key import device_key
from agent.process import control
from agent.queue import retention
from agent.queue.database import Connection, Database
from agent.queue.labels import newest_of_each_chain, read_labels
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import signing
from agent.sync.blocked_reason import Connectivity
from agent.sync.delivery import Delivery
from agent.sync.document_fetch import FLEET_EVERY_S, Document, DocumentFetch
from agent.sync.downloads import Downloads
from agent.sync.fleet_keys import FleetKeys
from agent.sync.loop import Sync
from agent.sync.receipt_offers import ReceiptOffers
from agent.trust.certain import certain_now
from agent.trust.fleet import KEYS_LIMIT
from agent.trust.keys import receipt_keys
from agent.trust.store import TrustStore
from agent.wire import tls
from agent.wire.http import Backend, Limits
from doorstep_backend.identity.fleet import FleetDocuments, KeyFiles
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from hardware import clock_system
from hardware.board import Board
from hardware.clock import BUILT, ClockSource, Moment
from hardware.clock_system import SystemClock
from hardware.settings import BoardSettings
from tests.support import device as commands
from tests.support.backend import Backend as BackendProcess
from tests.support.benchtop import Bench, Parts
from tests.support.enrolment import enrolled_beside, required
from tests.support.faketime import put_ahead
from tests.support.network import FaultProxy
from tests.support.sending import SetClock

LIMITS: Final = Limits(connect_s=2.0, read_s=1.0, progress_s=1.0, attempt_s=5.0)
"""Long enough for loopback, short enough to wait for a backend that went silent."""


OUTLIVES: Final = timedelta(days=-3650)
"""Issued in ten years, since weeks pass in each order: the backend looks at the end only."""


class Killed(BaseException):
    """The death of the process, which only the rig that killed it catches."""


@dataclass
class Fuse:
    """Kills at one boundary of a transaction; `left` counts them, None never kills."""

    left: int | None = None

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed

    @contextmanager
    def lit(self, left: int | None) -> Iterator[None]:
        self.left = left
        try:
            yield
        finally:
            self.left = None


class SetWall(datetime):
    """The system's wall clock, off by `ahead`."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # no subclass of itself
        return datetime.now(tz) + cls.ahead


class SetTimeClock(SystemClock):
    """The product's clock, for which time passes when the machine says so."""

    def __init__(self, floor: datetime, parts: Parts) -> None:
        super().__init__(floor, lambda: parts.witness)
        self._now_ns = parts.now

    def now(self) -> Moment:
        return self.at(self._now_ns())

    def boottime_s(self) -> float:
        return self._now_ns() / 1e9


class SetTimeParts(Parts):
    """A board with such a clock."""

    def open(self, settings: BoardSettings, run_dir: Path, floor: datetime) -> Board:
        board = super().open(settings, run_dir, floor)
        self.clock = SetTimeClock(floor, self)
        return replace(board, clock=self.clock, parts=ExitStack())


class DeviceOffice:
    """The acts of the office on one device, and on the keys that sign receipts.

    Attributes:
        passed_s: how far the backend's clock is ahead.
        is_in: whether the device is let in.
    """

    def __init__(self, data: Path, device_id: str) -> None:
        self.passed_s = 0.0
        self.is_in = False
        self.fleet_key_file = KeyFiles(data).fleet_public
        self._data, self._device_id = data, device_id
        self._documents = FleetDocuments(data, lambda: datetime.now(UTC) + self._ahead())

    def document(self) -> str:
        """The fleet document, as a device gets it when it enrols."""
        return self._documents.served(None)

    def can_rotate(self) -> bool:
        """True if the document has room for another key, since devices take no longer document."""
        return len(self._documents.keys_told()) < KEYS_LIMIT

    def rotate(self) -> None:
        """Another key signs receipts from now on."""
        self._documents.rotate()

    def let_in(self, sync_keys: Path, label_key: signing.PrivateKey) -> None:
        """Lets the device in, again too, with a certificate that outlives every order."""
        with tempfile.TemporaryDirectory() as folder:
            made = enrolled_beside(self._data, Path(folder), self._device_id, label_key, OUTLIVES)
            made.into(sync_keys)
        self.is_in = True

    def shut_out(self) -> None:
        """Revokes the device's certificate."""
        Register(self._data).shut_out(self._device_id, DeviceState.REVOKED)
        self.is_in = False

    def _ahead(self) -> timedelta:
        return timedelta(seconds=self.passed_s)


class InProcessDevice:
    """A device; `press`, `turns`, `send_once` and `prune` may die at any transaction.

    Attributes:
        layout: where its files lie.
        bench: its capture process.
        boot_id: of the boot that runs.
        clock: CLOCK_BOOTTIME as sync sees it.
        starts: how often capture has started.
    """

    def __init__(
        self, folder: Path, backend: BackendProcess, proxy: FaultProxy, ahead: Path
    ) -> None:
        url = f"https://127.0.0.1:{proxy.port}"
        self.id = f"d-{uuid.uuid4()}"
        tables = required(backend, url)
        self.config = load(commands.Device(folder, "", device={"id": self.id}, **tables).config)
        self.layout = Layout.of(self.config.state)
        self.layout.make()
        self.office = DeviceOffice(backend.data, self.id)
        self.enrol()
        TrustStore(self.layout).keep_fleet((self.office.document(),))
        self.parts = SetTimeParts()
        self.fuse = Fuse()
        self.starts = 0
        self.boot_id = str(uuid.uuid4())
        self.clock = SetClock()
        self._ahead, self._passed_s = ahead, 0.0
        put_ahead(ahead, 0.0)
        self._patch = pytest.MonkeyPatch()
        self._capture, self._sync = ExitStack(), ExitStack()
        self._set_parts()
        self.start_capture()
        self.start_sync()

    def enrol(self) -> None:
        """A certificate for TLS, and one for the key that signs."""
        key, _ = device_key(self.layout)
        self.office.let_in(self.layout.sync_keys, key)

    # Processes

    def start_capture(self) -> None:
        self._capture.close()
        loop = self._capture.enter_context(
            capture_process.capture_loop(self.config, self.parts.open, self.parts.now)
        )
        outbox = self._capture.enter_context(state_access.open_queue(self.config))
        self.starts += 1
        self.bench = Bench(self.config, self.parts, loop, outbox, self.layout)
        socket = self.layout.capture_socket
        self._capture.enter_context(control.serve(socket, partial(_offered, loop.documents)))
        self.bench.tick()  # as its loop begins: a press may come at once

    def start_sync(self) -> None:
        self._sync.close()
        outbox = self._sync.enter_context(state_access.open_queue(self.config))
        door = Backend(self.config.backend, LIMITS, tls=tls.for_backend(self.config))
        backend = self._sync.enter_context(closing(door))
        pinned = signing.read_public_key(self.office.fleet_key_file)
        fleet, rng = FleetKeys(pinned, TrustStore(self.layout)), random.Random(1)
        wanted = Document("fleet", FLEET_EVERY_S, backend.fleet, "none yet")
        socket = self.layout.capture_socket
        fetch = DocumentFetch(
            wanted, backend, socket, rng, Connectivity(), on_fetched=fleet.offer_update
        )
        delivery = Delivery(backend, fleet.keys, outbox.set_upload_url, fetch.fetch_at_next_tick)
        asked = Downloads([fetch])
        receipts = ReceiptOffers(self.layout, outbox, fleet.keys)
        self.sync = Sync(
            self.layout, outbox, delivery, self.clock, rng, downloads=asked, receipts=receipts
        )

    def start_both(self) -> None:
        """End both, which empties the queue's log, and start them again."""
        self._sync.close()
        self.start_capture()
        self.start_sync()

    def power_cut(self, *, reboots: bool, dies_at: int | None) -> None:
        """Kill both processes; the card keeps what it has now. Their next start may die, too."""
        died = self.layout.state.with_name("died")
        subprocess.run(["cp", "-a", self.layout.state, died], check=True)  # see break_queue
        self._capture.close()
        self._sync.close()
        shutil.rmtree(self.layout.state)
        died.rename(self.layout.state)
        if reboots:
            for suffix in ("-shm",):  # in memory, as far as SQLite cares
                self.layout.database.with_name(f"doorstep.db{suffix}").unlink(missing_ok=True)
            self.boot_id = str(uuid.uuid4())
            self.clock.now_s = 20.0
        try:
            with self.fuse.lit(dies_at):
                self.start_capture()
        except Killed:
            self.start_capture()
        self.start_sync()

    def close(self) -> None:
        self._capture.close()
        self._sync.close()
        self._patch.undo()

    # What they do

    def turns(self, count: int, dies_at: int | None = None) -> None:
        """Some turns of the sending loop; while it would wait, time passes."""
        with self.fuse.lit(dies_at):
            for _ in range(count):
                self.pass_s(self.sync._guarded_step())  # noqa: SLF001 - what `run` does, without its sockets
                self.pass_s(self._rests_s())

    def _rests_s(self) -> float:
        """Return the time in which the loop does nothing but look."""
        backoff, due_s = self.sync._backoff, None  # noqa: SLF001 - nothing else tells it
        with suppress(DoorstepError), self.queue() as (outbox, _):
            due_s = outbox.due_s()
        if due_s is None:
            return 0.0
        return max(due_s - self.clock.now_s, backoff.rest_until_s - self.clock.now_s, 0.0)

    def send_once(self, dies_at: int | None = None) -> None:
        """`doorstep sync --once`, while no daemon runs."""
        with self.fuse.lit(dies_at), suppress(DoorstepError):
            self.sync.send_once(lambda _done, _total: None)

    def prune(self, dies_at: int | None = None) -> None:
        """As capture does, all pages at once."""
        keys = receipt_keys(self.config)
        with (
            self.fuse.lit(dies_at),
            suppress(DoorstepError),
        ):
            clock = SetTimeClock(state_access.floor(self.layout), self.parts)
            known = TrustStore(self.layout).time().agreed
            now = certain_now(known, clock.now(), clock.boottime_s())
            if now is not None:
                newest = newest_of_each_chain(read_labels(self.layout)).values()
                pages = retention.prune(
                    self.layout,
                    self.config.retention,
                    keys,
                    now=now,
                    newest=lambda: newest,
                )
                for _ in pages:
                    pass

    # The world around them

    def pass_s(self, seconds: float) -> None:
        self.parts.now.pass_s(seconds)
        self.clock.now_s += seconds
        self._passed_s += seconds
        self.office.passed_s = self._passed_s
        put_ahead(self._ahead, self._passed_s)

    def true_utc(self) -> datetime:
        """Return the time that a right clock shows."""
        clock = SystemClock(BUILT, lambda: ClockSource.NTP)
        return clock.at(self.parts.now()).utc - SetWall.ahead

    def set_clock(self, source: ClockSource, ahead: timedelta) -> None:
        self.parts.witness, SetWall.ahead = source, ahead

    @contextmanager
    def queue(self) -> Iterator[tuple[Outbox, Database]]:
        """The queue as a command sees it, and the door to it."""
        with closing(Database(self.layout)) as database:
            yield Outbox(database, self.boot_id), database

    def _set_parts(self) -> None:
        original, fuse = Database.step, self.fuse

        @contextmanager
        def step(database: Database) -> Iterator[Connection]:
            fuse.burn()
            with original(database) as sql:
                yield sql
            fuse.burn()

        def boot_id(_root: Any = None) -> str:
            return self.boot_id

        self._patch.setattr(Database, "step", step)
        for module in (capture_process, state_access, clock_system):
            self._patch.setattr(module, "boot_id", boot_id)
        self._patch.setattr(clock_system, "datetime", SetWall)
        self.set_clock(ClockSource.NTP, timedelta())


def _offered(documents: Documents, request: control.Line, _user: str) -> control.Line:
    """Return capture's answer about documents; in the asker's thread, as in capture's process."""
    if "status" in request:
        return {"fleet": documents.fleet.version}
    return documents.answer(request)


def ahead_of_now(utc: datetime) -> timedelta:
    """Return the error of a clock that shows `utc` now."""
    return utc - datetime.now(UTC)
