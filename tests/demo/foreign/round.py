"""The round against a foreign backend: the presses that need no office."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from agent.models import BoundBy, RecordState
from doorstep_backend.office import demo
from doorstep_backend.office.orders import Order
from tests.demo import story
from tests.demo.driver import DemoDevice, Pressed
from tests.demo.story import Step, Turn
from tests.support.network import FaultProxy, Line

SILENT_AFTER_BYTES: Final = 131_072
"""Bytes of a connection that get through before it falls silent: about a third of a photo."""

STILL_S: Final = 40.0
"""Longest wait while no record arrives: a device waits for 30 s for an answer."""

TRIES: Final = 5
"""Most tries while no record arrives, a second apart: a backend may still hold a cut request."""

OFFICE: Final = {story.MISPLACED, demo.CHANGES_MIND}
"""Orders whose steps need the office of the reference backend."""

TURNS: Final[Mapping[Turn, str]] = {
    turn: turn.value
    for turn in (Turn.NETWORK_LOST, Turn.TAKEN_BACK, Turn.KILLED, Turn.STALLED, Turn.KILLED_SENDING)
} | {Turn.NETWORK_BACK: "the network is back: what waited is sent"}
"""Events between two presses, as the demo prints them."""


def _steps() -> Iterator[Step | Turn]:
    """Yield the demo's round without its office, then a cut in a transfer, and practice."""
    for one in story.ROUND:
        if one in TURNS or (isinstance(one, Step) and one.at not in OFFICE):
            yield one
    yield Turn.STALLED
    yield Step("one more parcel for the first door", demo.ALLOWED, BoundBy.PLACE, "light = 1.0")
    yield Turn.KILLED_SENDING
    yield Step("practice", demo.ALLOWED, BoundBy.UNASSIGNED, label=story.PRACTICE)


ROUND: Final = tuple(_steps())


def script() -> str:
    """Return the world script of the round."""
    return story.script([one for one in ROUND if isinstance(one, Step)])


@dataclass(slots=True)
class ForeignRound:
    """The round while it is played.

    Attributes:
        orders: by number.
        earlier: ids of the records that the device had delivered before.
        pressed: the presses so far.
    """

    van: DemoDevice
    network: FaultProxy
    orders: Mapping[str, Order]
    earlier: set[str]
    pressed: list[Pressed] = field(default_factory=list)

    def play(self) -> None:
        """Play to the last receipt, or to the first record if that gets none."""
        number = 0
        for one in ROUND:
            match one:
                case Step():
                    number += 1
                    self._keep(self.van.press(number, one, self.orders[one.place_of]), one.story)
                    if number == 1 and not self._send():
                        return
                case Turn():
                    print(f"   {TURNS[one]}", flush=True)
                    self._turn(one, number)
        self._send()

    def rows(self) -> list[dict[str, Any]]:
        """Return the queue's rows of this round, the oldest first."""
        return [one for one in self.van.processes.queue() if one["capture_id"] not in self.earlier]

    def _send(self) -> bool:
        """Send what waits until nothing arrives any more; return whether all has its receipt."""
        waiting = self.van.waiting()
        until_s, tries = time.monotonic() + STILL_S, TRIES
        while waiting and tries and time.monotonic() < until_s:
            with suppress(subprocess.TimeoutExpired):
                self.van.processes.run("sync", "--once", timeout=STILL_S)
            before, waiting = waiting, self.van.waiting()
            if waiting < before:
                until_s, tries = time.monotonic() + STILL_S, TRIES
            elif waiting:
                tries -= 1
                time.sleep(1.0)
        rows = self.rows()
        left = len(unsent(rows))
        print(f"   {len(rows) - left} records have their receipt, {left} have none", flush=True)
        return not left

    def _turn(self, turn: Turn, number: int) -> None:
        match turn:
            case Turn.NETWORK_LOST:
                self.network.reachable = False
                self.network.cut()
            case Turn.NETWORK_BACK:
                self.network.reachable = True
                self._send()
            case Turn.TAKEN_BACK:
                self._keep(self.van.take_back(number), f"takes back press {number}")
            case Turn.KILLED:
                self.van.kill()
            case Turn.STALLED:
                self._send()  # else an earlier record is the one that stalls
                self.network.up = Line(silent_after_bytes=SILENT_AFTER_BYTES)
                self.network.cut()
                self.network.relayed_bytes.clear()
            case Turn.KILLED_SENDING:
                self._kill_sending()

    def _kill_sending(self) -> None:
        """Kill both processes when a part of the record has gone, and start them again."""
        until_s = time.monotonic() + STILL_S
        while self.network.relayed_bytes["up"] < SILENT_AFTER_BYTES:
            if time.monotonic() > until_s:
                sys.exit(f"the device does not send its record:\n{self.van.processes.log('sync')}")
            time.sleep(0.05)
        for name in ("sync", "capture"):
            self.van.processes.stop(name, signal.SIGKILL)
        self.network.up = Line()
        self.network.cut()
        self.van.start()

    def _keep(self, pressed: Pressed, text: str) -> None:
        self.pressed.append(pressed)
        kind = pressed.label["kind"].replace("_", " ")
        print(f"{pressed.number:>2} {pressed.light:<9}  {kind:<8}  {text}", flush=True)


def unsent(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that have no receipt."""
    sent = {RecordState.DELIVERED, RecordState.PRUNED}
    return [row for row in rows if row["state"] not in sent]
