"""The capture process: orders what the driver's gestures ask for, one after the other."""

import logging
import queue
import time
from collections.abc import Callable
from typing import Final, assert_never

from agent.capture.battery import Battery
from agent.capture.camera_gate import CameraGate
from agent.capture.dating import Dates
from agent.capture.documents import Documents
from agent.capture.duties import Duties, Stage
from agent.capture.gestures import (
    Gesture,
    Gestures,
    HandOver,
    NoPress,
    PhotoPress,
    Presses,
    SamePress,
    Scan,
    TakeBack,
)
from agent.capture.housekeeping import Housekeeping
from agent.capture.lights import Light
from agent.capture.press import Capture, Press
from agent.capture.press_result import PressFailed, PressResult
from agent.capture.record_writer import RecordWriter
from agent.capture.scan_window import ScanWindow
from agent.capture.socket_presses import BENCH_IS_OFF, SAME_PRESS, Reply, SocketPresses
from agent.capture.technician import DiagnosticRequest, Technician
from agent.config import Config
from agent.errors import ExitCode
from agent.process import sd_notify
from agent.queue.outbox import Outbox
from agent.rule.policy import Refused
from hardware.board import Board
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.errors import DeviceError
from hardware.indicator import Signal

_log = logging.getLogger(__name__)

READING_AFTER_S: Final = 1.0
"""Time for which a refusal's own light is seen before a label is asked for: it must be known."""

LOOK_EVERY_S: Final = 0.05
"""Rest between two pictures of a scan window, so that presses come first."""


class Lift:
    """The beginning of a lift, as the motion sensor reports it."""


