"""The capture process: waits for presses, serves them one by one, and keeps the idle duties."""

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, assert_never

from agent import lights, notify
from agent.capture import Capture, Press, Served, Unserved, is_empty
from agent.config import Config
from agent.eye import Eye
from agent.gestures import Presses
from agent.journal import Journal
from agent.models import CaptureId, Kind
from agent.outbox import Outbox
from agent.policy import Refused
from agent.record import BUTTON, Trigger
from agent.shift import Shift
from agent.upkeep import Upkeep
from hardware.board import Board
from hardware.button import ButtonEvent, ButtonName, Change
from hardware.errors import DeviceError
from hardware.indicator import Signal

_log = logging.getLogger(__name__)

HOLD_S: Final = 2.0
"""How long the scan button is held to take a press back. Source: design section 9."""

VOID_WINDOW_S: Final = 30.0
"""How long after a press it can be taken back. Source: design section 9."""

READING_AFTER_S: Final = 1.0
"""How long a refusal's own light is seen before labels are read. Source: our choice."""

LOOK_EVERY_S: Final = 0.05
"""Rest between two pictures of a scan window: presses come first. Source: our choice."""

END_AFTER_S: Final = 3.0
"""From a fault that ends the process to its end, where the light goes out: long enough to be seen.

Source: our choice; the unit's watchdog waits 30 s.
"""

TICK_S: Final = 1.0
"""How often the idle duties run."""

FRAME_STALE_S: Final = 2.0
"""A streaming camera without a frame for this long no longer proves life; 60 frames at 30 fps."""

_SAME_PRESS: Final[dict[str, Any]] = {
    "error": "counted as one with the press before",
    "exit": 75,
}

Reply = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Command:
    """A press that came through the socket, and where its answer goes."""

    trigger: Trigger
    reply: "queue.SimpleQueue[Reply]"


