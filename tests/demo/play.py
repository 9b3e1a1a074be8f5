"""The demo played by hand: a simulated device in a terminal, its buttons and its world as keys.

Processes, sockets, receiver and network are the round's; the world changes by its script.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from agent.capture.socket_presses import FINGER_S, SCAN_FIRST_S
from agent.errors import DoorstepError
from agent.models import Reason
from doorstep_backend.office.model import Office
from hardware.simulated.buttons import PRESS_S
from tests.demo import lights, outcome, people, world
from tests.demo.depot import depot, let_in
from tests.demo.driver import DemoDevice
from tests.demo.screen import Screen, View, screen
from tests.support.backend import Backend
from tests.support.network import FaultProxy

Reply = Mapping[str, Any]

WIDTH_PX: Final = 1152
"""Width of the photos: a scene of this size is drawn in 0.8 s (x86-64, 2 cores, 2026-11)."""

TICK_S: Final = 0.04
"""Time between drawings of the light: a third of the shortest step of a rhythm, 0.12 s."""

STATUS_EVERY_S: Final = 1.0
"""Often enough to see a record go; asking costs 0.07 s of a core."""

CLIENTS: Final = 8
"""Most requests at once: a scan waits 10 s for its label, and keys go on meanwhile."""

HAND_OVER_S: Final = SCAN_FIRST_S + FINGER_S
"""Time until both buttons are up again after a hand-over."""

PRESSES: Final[Mapping[str, tuple[Mapping[str, Any], Mapping[str, float]]]] = {
    "p": ({"press": "photo"}, {"photo": PRESS_S}),
    "s": ({"press": "scan"}, {"scan": PRESS_S}),
    "h": ({"hold": "scan", "seconds": 2.1}, {"scan": 2.1}),
    "o": ({"hand_over": True}, {"scan": HAND_OVER_S, "photo": HAND_OVER_S}),
}
"""By key: what `capture` is asked for, and for how long which buttons are down, in seconds."""

KEYS: Final[Mapping[str, str]] = {
    "p": "photo button",
    "s": "scan button",
    "h": "scan held 2 s: take back",
    "o": "both: handed over",
    "l": "label up, down",
    "e": "label of elsewhere up",
    "n": "next door",
    "w": "network away, back",
    "g": "GPS away, back",
    "d": "dark, day",
    "m": "moving hand, still",
    "v": "lens covered, free",
    "c": "cradle, road",
    "b": "battery low, full",
    "f": "camera fault, mended",
    "r": "revoked, let in again",
    "a": "accounts, what to try",
    "q": "quit",
}
"""Keys and their descriptions; tests/demo/README.md has the same table."""


def play(folder: Path, backend: Backend, office: Office) -> None:
    """Show the device `demo-01` in the folder until `q` or Ctrl-C."""
    with (
        FaultProxy(("127.0.0.1", backend.port)) as network,
        ThreadPoolExecutor(CLIENTS) as pool,  # around the devices: their end answers what is open
        ExitStack() as opened,
    ):
        print("The device starts ...", flush=True)
        home = folder / "demo-01"
        van = depot(opened, home, "", backend=backend, network=network, width_px=WIDTH_PX)
        let_in(van, backend)
        dispatch = Dispatch(backend, van, pool)
        player = Player(van, network, world.doors(office), pool, dispatch)
        with suppress(KeyboardInterrupt), screen() as terminal:
            player.play(terminal, people.address(backend), [*people.table(office)])


class Dispatch:
    """Dispatch, who revokes the device and lets it in again: one thing at a time, beside the keys.

    Attributes:
        revoked: whether the device is shut out.
    """

    def __init__(self, backend: Backend, van: DemoDevice, pool: ThreadPoolExecutor) -> None:
        self.revoked = False
        self._backend = backend
        self._van = van
        self._pool = pool
        self._doing: Future[str] | None = None

    def act(self) -> None:
        """Revoke the device, or let it in again; nothing while that is still going on."""
        if self._doing is None:
            self._doing = self._pool.submit(self._let_in if self.revoked else self._revoke)

    def said(self) -> str | None:
        """The result, once; None while there is nothing new."""
        if self._doing is None or not self._doing.done():
            return None
        done, self._doing = self._doing, None
        try:
            words = done.result()
        except ValueError as error:  # the network is away, for one
            return " ".join(str(error).split())
        self.revoked = not self.revoked
        return words

    def _revoke(self) -> str:
        return self._backend.command("devices", "revoke", self._van.device_id).strip()

    def _let_in(self) -> str:
        told = let_in(self._van, self._backend)
        self._pool.submit(self._van.processes.ask, "sync", {"send": True})
        return f"{self._van.device_id}: let in again, {told}"


class Player:
    """A finger on the device's buttons, and a hand in its world."""

    def __init__(
        self,
        van: DemoDevice,
        network: FaultProxy,
        doors: Sequence[world.Door],
        pool: ThreadPoolExecutor,
        dispatch: Dispatch,
    ) -> None:
        """Start the device at the first door; returns when it has its route."""
        self._van = van
        self._dispatch = dispatch
        self._network = network
        self._doors = doors
        self._pool = pool
        self._at = 0
        self._changed: set[str] = set()
        self._shows_accounts = False
        self._released_s = {"photo": 0.0, "scan": 0.0}
        self._asked: list[Future[Reply | None]] = []
        self._last = self._said = ""
        self._arrange()
        self._capture = van.start()
        self._light = lights.Watched(van.processes.folder / "capture.log")
        self._waits = _Waits(van, pool)

    def play(self, terminal: Screen, pages: str, accounts: Sequence[str]) -> None:
        """Show the device until `q` is typed.

        Args:
            terminal: where it is shown.
            pages: where the pages are; always in view.
            accounts: who can sign in there; in view instead of the keys after `a`.
        """
        keys = ""
        while "q" not in keys:
            for key in keys:
                self._type(key)
            self._hear()
            terminal.show(self._view(pages, accounts))
            keys = terminal.keys(TICK_S)

    def _type(self, key: str) -> None:
        if key in PRESSES:
            self._press(key)
        elif key == "n":
            self._at = (self._at + 1) % len(self._doors)
            self._changed -= {"l", "e", "g"}  # the parcel is put down, and GPS is back on the way
            self._arrange()
        elif key == "a":
            self._shows_accounts = not self._shows_accounts
        elif key == "r":
            self._dispatch.act()
        elif key in world.SWITCHES:
            self._changed ^= {key}
            self._changed -= {"l": {"e"}, "e": {"l"}}.get(key, set())  # one parcel in the hand
            self._arrange()
            if key == "w" and "w" not in self._changed:  # a device's link watch does so
                self._pool.submit(self._van.processes.ask, "sync", {"send": True})

    def _press(self, key: str) -> None:
        request, down_s = PRESSES[key]
        now_s = time.monotonic()
        if any(now_s < self._released_s[button] for button in down_s):
            return  # a finger cannot press what it holds down
        self._released_s.update({button: now_s + held_s for button, held_s in down_s.items()})
        self._said = ""
        self._asked.append(self._pool.submit(self._van.processes.ask, "capture", request))

    def _arrange(self) -> None:
        """Make network, receiver and world what the keys say."""
        self._network.reachable = "w" not in self._changed
        if not self._network.reachable:
            self._network.cut()
        door = self._doors[self._at]
        self._van.receiver.carry_to(None if "g" in self._changed else door.place)
        followed = self._van.processes.folder / "world.toml"
        new = followed.with_suffix(".new")
        new.write_text(world.script(self._at + 1, door, self._changed), encoding="utf-8")
        new.replace(followed)

    def _hear(self) -> None:
        """Take the answers that have come, and start `capture` again as systemd would."""
        for one in [one for one in self._asked if one.done()]:
            self._asked.remove(one)
            try:
                reply = one.result()
            except DoorstepError as error:
                self._said = str(error)
            else:
                self._take(reply or {"scan": "capture does not run; it is started again"})
        self._said = self._dispatch.said() or self._said
        if self._capture.poll() is not None:
            self._said = f"capture ended with {self._capture.returncode}; it is started again"
            self._light.out()
            self._capture = self._van.processes.start("capture", ready=False)

    def _take(self, reply: Reply) -> None:
        if "scan" in reply:
            self._said = str(reply["scan"])
        else:
            self._last = _record_line(reply, {door.stop_id: door.order for door in self._doors})

    def _view(self, pages: str, accounts: Sequence[str]) -> View:
        given, signal = self._light.look(), self._light.signal
        return View(
            given=given,
            meant=(lights.name(signal), lights.MEANS[signal]) if signal else ("dark", "starting"),
            rows=[
                ("at", self._doors[self._at].words),
                (
                    "around",
                    world.words(self._changed | ({"r"} if self._dispatch.revoked else set())),
                ),
                ("last", self._last),
                ("waits", self._waits.words()),
                ("said", self._said),
            ],
            keys=() if self._shows_accounts else tuple(KEYS.items()),
            below=(pages, *accounts, *people.WHILE_PLAYING) if self._shows_accounts else (pages,),
        )