class CaptureLoop:
    """The loop that owns the devices' time; any thread may call the methods named below.

    These are `on_event`, `on_lift`, `command`, `hand_over`, `status` and `stop`.
    `now_ns` returns CLOCK_MONOTONIC.

    Attributes:
        documents: the documents that other processes offer; for any thread.
        technician: a technician's requests; for any thread.
        on_reply: called with the result of each press of the photo button.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        writer: RecordWriter,
        outbox: Outbox,
        *,
        documents: Documents,
        dates: Dates,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._now_ns = now_ns
        self.documents = documents
        self._events: queue.SimpleQueue[ButtonEvent | Lift | DiagnosticRequest | None] = (
            queue.SimpleQueue()
        )
        self._touches = Presses()
        self._gestures = Gestures()
        self._light = Light(board.indicator, now_ns)
        self._window = ScanWindow(config, board, documents.manifest)
        self._gate = CameraGate(config, board, documents)
        self._housekeeping = Housekeeping(
            config, board, writer, outbox, documents, dates=dates, now_ns=now_ns
        )
        battery = Battery()
        self._capture = Capture(
            config,
            board,
            writer,
            self._light,
            credentials=documents.credentials,
            has_room=self._housekeeping.has_room,
            is_empty=battery.is_empty,
            now_ns=now_ns,
        )
        self._duties = Duties(
            config,
            board,
            battery=battery,
            documents=documents,
            gate=self._gate,
            housekeeping=self._housekeeping,
            light=self._light,
            now_ns=now_ns(),
        )
        self.technician = Technician(
            config,
            board,
            documents=documents,
            duties=self._duties,
            light=self._light,
            post=self._events.put,
            now_ns=now_ns,
        )
        self._socket_presses = SocketPresses(
            board.press,
            self.on_event,
            self._touches.is_same,
            now_ns,
            bench_mode=config.device.bench_mode,
        )
        self.on_reply: Callable[[Reply], None] = lambda _reply: None
        board.motion.listen(self.on_lift)
        board.buttons.listen(self.on_event)

    @property
    def takes_commands(self) -> bool:
        """True if presses may come through the socket."""
        return self._socket_presses.allowed

    # From other threads

    def on_event(self, event: ButtonEvent) -> None:
        """Take a button's change; everything that waits is done in the loop's turn."""
        match event.button, event.change:
            case ButtonName.PHOTO, ButtonChange.TOUCHED:
                if self._touches.take(event.edge_ns):
                    self._light.touched(event.edge_ns)  # some 12 ms before it is a press
                return
            case ButtonName.PHOTO, ButtonChange.GLITCH:
                self._touches.undo(event.edge_ns)
        self._events.put(event)

    def on_lift(self) -> None:
        """Wake the loop: until the press, a camera has as long as the hand takes to aim."""
        self._events.put(Lift())

    def command(self, button: ButtonName, held_s: float, user: str, timeout_s: float) -> Reply:
        """Press a button for `user` and wait for what comes of it."""
        if not self.takes_commands:
            return BENCH_IS_OFF
        return self._socket_presses.press(button, held_s, user, timeout_s)

    def hand_over(self, user: str, timeout_s: float) -> Reply:
        """Press the photo button with the scan button down for `user`, and wait as `command`."""
        if not self.takes_commands:
            return BENCH_IS_OFF
        return self._socket_presses.hand_over(user, timeout_s)

    def status(self) -> Reply:
        """Return the part of the status that only this process knows."""
        return self._duties.status(self._now_ns())

    def stop(self) -> None:
        """End the loop after the current press; safe in a signal's frame."""
        self._duties.ending.stop()
        self._events.put(None)

    # The loop

    def run(self) -> int:
        """Serve until stopped, and then what was pressed before; returns the exit code."""
        sd_notify.ready()
        self._housekeeping.tick()  # a press may have come already: the manifest in force decides it
        ending = self._duties.ending
        while not (ending.stage is Stage.STOPPED and self._events.empty()):
            self.step()
        self._housekeeping.end()
        self._duties.end()
        return ending.exit_code

    def step(self) -> None:
        """Wait for one event or for what is due next, and do it."""
        try:
            event = self._events.get(timeout=self._wait_s())
        except queue.Empty:
            event = None
        if isinstance(event, DiagnosticRequest):
            self.technician.serve(event)
            event = None
        elif isinstance(event, Lift):
            self._duties.due_ns = 0  # the sensor starts now, where it may
            event = None
        elif event is not None and event.change is ButtonChange.PRESSED:
            self.technician.pressed()
        gestures = self._gestures.take(event) if event else self._held()
        for gesture in gestures:
            self._follow(gesture)
            if not isinstance(gesture, NoPress):
                self._duties.pressed(self._now_ns())
        if event is None and not gestures and self._window.opened is not None:
            self._look(self._window.opened.edge_ns, self._now_ns())
        now_ns = self._now_ns()
        if now_ns >= self._duties.due_ns:
            self._duties.tick(now_ns, is_looking=self._window.is_looking(now_ns))

    def _held(self) -> list[Gesture]:
        """Return the gesture of a button that is held, unless its release may wait to be read.

        A test card may have taken seconds, and the release came meanwhile.
        """
        now_ns = self._now_ns()  # before the look into the queue, which has all that came by then
        return self._gestures.held(now_ns) if self._events.empty() else []

    def _wait_s(self) -> float:
        now_ns, due_ns = self._now_ns(), self._duties.due_ns
        if self._gestures.due_ns is not None:
            due_ns = min(due_ns, self._gestures.due_ns)
        if self._window.opened is not None:
            due_ns = min(due_ns, now_ns + int(LOOK_EVERY_S * 1e9))
        return max(0.0, (due_ns - now_ns) / 1e9)

    def _follow(self, gesture: Gesture) -> None:
        match gesture:
            case PhotoPress(edge_ns):
                self._serve(edge_ns)
            case HandOver(edge_ns):
                self._serve(edge_ns, handed_over=True)
            case SamePress(edge_ns):
                self._socket_presses.answer(edge_ns, SAME_PRESS)
            case NoPress(edge_ns):
                self._light.restore(edge_ns)
            case Scan(edge_ns):
                self._scan(edge_ns)
            case TakeBack(edge_ns):
                self._take_back(edge_ns)
            case other:
                assert_never(other)

    # A photo or a hand-over, and taking it back

    def _serve(self, edge_ns: int, *, handed_over: bool = False) -> None:
        if not handed_over:
            self._light.hold_still()
        self._count_unknown(edge_ns)
        self._close_window("a press came before a label was read")
        press = self._press(edge_ns, handed_over=handed_over)
        result = self._capture.serve(press)
        self._gate.served(self._now_ns(), press, result)
        self._duties.due_ns = 0  # the sensor stops now, where it was on for this press only
        self.on_reply(self._settle(edge_ns, result))
        settles = isinstance(result.answer, Refused) and result.answer.code_settles
        if settles and isinstance(result, PressResult) and self._window.reads_codes:
            self._window.open(edge_ns, self._now_ns(), asked=False)

    def _take_back(self, edge_ns: int) -> None:
        result = self._capture.void(self._press(edge_ns))
        self._gate.cancelled()  # also a label that was read and is not needed any more
        if isinstance(result, str):
            self._socket_presses.answer(edge_ns, {"error": result, "exit": ExitCode.USAGE})
        else:
            self._settle(edge_ns, result)

    def _press(self, edge_ns: int, *, handed_over: bool = False) -> Press:
        context, trigger = self._gate.context(edge_ns), self._socket_presses.trigger(edge_ns)
        return Press(
            context,
            trigger,
            expose_from_ns=self._light.quiet_from_ns,
            lamp_out_ns=self._window.lamp_out_ns,
            handed_over=handed_over,
        )

    def _settle(self, edge_ns: int, result: PressResult | PressFailed) -> Reply:
        match result:
            case PressResult():
                reply = self._kept(result)
            case PressFailed():
                reply = self._failed(result)
            case other:
                assert_never(other)
        self._socket_presses.answer(edge_ns, reply)
        if result.ends:
            self._duties.ending.begin(ExitCode.FAULT, self._now_ns())
        return reply

    def _kept(self, result: PressResult) -> Reply:
        label, signal = result.label, result.signal
        self._light.show(signal)
        self._housekeeping.kept(label)
        _log.info("event=kept kind=%s signal=%s id=%s", label.kind, signal, label.capture_id)
        retake = signal is Signal.ONCE_MORE
        return {"label": label.payload(), "record": result.record, "retake": retake}

    def _failed(self, failed: PressFailed) -> Reply:
        self._light.show(Signal.FAULT)
        self._housekeeping.failed()
        return {"error": failed.error, "exit": ExitCode.FAULT}

    # Codes

    def _scan(self, edge_ns: int) -> None:
        if not self._window.reads_codes:
            words = "labels are not read: there is no route, or policy.scanning is off"
            self._socket_presses.answer(edge_ns, {"scan": words})
            return
        self._close_window("another window was opened")
        self._window.open(edge_ns, self._now_ns(), asked=True)
        self._light.show(Signal.READING)
        self._duties.due_ns = 0  # the sensor starts now, and is awake when the tone is over

    def _look(self, edge_ns: int, now_ns: int) -> None:
        """Read a picture of the window that the press at `edge_ns` opened, or end the window."""
        if self._duties.ending.has_begun:
            self._close_window("capture is about to end")  # and red says why
            return
        if not self._window.is_looking(now_ns):
            is_unknown = self._count_unknown(now_ns)
            told = "a label was read that the route does not know" if is_unknown else "no label"
            self._close_window(told)
            self._light.end(now_ns)
            return
        if not self._light.is_quiet(now_ns):
            return  # the answer is given to its end, and its vibration would blur the label
        if not self._light.shows(Signal.READING) and now_ns - edge_ns > READING_AFTER_S * 1e9:
            self._light.show(Signal.READING)
            return
        try:
            code = self._window.look()
        except DeviceError as error:
            self._close_window("the camera failed")
            self._duties.camera_failed(error, self._now_ns(), silent=False)
            return
        if code is not None:
            self._gate.bind(code, self._now_ns())
            self._close_window("a label was read: press now")
            self._light.show(Signal.LABEL_READ)
            _log.info("event=label_read")

    def _count_unknown(self, at_ns: int) -> bool:
        """Count a window without a known code; return True if an unknown code counts."""
        opened = self._window.opened
        if opened is None or opened.unknown is None:
            return False
        self._gate.bind(opened.unknown, at_ns)
        return True

    def _close_window(self, what: str) -> None:
        opened = self._window.opened
        if opened is not None:
            self._window.close(self._now_ns())
            self._socket_presses.answer(opened.edge_ns, {"scan": what})
            self._duties.due_ns = 0  # the sensor stops now, where only the window kept it on
