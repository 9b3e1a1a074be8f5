"""The rules: what drivers, networks, backends, cards and clocks do, in any order."""

import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.models import RecordState
from agent.queue.queue_repair import ENOUGH
from hardware.clock import ClockSource
from tests.faults.sequences.device import InProcessDevice, Killed, ahead_of_now
from tests.faults.sequences.promises import Promises
from tests.support.backend import Backend
from tests.support.benchtop import picture
from tests.support.network import FaultProxy, Line

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S

Switched = dict[str, Any]

CLOCKS: Final[Mapping[str, Callable[[], tuple[ClockSource, timedelta]]]] = {
    "right": lambda: (ClockSource.NTP, timedelta()),
    "right, but nobody vouches": lambda: (ClockSource.UNSYNCED, timedelta()),
    "an hour back": lambda: (ClockSource.UNSYNCED, timedelta(hours=-1)),
    "the network's years ahead": lambda: (ClockSource.NTP, timedelta(days=3000)),
    "years ahead": lambda: (ClockSource.UNSYNCED, timedelta(days=3000)),
    "a real-time clock years ahead": lambda: (ClockSource.RTC, timedelta(days=3000)),
    "1970": lambda: (
        ClockSource.UNSYNCED,
        ahead_of_now(datetime(1970, 1, 2, tzinfo=UTC)),
    ),
}

STATUSES: Final = (100, 199, 200, 201, 204, 302, 400, 401, 403, 404, 409, 410, 413, 423, 429, 460)
STATUSES_5XX: Final = (500, 502, 503, 507, 599)

PAGE_BYTES: Final = 4096

DEATHS: Final = st.none() | st.integers(0, 4)
"""At which boundary of a transaction the process dies."""

FAULTS: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "delay_s": st.just(0.02),
    "status": st.sampled_from(STATUSES + STATUSES_5XX),
    "portal": st.just(True),
    "full": st.just(True),
    "cut_after_bytes": st.integers(0, 60_000),
    "silent_after_bytes": st.integers(0, 60_000),
    "lose_answer": st.just(True),
    "truncate_answer": st.just(True),
    "endless_answer": st.just(True),
    "refuse": st.just("not wanted"),
    "receipt": st.sampled_from(["none", "other_id", "other_digest", "other_key", "garbage"]),
    "receipts_null": st.just(True),
}
LIKELIER: Final = ("refuse", "receipt", "receipt")
"""Faults with several faces, or with the deepest consequences."""

METHODS: Final = st.sampled_from([[], [], ["POST"], ["PATCH"], ["HEAD"], ["POST", "PATCH"]])


@st.composite
def switched(draw: st.DrawFn) -> Switched:
    """Draw a fault of the backend for some requests."""
    name = draw(st.sampled_from([*sorted(FAULTS), *LIKELIER]))
    switches: Switched = {name: draw(FAULTS[name]), "methods": draw(METHODS)}
    if name == "silent_after_bytes":
        switches["times"] = 1  # each costs its time
    elif draw(st.integers(0, 3)):
        switches["times"] = draw(st.integers(1, 3))
    if name == "status":
        switches["body"] = draw(st.sampled_from(["", "no", "<html>"]))
        after_s = draw(st.sampled_from([None, "0", "7", "86400", "soon"]))
        switches["headers"] = {} if after_s is None else {"Retry-After": after_s}
    return switches


def _name(switches: Switched) -> str:
    """Return the name of the fault, with its face."""
    return str([(name, str(face)) for name, face in switches.items() if name in FAULTS])


GOOD: Final = Line()

FAULTY: Final = st.lists(switched(), min_size=1, max_size=6, unique_by=_name)