class _Waits:
    """The count of waiting records, by `doorstep status`, asked beside the keys."""

    def __init__(self, van: DemoDevice, pool: ThreadPoolExecutor) -> None:
        self._van = van
        self._pool = pool
        self._asked = pool.submit(self._ask)
        self._words = ""

    def words(self) -> str:
        """The last answer; asks for the next one when it is time."""
        if self._asked.done():
            self._words = self._asked.result()
            self._asked = self._pool.submit(self._ask)
        return self._words

    def _ask(self) -> str:
        time.sleep(STATUS_EVERY_S)
        told = self._van.processes.run("status", "--json")
        if told.returncode != 0:
            return told.stderr
        status = json.loads(told.stdout)
        queue, sync = status["queue"], status["sync"] or {"state": "not running"}
        waiting = f"{queue['waiting']} to be sent" if "waiting" in queue else queue["error"]
        return f"{waiting}; sync: {sync.get('pause') or sync.get('state') or sync['error']}"


def _record_line(reply: Reply, orders: Mapping[str, str]) -> str:
    """A record in one line."""
    label, record = reply["label"], reply["record"]
    if label["kind"] == "void":
        return f"record {label['seq']} takes the last press back"
    bound = _bound(record["stop"], orders)
    if record.get("reason") == Reason.HANDED_OVER:
        return f"record {label['seq']}, handed over: {bound or 'no stop is certain'}"
    if "reason" in record:
        return f"record {label['seq']}, no photo: {outcome.why_none(record)}"
    quality = record["quality"]["verdict"]
    lamp = ", with the lamp" if record["photo"]["lamp"] else ""
    again = ", a retake" if record["retake_of"] else ""
    nowhere = "" if record["position"] else ", without coordinates"
    bound = bound or "one of several in reach"
    return f"record {label['seq']}, photo: {bound}; {quality}{lamp}{nowhere}{again}"


def _bound(stop: Mapping[str, Any], orders: Mapping[str, str]) -> str | None:
    """The order that a stop is bound to for certain, and by what."""
    if stop["id"] is None or stop["bound_by"] not in outcome.BOUND:
        return None
    return f"order {orders[stop['id']]}, {outcome.BOUND[stop['bound_by']]}"
