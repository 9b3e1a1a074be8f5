"""Presses that come through the socket, each waiting for what comes of it."""

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from agent.capture.record_json import BUTTON, Trigger
from agent.errors import ExitCode
from hardware.button import ButtonChange, ButtonEvent, ButtonName

Reply = dict[str, Any]

SAME_PRESS: Final[Reply] = {"error": "counted as one with the press before", "exit": ExitCode.LATER}
BUTTON_IS_DOWN: Final[Reply] = {"error": "the button is down; try again", "exit": ExitCode.LATER}
FINGER_S: Final = 0.12
"""Duration of a press through the socket: like a person's, 0.08 to 0.15 s."""

SCAN_FIRST_S: Final = 0.5
"""Time for which the scan button is down before the photo button, for a hand-over."""

LET_GO_S: Final = 0.3
"""Rest after a button's release before a command presses: its debounce may be shut until then."""

BENCH_IS_OFF: Final[Reply] = {
    "error": "bench mode is off; set device.bench_mode to test",
    "exit": ExitCode.USAGE,
}


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A waiting client, and the place for its answer."""

    trigger: Trigger
    reply: "queue.SimpleQueue[Reply]"


class SocketPresses:
    """The presses by command, each known by its edge; any thread may call every method.

    `finger` presses the buttons of a simulated board. For a real board, `on_event` gets the events
    that its buttons would give. `is_same` returns True if an edge counts as one with the photo
    button's press before; it knows every press that `on_event` got.

    Attributes:
        allowed: True only on a simulated board or in bench mode, so that no command fires a camera
            in a driver's hand.
    """

    def __init__(
        self,
        finger: Callable[[ButtonName, int, float], None] | None,
        on_event: Callable[[ButtonEvent], None],
        is_same: Callable[[int], bool],
        now_ns: Callable[[], int],
        *,
        bench_mode: bool,
    ) -> None:
        self._finger = finger
        self._on_event = on_event
        self._is_same = is_same
        self._now_ns = now_ns
        self._pressing = threading.Lock()
        self._free_ns = defaultdict[ButtonName, int](int)
        self._waiting: dict[int, _Waiting] = {}
        self.allowed = finger is not None or bench_mode

    def press(self, button: ButtonName, held_s: float, user: str, timeout_s: float) -> Reply:
        """Press a button for `user` and wait for what comes of it.

        Args:
            button: the button.
            held_s: how long it is held.
            user: who asks, for the record.
            timeout_s: how long to wait for the answer after the release.
        """
        return self._press(button, held_s, user, timeout_s)

    def hand_over(self, user: str, timeout_s: float) -> Reply:
        """Press the photo button with the scan button down for `user`, and wait, as `press` does.

        On a board with real buttons, the loop gets the events of the photo button alone.
        """
        return self._press(ButtonName.PHOTO, FINGER_S, user, timeout_s, scan_first_s=SCAN_FIRST_S)

    def _press(
        self,
        button: ButtonName,
        held_s: float,
        user: str,
        timeout_s: float,
        *,
        scan_first_s: float = 0.0,
    ) -> Reply:
        waiting = _Waiting(Trigger("command", user), queue.SimpleQueue())
        edge_ns = self._touch(button, held_s, waiting, scan_first_s)
        if not isinstance(edge_ns, int):
            return edge_ns
        left_s = waits_s = timeout_s + held_s + scan_first_s
        try:
            if self._finger is None:
                time.sleep(held_s)  # in the socket's thread
                left_s -= held_s
                self._on_event(ButtonEvent(button, ButtonChange.RELEASED, self._now_ns()))
            return waiting.reply.get(timeout=left_s)
        except queue.Empty:
            words = f"capture is busy: no answer in {waits_s:.1f} s; this press may still count"
            return {"error": words, "exit": ExitCode.LATER}
        finally:
            self._waiting.pop(edge_ns, None)

    def trigger(self, edge_ns: int) -> Trigger:
        """Return the trigger of the press at `edge_ns`."""
        waiting = self._waiting.get(edge_ns)
        return waiting.trigger if waiting else BUTTON

    def answer(self, edge_ns: int, reply: Reply) -> None:
        """Tell who waits for the press at `edge_ns`, if anybody does."""
        waiting = self._waiting.get(edge_ns)
        if waiting is not None:
            waiting.reply.put(reply)

    def _touch(
        self, button: ButtonName, held_s: float, waiting: _Waiting, scan_first_s: float
    ) -> int | Reply:
        """Press the button unless it is down; return the edge, or why there is no press.

        With `scan_first_s`, the scan button goes down that many seconds before, and up with it.
        One press at a time: a button that is pressed while it is down gives no event, so the second
        of two clients would wait for an answer that never comes.
        """
        with self._pressing:
            now_ns, first_ns = self._now_ns(), round(scan_first_s * 1e9)
            edge_ns = now_ns if self._finger is None else now_ns + first_ns
            buttons = {button, ButtonName.SCAN} if scan_first_s else {button}
            if button is ButtonName.PHOTO and self._is_same(edge_ns):
                return SAME_PRESS
            if any(now_ns < self._free_ns[one] for one in buttons):
                return BUTTON_IS_DOWN
            free_ns = edge_ns + round((held_s + LET_GO_S) * 1e9)
            self._free_ns.update(dict.fromkeys(buttons, free_ns))
            self._waiting[edge_ns] = waiting
            if self._finger is None:
                since_ns = edge_ns - first_ns if scan_first_s else None
                self._on_event(ButtonEvent(button, ButtonChange.TOUCHED, edge_ns))
                self._on_event(ButtonEvent(button, ButtonChange.PRESSED, edge_ns, since_ns))
            else:
                if scan_first_s:
                    self._finger(ButtonName.SCAN, now_ns, scan_first_s + held_s)
                self._finger(button, edge_ns, held_s)
            return edge_ns