class CaptureLoop:
    """Owns the devices' time; `on_event`, `command` and `status` may be called from any thread.

    `now_ns` tells CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        journal: Journal,
        outbox: Outbox,
        *,
        shift: Shift,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._now_ns = now_ns
        self._config = config
        self._board = board
        self._shift = shift
        self._eye = Eye(config, board, shift)
        self._upkeep = Upkeep(config, board, journal, outbox, shift)
        self._capture = Capture(
            config, board, journal, has_room=self._upkeep.has_room, now_ns=now_ns
        )
        self._events: queue.SimpleQueue[ButtonEvent | None] = queue.SimpleQueue()
        self._commands: dict[int, _Command] = {}
        self._touches = Presses()  # of the buttons' thread: for the light alone
        self._presses = Presses()
        self._last_photo: tuple[CaptureId, int] | None = None
        self._scan_ns: int | None = None
        self._window_ns: int | None = None
        self._is_asked = False
        self._tick_ns = 0
        self._idle_ns = 0
        self._idle: Signal | None = None
        self._shown: Signal | None = None
        self._lit_ns: int | None = None
        self._empty = False
        self._end_ns: int | None = None
        self._stopping = False
        self.exit_code = 0
        self.on_reply: Callable[[Reply], None] = lambda _reply: None
        board.buttons.listen(self.on_event)

    @property
    def takes_commands(self) -> bool:
        """Whether presses may come through the socket: nobody fires a camera in a driver's hand."""
        return self._board.press is not None or self._config.device.bench_mode

    # From other threads

    def on_event(self, event: ButtonEvent) -> None:
        """Take a button's change: white light at once, everything else in the loop's turn."""
        match event.button, event.change:
            case ButtonName.PHOTO, Change.TOUCHED:
                if self._touches.counts(event.edge_ns):
                    self._lit_ns = event.edge_ns
                    self._board.indicator.show(Signal.HOLD_STILL)
                return
            case ButtonName.PHOTO, Change.GLITCH:
                self._touches.was_none(event.edge_ns)
        self._events.put(event)

    def command(self, button: ButtonName, held_s: float, user: str, timeout_s: float) -> Reply:
        """Press a button for `user` and wait for what comes of it."""
        if not self.takes_commands:
            return {"error": "bench mode is off; set device.bench_mode to test", "exit": 2}
        edge_ns = self._now_ns()
        if button is ButtonName.PHOTO and self._touches.is_same(edge_ns):
            return _SAME_PRESS  # a simulated contact would not even tell it
        command = _Command(Trigger("command", user), queue.SimpleQueue())
        self._commands[edge_ns] = command
        self._press(button, edge_ns, held_s)
        try:
            return command.reply.get(timeout=timeout_s + held_s)
        except queue.Empty:
            return {"error": "the capture process did not answer in time", "exit": 70}
        finally:
            self._commands.pop(edge_ns, None)

    def status(self) -> Reply:
        """What only this process knows."""
        return {
            "ready": self._upkeep.is_ready(),
            "writable": self._upkeep.may_write(),
            "streaming": self._board.camera.streaming,
            "position": self._board.position.trouble() or "ok",
            "clock": self._board.clock.now().source,
            "simulated": self._board.simulated,
            "manifest": self._shift.version(),
            "manifest_refused": self._shift.refused,
        }

    def stop(self) -> None:
        """End the loop after the press in hand; safe in a signal's frame."""
        self._stopping = True
        self._events.put(None)

    # The loop

    def run(self) -> int:
        """Serve until stopped, and then what was pressed before; returns the exit code."""
        notify.ready()
        self._upkeep.turn()  # a press may have come already: the route in hand decides it
        while not (self._stopping and self._events.empty()):
            self.step()
        return self.exit_code

    def step(self) -> None:
        """Wait for one event or the next idle duty, and do it."""
        try:
            event = self._events.get(timeout=self._wait_s())
        except queue.Empty:
            event = None
        if event is not None:
            self._take(event)
        elif self._scan_ns is not None and self._is_held(self._scan_ns, self._now_ns()):
            self._void(self._scan_ns)
        elif self._window_ns is not None:
            self._look(self._window_ns, self._now_ns())
        now_ns = self._now_ns()
        if now_ns >= self._tick_ns:
            self._tick_ns = now_ns + int(TICK_S * 1e9)
            self._tick(now_ns)

    def _wait_s(self) -> float:
        due_ns = self._tick_ns
        if self._scan_ns is not None:
            due_ns = min(due_ns, self._scan_ns + int(HOLD_S * 1e9))
        if self._window_ns is not None:
            due_ns = min(due_ns, self._now_ns() + int(LOOK_EVERY_S * 1e9))
        return max(0.0, (due_ns - self._now_ns()) / 1e9)

    def _take(self, event: ButtonEvent) -> None:
        match event.button, event.change:
            case ButtonName.PHOTO, Change.PRESSED:
                self._photo(event.edge_ns)
            case ButtonName.PHOTO, Change.GLITCH if event.edge_ns == self._lit_ns:
                if self._shown is not None:
                    self._board.indicator.show(self._shown)
            case ButtonName.SCAN, Change.PRESSED:
                self._scan_ns = event.edge_ns
            case ButtonName.SCAN, Change.RELEASED if self._scan_ns is not None:
                self._release_scan(self._scan_ns, event.edge_ns)
            case _:
                pass

    def _photo(self, edge_ns: int) -> None:
        if not self._presses.counts(edge_ns):
            self._answer(edge_ns, _SAME_PRESS)
            return
        self._board.indicator.show(Signal.HOLD_STILL)  # the press before may have shown its own
        if self._window_ns is not None:
            self._eye.end_window(edge_ns, asked=self._is_asked)  # also an unknown code counts
            self._close_window("a press came before a label was read")
        known = self._eye.situation(edge_ns)
        served = self._capture.photo(Press(known, self._trigger(edge_ns), self._eye.unlit_ns))
        label, answer = served.label, served.answer
        is_photo = label is not None and label.kind in {Kind.PHOTO, Kind.TEST}
        if is_photo or served.ends:
            self._eye.looked(self._now_ns(), known, answer)
        else:
            self._eye.refused()
        self._last_photo = (label.capture_id, edge_ns) if label and is_photo else None
        self._tick_ns = 0  # the eye closes now, where it was open for this press only
        self.on_reply(self._tell(edge_ns, served))
        settles = isinstance(answer, Refused) and answer.label_settles
        if settles and isinstance(served, Served) and self._eye.reads_labels:
            self._open_window(edge_ns, asked=False)

    def _release_scan(self, edge_ns: int, released_ns: int) -> None:
        if self._is_held(edge_ns, released_ns):
            self._void(edge_ns)
            return
        self._scan_ns = None
        if self._eye.reads_labels:
            self._close_window("another window was opened")
            self._open_window(edge_ns, asked=True)
            self._show(Signal.READING)
        else:
            words = "labels are not read: there is no route, or policy.scanning is off"
            self._answer(edge_ns, {"scan": words})

    def _open_window(self, edge_ns: int, *, asked: bool) -> None:
        self._window_ns, self._is_asked = edge_ns, asked
        self._eye.open_window(self._now_ns())

    def _close_window(self, what: str) -> None:
        if self._window_ns is not None:
            self._answer(self._window_ns, {"scan": what})
            self._window_ns = None
            self._eye.close_window(self._now_ns())
            self._tick_ns = 0  # the eye closes now, where only the window kept it open

    def _look(self, edge_ns: int, now_ns: int) -> None:
        """One picture of the scan window that was opened by the press at `edge_ns`."""
        if not self._eye.is_looking(now_ns):
            is_unknown = self._eye.end_window(now_ns, asked=self._is_asked)
            told = "a label was read that the route does not know" if is_unknown else "no label"
            self._close_window(told)
            self._idle_ns = now_ns
            return
        if self._shown is not Signal.READING and now_ns - edge_ns > READING_AFTER_S * 1e9:
            self._show(Signal.READING)
        try:
            code = self._eye.look()
        except DeviceError as error:
            self._close_window("the camera failed")
            self._camera_failed(error)
            return
        if code is not None:
            self._eye.bind(code, self._now_ns())
            self._close_window("a label was read: press now")
            self._show(Signal.LABEL_READ)
            _log.info("event=label_read")

    def _void(self, edge_ns: int) -> None:
        self._scan_ns, last = None, self._last_photo
        if last is None or edge_ns - last[1] > VOID_WINDOW_S * 1e9:
            words = f"no photo of the last {VOID_WINDOW_S:.0f} s to take back"
            self._answer(edge_ns, {"error": words, "exit": 2})
            return
        press = Press(self._eye.situation(edge_ns), self._trigger(edge_ns))
        served = self._capture.void(press, last[0])
        if isinstance(served, Served):
            self._last_photo = None
        self._tell(edge_ns, served)

    def _tell(self, edge_ns: int, served: Served | Unserved) -> Reply:
        match served:
            case Served(label, text, signal):
                self._show(signal)
                self._upkeep.kept(label)
                line = "event=kept kind=%s signal=%s id=%s"
                _log.info(line, label.kind, signal, label.capture_id)
                retake = signal is Signal.ONCE_MORE
                reply = {"label": label.payload(), "record": text, "retake": retake}
            case Unserved(error=error):
                self._show(Signal.FAULT)
                self._upkeep.failed()
                reply = {"error": error, "exit": 70}
            case other:
                assert_never(other)
        self._answer(edge_ns, reply)
        if served.ends:
            self._end_soon(70)
        return reply

    def _end_soon(self, exit_code: int) -> None:
        """End the process once its last signal was seen; presses until then are served."""
        if self._end_ns is None:
            self.exit_code = exit_code
            self._end_ns = self._now_ns() + int(END_AFTER_S * 1e9)

    # Idle duties

    def _tick(self, now_ns: int) -> None:
        try:
            self._eye.turn(now_ns)  # first: a slow card must not hold it open
        except DeviceError as error:
            self._camera_failed(error)
        self._upkeep.turn()
        if self._lives(now_ns):
            notify.alive()
        power = self._board.power.read()
        if now_ns >= self._idle_ns:
            counts = self._upkeep.counts() if power.external else None
            ready = self._upkeep.may_write() if power.external else self._upkeep.is_ready()
            bench = self._config.device.bench_mode
            self._show_idle(lights.idle(ready=ready, bench=bench, power=power, counts=counts))
        if is_empty(power) and not self._empty:
            self._shut_down()
        self._empty = is_empty(power)
        if self._end_ns is not None and now_ns >= self._end_ns:
            self.stop()

    def _shut_down(self) -> None:
        _log.error("event=battery_empty")
        self._show(Signal.FAULT)
        try:
            self._board.power.shut_down()
        except DeviceError as error:
            _log.error("event=shut_down_failed error=%r meaning=presses_are_refused", str(error))
        else:
            _log.info("event=shut_down")
            self._end_soon(0)

    def _camera_failed(self, error: DeviceError) -> None:
        if self._end_ns is not None:  # told already
            return
        _log.error("event=camera_fault error=%r", str(error))
        self._show(Signal.FAULT)
        self._end_soon(70)

    def _lives(self, now_ns: int) -> bool:
        camera = self._board.camera
        if not camera.streaming:
            return True
        last_ns = camera.last_frame_ns
        return last_ns is not None and now_ns - last_ns < FRAME_STALE_S * 1e9

    # Small pieces

    def _press(self, button: ButtonName, edge_ns: int, held_s: float) -> None:
        if self._board.press is not None:
            self._board.press(button, edge_ns, held_s)
            return
        for change in (Change.TOUCHED, Change.PRESSED):
            self.on_event(ButtonEvent(button, change, edge_ns))
        time.sleep(held_s)  # in the socket's thread
        self.on_event(ButtonEvent(button, Change.RELEASED, self._now_ns()))

    def _is_held(self, edge_ns: int, until_ns: int) -> bool:
        return until_ns - edge_ns >= HOLD_S * 1e9

    def _trigger(self, edge_ns: int) -> Trigger:
        command = self._commands.get(edge_ns)
        return command.trigger if command else BUTTON

    def _answer(self, edge_ns: int, reply: Reply) -> None:
        command = self._commands.get(edge_ns)
        if command is not None:
            command.reply.put(reply)

    def _show(self, signal: Signal) -> None:
        self._board.indicator.show(signal)
        self._shown, self._lit_ns = signal, None
        self._idle_ns = self._now_ns() + int(lights.SHOWN_S[signal] * 1e9)
        self._idle = None

    def _show_idle(self, signal: Signal) -> None:
        if signal is not self._idle:
            self._board.indicator.show(signal)
            self._idle = self._shown = signal