class Machine(RuleBasedStateMachine):
    """A device and a backend; every rule may happen at any time.

    A rule that cannot happen returns: what became of a cut line differs from run to run, and
    hypothesis takes a precondition that differs for a mistake.

    Attributes:
        server: the backend, shared by some examples; each has its own device.
        proxy: the network between them.
        folder: where devices live.
        ahead: says how far the backend's clock is ahead; time passes for both.
        seen: what the examples came to.
    """

    server: ClassVar[Backend]
    proxy: ClassVar[FaultProxy]
    folder: ClassVar[Path]
    ahead: ClassVar[Path]
    seen: ClassVar[Counter[str]] = Counter()

    @initialize(photos=st.integers(0, 3))
    def begin(self, photos: int) -> None:
        self.server.set_switches()
        self.scratch = tempfile.TemporaryDirectory(dir=self.folder)
        self.device = InProcessDevice(
            Path(self.scratch.name) / "d", self.server, self.proxy, self.ahead
        )
        self._set_network()
        self.promises = Promises(self.seen)
        self.breaks = 0
        for _ in range(photos):
            self.press(blurred=False, dies_at=None)

    # The driver

    @rule(blurred=st.booleans(), dies_at=DEATHS)
    def press(self, blurred: bool, dies_at: int | None) -> None:
        device = self.device
        device.parts.camera.pictures = [picture(motion_px=30.0 if blurred else 0.0)]
        try:
            with device.fuse.lit(dies_at):
                reply = device.bench.press()
        except Killed:
            self._cut_power(reboots=True, dies_at=None)
            return
        if "label" in reply:
            self.promises.kept.add(reply["label"]["capture_id"])
        else:
            assert self.promises.broken, f"a press left nothing: {reply}"

    @rule(after_s=st.sampled_from([0.0, 10.0, 60.0]))
    def void(self, after_s: float) -> None:
        self.device.bench.hold_scan(after_s)

    # Sending, pruning, and the person at the keyboard

    @rule(faults=FAULTY, turns=st.integers(1, 3))
    def send_through_faults(self, faults: list[Switched], turns: int) -> None:
        """A press and some turns of the loop with each of these faults of the backend."""
        for switches in faults:
            self.press(blurred=False, dies_at=None)
            self.server.set_switches(**switches)
            self.seen.update(switches.keys() & FAULTS.keys())
            self._send(turns, None)
            self.promises.check(self.device, self.server)
        self.server.set_switches()

    @rule(up=st.none() | st.integers(0, 90_000), down=st.none() | st.integers(0, 6_000))
    def send_and_be_cut(self, up: int | None, down: int | None) -> None:
        """The connection ends after so many bytes, and the next one, too."""
        self._set_network(Line(cut_after_bytes=up), Line(cut_after_bytes=down))
        self._send(2, None)
        self._set_network()

    @rule(reachable=st.booleans(), turns=st.integers(0, 6), dies_at=DEATHS)
    def send(self, reachable: bool, turns: int, dies_at: int | None) -> None:
        """Some turns of the loop, or `sync --once`, with a network or without."""
        self.proxy.reachable = reachable
        self.proxy.cut()
        self._send(turns, dies_at)
        self._set_network()

    @rule(
        after_s=st.sampled_from([0.0, 3.1 * DAY_S, 14.1 * DAY_S]),
        shows=st.none() | st.sampled_from(sorted(CLOCKS)),
        dies_at=DEATHS,
    )
    def prune(self, after_s: float, shows: str | None, dies_at: int | None) -> None:
        """By a clock that may be another one meanwhile."""
        self.device.pass_s(after_s)
        if shows is not None:
            self.device.set_clock(*CLOCKS[shows]())
        try:
            self.device.prune(dies_at)
        except Killed:
            self.seen["prune killed"] += 1

    @rule()
    def retry_all(self) -> None:
        if not self.promises.broken:
            with self.device.queue() as (outbox, _):
                outbox.retry(None, 0.0)

    # The backend, power, card and queue

    @rule()
    def backend_forgets(self) -> None:
        had = (self.server.data / "received").glob("*.rec")
        self.promises.forgotten |= {path.stem for path in had} & self.promises.known.keys()
        self.server.set_switches(forget=True)

    @rule()
    def receipt_key_changes(self) -> None:
        """The next receipts are by a key that the device learns of from the fleet document."""
        if not self.device.office.can_rotate():
            return
        self.device.office.rotate()
        self.seen["key changed"] += 1

    @rule(is_in=st.booleans())
    def admit(self, is_in: bool) -> None:
        """The office shuts the device out, or lets it in again, which then enrols."""
        office = self.device.office
        if is_in == office.is_in:
            return
        if is_in:
            self.device.enrol()
        else:
            office.shut_out()
            self.seen["shut out"] += 1

    @rule(what=st.sampled_from(["power", "power", "kill", "capture", "sync"]), dies_at=DEATHS)
    def restart(self, what: str, dies_at: int | None) -> None:
        """Cut the power, kill both processes, or let one of them end and start again."""
        match what:
            case "capture":
                self.device.start_capture()
            case "sync":
                self.device.start_sync()
            case _:
                self._cut_power(reboots=what == "power", dies_at=dies_at)

    @rule(
        log_is_empty=st.booleans(),
        how=st.sampled_from(["deleted", "garbage", "first page", "empty"]),
    )
    def break_queue(self, how: str, log_is_empty: bool) -> None:
        """While the others run; by another process, since closing a file ends this one's locks."""
        path = self.device.layout.database
        if self.breaks >= ENOUGH or not path.exists():
            return
        if log_is_empty and not self.promises.broken:
            self.device.start_both()
            self.promises.check(self.device, self.server)
        self.breaks += 1
        self.promises.broken = True
        garbage = self.folder / "garbage"
        garbage.write_bytes(random.Random(1).randbytes(path.stat().st_size + PAGE_BYTES))
        overwrite: list[str | Path] = [
            "dd",
            "status=none",
            "conv=notrunc",
            f"if={garbage}",
            f"of={path}",
        ]
        commands: dict[str, list[str | Path]] = {
            "deleted": ["rm", path],
            "garbage": overwrite,
            "first page": [*overwrite, f"bs={PAGE_BYTES}", "count=1"],
            "empty": ["truncate", "-s", "0", path],
        }
        subprocess.run(commands[how], check=True)
        self.promises.held = None if how == "deleted" else self.promises.held

    @rule(which=st.integers(0, 50), how=st.sampled_from(["altered", "cut short", "removed"]))
    def spoil_file(self, which: int, how: str) -> None:
        names = self.promises.sound(self.device)
        if not names:
            return
        name = names[which % len(names)]
        self.promises.spoiled.add(name)
        path = self.device.layout.record(name)
        content = bytearray(path.read_bytes())
        content[-1 - which % len(content)] ^= 1 << which % 8
        match how:
            case "altered":
                path.write_bytes(content)
            case "cut short":
                path.write_bytes(content[: which * 1000 % len(content)])
            case "removed":
                self.promises.removed.add(name)
                path.unlink()

    # Time

    @rule(
        seconds=st.sampled_from([0.0, 40.0, HOUR_S, 3.1 * DAY_S]),
        shows=st.none() | st.sampled_from(sorted(CLOCKS)),
    )
    def time_passes(self, seconds: float, shows: str | None) -> None:
        self.device.pass_s(seconds)
        if shows is not None:
            self.device.set_clock(*CLOCKS[shows]())
        self.device.bench.tick()

    # What must hold

    @invariant()
    def promises_hold(self) -> None:
        self.promises.check(self.device, self.server)

    def teardown(self) -> None:
        if not hasattr(self, "device"):
            return
        try:
            self._end_well()
        finally:
            self.device.close()
            self.scratch.cleanup()

    def _set_network(self, up: Line = GOOD, down: Line = GOOD) -> None:
        self.proxy.up, self.proxy.down, self.proxy.reachable = up, down, True
        self.proxy.cut()
        self.device.sync.link_news()

    def _send(self, turns: int, dies_at: int | None) -> None:
        try:
            self.device.turns(turns, dies_at) if turns else self.device.send_once(dies_at)
        except Killed:
            self.seen["sync killed"] += 1
            self.device.start_sync()
        self.device.bench.tick()

    def _cut_power(self, *, reboots: bool, dies_at: int | None) -> None:
        self.device.power_cut(reboots=reboots, dies_at=dies_at)
        self.promises.held = None
        self.seen["power cut"] += 1

    def _end_well(self) -> None:
        """All faults off, and time passes: everything arrives, or says why not."""
        self._set_network()
        self.admit(is_in=True)
        self.server.set_switches()
        self.device.set_clock(*CLOCKS["right"]())
        if self.promises.broken:
            self.device.pass_s(61.0)
            self._cut_power(reboots=True, dies_at=None)
        self.promises.check(self.device, self.server)
        assert not self.promises.broken
        self._send_all()
        self._repair()
        self.device.pass_s(14.1 * DAY_S)
        self.device.prune()
        self.promises.check(self.device, self.server)
        self.device.prune()
        self.promises.check(self.device, self.server)

    def _send_all(self) -> None:
        patience = 4 * len(self.promises.known) + 4
        while patience and self.promises.has(RecordState.PENDING):
            patience -= 1
            self.device.turns(5)
            self.promises.check(self.device, self.server)
        self.promises.check(self.device, self.server)
        waiting = [row for row in self.promises.rows.values() if row.state is RecordState.PENDING]
        assert not waiting, f"never delivered: {waiting[0]}"

    def _repair(self) -> None:
        """Send every record again, also those refused by mistake; none may be missing then."""
        with self.device.queue() as (outbox, _):
            outbox.retry(None, 0.0)
        self.promises.check(self.device, self.server)
        self._send_all()
        states = {RecordState.DELIVERED, RecordState.PRUNED}
        for name in self.promises.known.keys() - self.promises.spoiled - self.promises.gone:
            row = self.promises.rows.get(name)
            assert row, f"missing: {name}"
            assert row.state in states, f"{row.state}: {row.answer}"
