"""Presses that come through the socket, each waiting for what comes of it."""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from agent.capture.record_json import BUTTON, Trigger
from agent.errors import ExitCode
from hardware.button import ButtonEvent, ButtonName, Change

Reply = dict[str, Any]

SAME_PRESS: Final[Reply] = {"error": "counted as one with the press before", "exit": ExitCode.LATER}
BENCH_IS_OFF: Final[Reply] = {
    "error": "bench mode is off; set device.bench_mode to test",
    "exit": ExitCode.USAGE,
}


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Who waits, and where the answer goes."""

    trigger: Trigger
    reply: "queue.SimpleQueue[Reply]"


class SocketPresses:
    """Known by the edge of their press; every method may be called from any thread.

    `finger` presses the buttons of a simulated board; a real one's are left alone, and `on_event`
    is told what they would.

    Attributes:
        allowed: only on a simulated board and in bench mode, since nobody fires a camera in a
            driver's hand.
    """

    def __init__(
        self,
        finger: Callable[[ButtonName, int, float], None] | None,
        on_event: Callable[[ButtonEvent], None],
        now_ns: Callable[[], int],
        *,
        bench_mode: bool,
    ) -> None:
        self._finger = finger
        self._on_event = on_event
        self._now_ns = now_ns
        self._waiting: dict[int, _Waiting] = {}
        self.allowed = finger is not None or bench_mode

    def press(
        self, button: ButtonName, edge_ns: int, held_s: float, user: str, timeout_s: float
    ) -> Reply:
        """Press a button for `user` and wait for what comes of it."""
        waiting = _Waiting(Trigger("command", user), queue.SimpleQueue())
        self._waiting[edge_ns] = waiting
        self._press(button, edge_ns, held_s)
        try:
            return waiting.reply.get(timeout=timeout_s + held_s)
        except queue.Empty:
            return {"error": "the capture process did not answer in time", "exit": ExitCode.FAULT}
        finally:
            self._waiting.pop(edge_ns, None)

    def trigger(self, edge_ns: int) -> Trigger:
        """Who made the press at `edge_ns`."""
        waiting = self._waiting.get(edge_ns)
        return waiting.trigger if waiting else BUTTON

    def answer(self, edge_ns: int, reply: Reply) -> None:
        """Tell who waits for the press at `edge_ns`, if anybody does."""
        waiting = self._waiting.get(edge_ns)
        if waiting is not None:
            waiting.reply.put(reply)

    def _press(self, button: ButtonName, edge_ns: int, held_s: float) -> None:
        if self._finger is not None:
            self._finger(button, edge_ns, held_s)
            return
        for change in (Change.TOUCHED, Change.PRESSED):
            self._on_event(ButtonEvent(button, change, edge_ns))
        time.sleep(held_s)  # in the socket's thread
        self._on_event(ButtonEvent(button, Change.RELEASED, self._now_ns()))
