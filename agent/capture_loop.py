"""The capture process: waits for presses, serves them one by one, and keeps the idle duties."""

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from agent import notify, record, signals, storage
from agent.capture import Capture, Press, Served, Unserved, is_empty
from agent.config import Config
from agent.errors import DoorstepError, StorageFault
from agent.journal import Journal
from agent.layout import Layout
from agent.models import CaptureId, Kind
from agent.outbox import Counts, Outbox
from agent.record import BUTTON, Trigger
from hardware.board import Board
from hardware.button import ButtonEvent, ButtonName, Change
from hardware.clock import ClockSource
from hardware.indicator import Signal

_log = logging.getLogger(__name__)

ONE_PRESS_S: Final = 0.6
"""Presses of the photo button within this count once. Source: design section 9."""

HOLD_S: Final = 2.0
"""How long the scan button is held to take a press back. Source: design section 9."""

VOID_WINDOW_S: Final = 30.0
"""How long after a press it can be taken back. Source: design section 9."""

STREAM_S: Final = 60.0
"""How long the camera streams after a served press. Source: design section 6."""

TICK_S: Final = 1.0
"""How often the idle duties run."""

FRAME_STALE_S: Final = 2.0
"""A streaming camera without a frame for this long no longer proves life; 60 frames at 30 fps."""

FLOOR_STEP: Final = timedelta(hours=1)
"""How far the time floor may lag behind: each step costs a flush of the card."""

Reply = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Command:
    """A press that came through the socket, and where its answer goes."""

    trigger: Trigger
    reply: "queue.SimpleQueue[Reply]"


