"""Press to green: the real capture loop, timed from outside, beside a loop that does the least."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from agent.capture import burst, chain, jpeg, press, quality
from agent.capture.camera_gate import CameraGate
from agent.capture.chain import Chain
from agent.capture.loop import CaptureLoop
from agent.capture.photo_credentials import PhotoCredentials
from agent.capture.press import Capture
from agent.command.capture_process import FINGER_S, capture_loop
from agent.config import load
from agent.queue.outbox import Outbox
from hardware.board import Board, open_board
from hardware.button import ButtonName
from hardware.indicator import Signal
from hardware.settings import BoardSettings
from hardware.simulated.camera import FRAME_NS
from hardware.simulated.indicator import SimulatedIndicator
from tests.bench import press_refused
from tests.bench.bare import FRAME_HEADER_BYTES, PAGE_BYTES, Bare, BareLoop, Sizes
from tests.bench.device import new_device
from tests.bench.figures import Figure
from tests.bench.press_figures import Press, cold_figures, warm_figures
from tests.bench.rig import Rig
from tests.bench.trace import Trace, total_ms
from tests.support.device import Device

PACE_S: Final = 0.8
"""From press to press. Source: presses within 0.6 s count once."""

WARM_UP: Final = 2
"""Presses that are not counted: the first ones load code and grow the log."""

COLD_REST_S: Final = 0.1
"""How long the camera has been stopped when a cold press comes."""

QUALITY: Final = ("sharpness", "assess")


def measure(rig: Rig) -> list[Figure]:
    """Presses warm and cold, each beside the bare loop, by turns; then refused ones."""
    device = new_device(rig.folder / "press", rig.backend)
    served = _pressed(device, partial(_press_all, rig=rig))
    return [*served, *press_refused.measure(rig)]


def warm(device: Device, count: int) -> list[Press]:
    """Presses of the product alone, evenly spread over the time from frame to frame."""
    return _pressed(device, lambda one: [one.press((n + 0.5) / count) for n in range(count)])


_T = TypeVar("_T")


def _pressed(device: Device, press_all: Callable[["_Presser"], _T]) -> _T:
    with _presser(device) as (loop, presser), ThreadPoolExecutor(1) as finger:
        pressing = finger.submit(_after_warm_up, presser, press_all)
        pressing.add_done_callback(lambda _: loop.stop())
        loop.run()  # in this thread, as in the capture process
        return pressing.result()


def _after_warm_up(presser: "_Presser", press_all: Callable[["_Presser"], _T]) -> _T:
    for _ in range(WARM_UP):
        presser.press(0.5)
    return press_all(presser)


def _press_all(presser: "_Presser", rig: Rig) -> list[Figure]:
    warm, bare = _by_turns(presser, rig.warm_presses, lambda: None)
    cold, bare_cold = _by_turns(presser, rig.cold_presses, presser.rest_camera)
    return [*warm_figures(warm, bare), *cold_figures(cold, bare_cold)]


def _by_turns(
    presser: "_Presser", count: int, before: Callable[[], None]
) -> tuple[list[Press], list[Bare]]:
    """Spreads the presses evenly over the time from frame to frame, the same for both."""
    presses, bares = [], []
    for number in range(count):
        phase = (number + 0.5) / count
        before()
        presses.append(presser.press(phase))
        before()
        bares.append(presser.press_bare(phase))
    return presses, bares


class _Presser:
    """Presses the button of a running loop and takes the time apart."""

    def __init__(self, loop: CaptureLoop, board: Board, device: Device, trace: Trace) -> None:
        self._loop = loop
        self._board = board
        self._trace = trace
        self._layout = device.layout
        self._folder = device.folder / "bare"
        self._bare: BareLoop | None = None
        self._last_press: Press | None = None
        self._log_pages = 0
        self._pressed_s = 0.0

    def rest_camera(self) -> None:
        self._await_pace()
        setattr(CameraGate, "turn", _leave_alone)  # noqa: B010 - the bare loop has the same camera
        self._board.camera.stop()
        time.sleep(COLD_REST_S)

    def press(self, phase: float) -> Press:
        """Presses `phase` of the way from one frame to the next."""
        self._await_pace()
        log_bytes = self._log_bytes()
        self._trace.clear()
        self._await_phase(phase)
        reply = self._loop.command(ButtonName.PHOTO, FINGER_S, "bench", 30.0)
        if "error" in reply or reply["label"]["kind"] != "photo":
            raise RuntimeError(f"the press made no photo: {reply}")
        page_bytes = FRAME_HEADER_BYTES + PAGE_BYTES
        self._log_pages = max(1, (self._log_bytes() - log_bytes) // page_bytes)
        file = self._layout.record(reply["label"]["capture_id"])
        self._last_press = self._split(reply["label"]["monotonic_ns"], file.stat().st_size)
        return self._last_press

    def press_bare(self, phase: float) -> Bare:
        """Presses the bare loop, which writes as much as the last press did."""
        if self._bare is None:
            self._bare = BareLoop(self._board.camera, self._folder, self._sizes())
        self._await_pace()
        self._await_phase(phase)
        return self._bare.press()

    def close(self) -> None:
        if self._bare is not None:
            self._bare.close()

    def _sizes(self) -> Sizes:
        assert self._last_press is not None
        around_bytes = self._last_press.file_bytes - self._last_press.photo_bytes
        return Sizes(around_bytes, self._log_pages)

    def _log_bytes(self) -> int:
        return self._layout.database.with_name("doorstep.db-wal").stat().st_size

    def _await_pace(self) -> None:
        time.sleep(max(0.0, self._pressed_s + PACE_S - time.monotonic()))
        self._pressed_s = time.monotonic()

    def _await_phase(self, phase: float) -> None:
        last_ns = self._board.camera.last_frame_ns
        if last_ns is None or not self._board.camera.streaming:
            return
        past_ns = (time.monotonic_ns() - last_ns) % FRAME_NS
        time.sleep(((phase * FRAME_NS - past_ns) % FRAME_NS) / 1e9)

    def _split(self, edge_ns: int, file_bytes: int) -> Press:
        trace = self._trace
        copied = [step for step in trace.all("take") if step.value is not None][-1]
        exposed_ns = copied.value.sensor_time_ns
        shot, assessed = trace.last("shoot"), trace.last("assess")
        file, row = trace.last("write_durably"), trace.last("add")
        copied_ns = max(copied.ended_ns, exposed_ns)
        encoded = trace.last("encode")
        late_encode_ms = encoded.ms if encoded.began_ns > copied_ns else 0.0
        times = {
            "frames_ms": (exposed_ns - edge_ns) / 1e6,
            "copy_ms": (copied_ns - exposed_ns) / 1e6,
            "quality_ms": (shot.ended_ns - copied_ns) / 1e6 + assessed.ms - late_encode_ms,
            "encode_ms": late_encode_ms,
            "exif_ms": trace.last("stamp").ms,
            "credentials_ms": trace.last("sign").ms,
            "pack_ms": trace.last("keep").ms - file.ms - row.ms,
            "file_ms": file.ms,
            "row_ms": row.ms,
        }
        total_ms_ = (self._green_ns(edge_ns) - edge_ns) / 1e6
        return Press(
            **times,
            rest_ms=total_ms_ - sum(times.values()),
            total_ms=total_ms_,
            all_quality_ms=total_ms(trace.all(*QUALITY)),
            one_encode_ms=encoded.ms,
            file_bytes=file_bytes,
            photo_bytes=len(encoded.value),
        )

    def _green_ns(self, edge_ns: int) -> int:
        assert isinstance(self._board.indicator, SimulatedIndicator)
        shown = list(self._board.indicator.shown)
        return next(at_ns for signal, at_ns in shown if at_ns > edge_ns and signal in _DONE)


def _leave_alone(_gate: CameraGate, _now_ns: int, *, is_looking: bool) -> None:
    """In place of the rule: once the bench stops and starts the camera, the loop must not."""


_DONE: Final = {Signal.SAVED, Signal.ONCE_MORE}


@contextmanager
def _presser(device: Device) -> Iterator[tuple[CaptureLoop, _Presser]]:
    """The capture process's loop, its log written to a file as a daemon's is."""
    trace = Trace()
    with ExitStack() as opened:
        opened.enter_context(_logging_to(device.folder / "capture.log"))
        loop, board = opened.enter_context(_opened(device, trace))
        opened.enter_context(trace.watching_steps(board.camera, "take"))
        yield loop, opened.enter_context(closing(_Presser(loop, board, device, trace)))


@contextmanager
def _opened(device: Device, trace: Trace) -> Iterator[tuple[CaptureLoop, Board]]:
    places = [
        (Capture, "photo"),
        (burst, "shoot"),
        *((quality, name) for name in QUALITY),
        (jpeg, "encode"),
        (press, "stamp"),
        (PhotoCredentials, "sign"),
        (Chain, "keep"),
        (chain, "write_durably"),
        (Outbox, "add"),
    ]
    boards: list[Board] = []

    def opening(settings: BoardSettings, run_dir: Path, floor: datetime) -> Board:
        boards.append(open_board(settings, run_dir, floor))
        return boards[0]

    with trace.watching(*places), capture_loop(load(device.config), opening) as loop:
        yield loop, boards[0]


@contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    root = logging.getLogger()
    to_file = logging.FileHandler(file)
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = root.level
    root.addHandler(to_file)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(to_file)
        to_file.close()
