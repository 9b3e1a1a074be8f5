"""Two buttons with bouncing contacts, pressed by a call instead of a finger."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Final

from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.debounce import DebouncedPair
from hardware.driver import Driver
from hardware.simulated.world import World

PRESS_S: Final = 0.12
"""Time for which a finger is on a button. Pressing a key takes 0.08 to 0.15 s."""

BOUNCES_NS: Final = (0, 400_000, 700_000, 1_500_000, 1_900_000)
"""When the contact toggles after the first touch: closed, open, closed, open, closed.

Source: Ganssle, A Guide to Debouncing: 1.6 ms on average, 6.2 ms at most in nearly all switches."""


class SimulatedButtons:
    """Both buttons; `press` is the finger, a thread is the driver."""

    def __init__(self, world: World) -> None:
        self._world: Final = world
        self._changed: Final = threading.Condition()
        self._edges: list[tuple[int, int, ButtonName, bool]] = []
        self._order: Final = itertools.count()
        self._lines: Final = DebouncedPair()
        self._on_event: Callable[[ButtonEvent], None] = lambda _event: None
        self._closed = False
        self._thread: Final = threading.Thread(target=self._drive, name="buttons", daemon=True)
        self._thread.start()

    def listen(self, on_event: Callable[[ButtonEvent], None]) -> None:
        """Call `on_event` for every change, in the driver's thread or the presser's."""
        self._on_event = on_event

    def press(self, button: ButtonName, edge_ns: int, held_s: float = PRESS_S) -> None:
        """Press at `edge_ns` and let go `held_s` later; returns when TOUCHED was told.

        PRESSED follows some 14 ms after the edge. A touch of the photo button is a press of the
        world's; the debounce swallows one that comes within 300 ms, or while the button is down.
        """
        release_ns = edge_ns + max(round(held_s * 1e9), 2 * BOUNCES_NS[-1])
        with self._changed:
            for begin_ns, first in ((edge_ns, True), (release_ns, False)):
                for number, after_ns in enumerate(BOUNCES_NS):
                    level = first if number % 2 == 0 else not first
                    edge = (begin_ns + after_ns, next(self._order), button, level)
                    heapq.heappush(self._edges, edge)
            if not self._closed:
                self._hand_on_what_is_due()
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread; safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _drive(self) -> None:
        with self._changed:
            while not self._closed:
                self._hand_on_what_is_due()
                due_ns = self._due_ns()
                wait_s = None if due_ns is None else (due_ns - time.monotonic_ns()) / 1e9
                self._changed.wait(wait_s if wait_s is None else max(0.0, wait_s))

    def _due_ns(self) -> int | None:
        due_ns = self._lines.due_ns
        moments = [] if due_ns is None else [due_ns]
        return min([*moments, *(edge[0] for edge in self._edges[:1])], default=None)

    def _hand_on_what_is_due(self) -> None:
        now_ns = time.monotonic_ns()
        while self._edges and self._edges[0][0] <= now_ns:
            at_ns, _, button, level = heapq.heappop(self._edges)
            self._hand_on(self._lines.edge(button, at_ns, level))
        self._hand_on(self._lines.settle(now_ns))

    def _hand_on(self, events: list[ButtonEvent]) -> None:
        for event in events:
            if event.button is ButtonName.PHOTO and event.change is ButtonChange.TOUCHED:
                self._world.press(event.edge_ns)
            self._on_event(event)


DRIVER: Final = Driver(open=lambda _settings, world: SimulatedButtons(world()), device_files=None)