class CaptureLoop:
    """Owns the devices' time; `on_event`, `command` and `status` may be called from any thread."""

    def __init__(self, config: Config, board: Board, journal: Journal, outbox: Outbox) -> None:
        self._config = config
        self._board = board
        self._journal = journal
        self._outbox = outbox
        self._capture = Capture(config, board, journal)
        self._layout = Layout.of(config.state)
        self._events: queue.SimpleQueue[ButtonEvent | None] = queue.SimpleQueue()
        self._commands: dict[int, _Command] = {}
        self._edge_ns = -(10**12)
        self._served_ns = -(10**12)
        self._last_photo: tuple[CaptureId, int] | None = None
        self._scan_ns: int | None = None
        self._tick_ns = 0
        self._idle_ns = 0
        self._idle: Signal | None = None
        self._undated = outbox.is_undated()
        self._floor: datetime = board.clock.floor
        self._writable = True
        self._stopping = False
        self.exit_code = 0
        self.on_reply: Callable[[Reply], None] = lambda _reply: None
        board.buttons.listen(self.on_event)

    @property
    def takes_commands(self) -> bool:
        """Whether presses may come through the socket: nobody fires a camera in a driver's hand."""
        return self._board.simulated or self._config.device.bench_mode

    # From other threads

    def on_event(self, event: ButtonEvent) -> None:
        """Take a button's change: white light at once, everything else in the loop's turn."""
        if event.button is ButtonName.PHOTO and event.change is Change.TOUCHED:
            if not self._is_same_press(event.edge_ns):
                self._board.indicator.show(Signal.HOLD_STILL)
        else:
            self._events.put(event)

    def command(self, button: ButtonName, held_s: float, user: str, timeout_s: float) -> Reply:
        """Press a button for `user` and wait for what comes of it."""
        if not self.takes_commands:
            return {"error": "bench mode is off; set device.bench_mode to test", "exit": 2}
        edge_ns = time.monotonic_ns()
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
            "ready": self._is_ready(),
            "streaming": self._board.camera.streaming,
            "position": self._board.position.trouble() or "ok",
            "clock": self._board.clock.now().source,
            "simulated": self._board.simulated,
        }

    def stop(self) -> None:
        """End the loop after the press in hand; safe in a signal's frame."""
        self._stopping = True
        self._events.put(None)

    # The loop

    def run(self) -> int:
        """Serve until stopped; returns the process's exit code."""
        notify.ready()
        while not self._stopping:
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
        now_ns = time.monotonic_ns()
        if self._scan_ns is not None and now_ns - self._scan_ns >= HOLD_S * 1e9:
            self._void(self._scan_ns)
        if now_ns >= self._tick_ns:
            self._tick_ns = now_ns + int(TICK_S * 1e9)
            self._tick(now_ns)

    def _wait_s(self) -> float:
        due_ns = self._tick_ns
        if self._scan_ns is not None:
            due_ns = min(due_ns, self._scan_ns + int(HOLD_S * 1e9))
        return max(0.0, (due_ns - time.monotonic_ns()) / 1e9)

    def _take(self, event: ButtonEvent) -> None:
        match event.button, event.change:
            case ButtonName.PHOTO, Change.PRESSED:
                self._photo(event.edge_ns)
            case ButtonName.PHOTO, Change.GLITCH:
                self._idle = None
            case ButtonName.SCAN, Change.PRESSED:
                self._scan_ns = event.edge_ns
            case ButtonName.SCAN, Change.RELEASED if self._scan_ns is not None:
                self._answer(self._scan_ns, {"scan": "labels are not read without a manifest"})
                self._scan_ns = None
            case _:
                pass

    def _photo(self, edge_ns: int) -> None:
        if self._is_same_press(edge_ns):
            self._answer(edge_ns, {"error": "counted as one with the press before", "exit": 75})
            return
        self._edge_ns = edge_ns
        served = self._capture.photo(Press(edge_ns, self._trigger(edge_ns)))
        self._served_ns = time.monotonic_ns()
        if isinstance(served, Served) and served.label.kind in {Kind.PHOTO, Kind.TEST}:
            self._last_photo = (served.label.capture_id, edge_ns)
        self._tell(edge_ns, served)

    def _void(self, edge_ns: int) -> None:
        self._scan_ns = None
        last, self._last_photo = self._last_photo, None
        if last is None or edge_ns - last[1] > VOID_WINDOW_S * 1e9:
            words = f"no photo of the last {VOID_WINDOW_S:.0f} s to take back"
            self._answer(edge_ns, {"error": words, "exit": 2})
            return
        self._tell(edge_ns, self._capture.void(Press(edge_ns, self._trigger(edge_ns)), last[0]))

    def _tell(self, edge_ns: int, served: Served | Unserved) -> None:
        match served:
            case Served(label, text, signal, ends):
                self._show(signal)
                self._undated |= label.clock == ClockSource.UNSYNCED
                self._writable = True
                _log.info(
                    "event=kept kind=%s signal=%s id=%s", label.kind, signal, label.capture_id
                )
                retake = signal is Signal.ONCE_MORE
                self._answer(edge_ns, {"label": label.payload(), "record": text, "retake": retake})
            case Unserved(error):
                self._show(Signal.FAULT)
                self._writable, ends = False, False
                self._answer(edge_ns, {"error": error, "exit": 70})
            case other:
                assert_never(other)
        if ends:
            self.exit_code = 70
            self.stop()

    # Idle duties

    def _tick(self, now_ns: int) -> None:
        self._learn_time()
        self._write_what_is_due()
        self._rest_camera(now_ns)
        if self._lives(now_ns):
            notify.alive()
        power = self._board.power.read()
        if now_ns >= self._idle_ns:
            counts = self._counts() if power.external else None
            self._show_idle(signals.idle(ready=self._is_ready(), power=power, counts=counts))
        if is_empty(power):
            _log.error("event=battery_empty")
            self._board.power.shut_down()
            self.stop()

    def _learn_time(self) -> None:
        fix, clock = self._board.position.last_fix(), self._board.clock
        if fix is not None and fix.utc is not None:
            clock.learn(fix.utc, fix.received_ns)
            if (moment := clock.now()).source is ClockSource.GNSS:
                clock.raise_floor(moment.utc)

    def _write_what_is_due(self) -> None:
        clock = self._board.clock
        try:
            self._journal.queue_leftovers()
            if self._undated and (moment := clock.now()).source is not ClockSource.UNSYNCED:
                self._journal.keep(
                    Kind.TIME, moment, record.time_record(self._capture.setting, moment)
                )
                self._undated = False
            if clock.floor - self._floor >= FLOOR_STEP:
                self._outbox.raise_floor(clock.floor)
                self._floor = clock.floor
            self._writable = True
        except StorageFault as error:
            if self._writable:
                _log.error("event=storage_fault error=%r", str(error))
            self._writable = False

    def _rest_camera(self, now_ns: int) -> None:
        camera = self._board.camera
        if camera.streaming and now_ns - self._served_ns > STREAM_S * 1e9:
            camera.stop()
            _log.info("event=camera_stopped")

    def _lives(self, now_ns: int) -> bool:
        camera = self._board.camera
        if not camera.streaming:
            return True
        last_ns = camera.last_frame_ns
        return last_ns is not None and now_ns - last_ns < FRAME_STALE_S * 1e9

    def _is_ready(self) -> bool:
        try:
            room_bytes = storage.free_bytes(self._layout.records)
        except StorageFault:
            return False
        return self._writable and room_bytes >= self._config.state.reserve_mb * 1_000_000

    def _counts(self) -> Counts | None:
        try:
            return self._outbox.counts()
        except DoorstepError:
            return None

    # Small pieces

    def _press(self, button: ButtonName, edge_ns: int, held_s: float) -> None:
        if self._board.press is not None:
            self._board.press(button, edge_ns, held_s)
            return
        for change in (Change.TOUCHED, Change.PRESSED):
            self.on_event(ButtonEvent(button, change, edge_ns))
        time.sleep(held_s)  # in the socket's thread
        self.on_event(ButtonEvent(button, Change.RELEASED, time.monotonic_ns()))

    def _is_same_press(self, edge_ns: int) -> bool:
        return edge_ns - self._edge_ns < ONE_PRESS_S * 1e9

    def _trigger(self, edge_ns: int) -> Trigger:
        command = self._commands.get(edge_ns)
        return command.trigger if command else BUTTON

    def _answer(self, edge_ns: int, reply: Reply) -> None:
        self.on_reply(reply)
        command = self._commands.get(edge_ns)
        if command is not None:
            command.reply.put(reply)

    def _show(self, signal: Signal) -> None:
        self._board.indicator.show(signal)
        self._idle_ns = time.monotonic_ns() + int(signals.SHOWN_S[signal] * 1e9)
        self._idle = None

    def _show_idle(self, signal: Signal) -> None:
        if signal is not self._idle:
            self._board.indicator.show(signal)
            self._idle = signal
