"""Press to light: the real capture loop, timed from outside, beside a loop that does the least."""

import logging
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.capture import burst, chain, jpeg, press, quality
from agent.capture.burst import BURST
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
from tests.bench import bare, refused
from tests.bench.bare import FRAME_BYTES, RawDisk, Sizes
from tests.bench.device import new_device
from tests.bench.frame import Figure, Rig
from tests.bench.trace import Trace, total_ms
from tests.support.device import Device

PACE_S: Final = 0.8
"""From press to press. Source: presses within 0.6 s count once."""

WARM_UP: Final = 2
"""Presses that are not counted: the first ones load code and grow the log."""

COLD_REST_S: Final = 0.1
"""How long the camera has been stopped when a cold press comes."""

QUALITY: Final = ("sharpness", "assess")
LIGHTS: Final = {Signal.SAVED, Signal.ONCE_MORE}

TIMES_BARE: Final = 1.3
"""A warm press by the bare loop's: what a driver does not feel of 100 ms."""


@dataclass(frozen=True, slots=True)
class Press:
    """One press of the product.

    Attributes:
        parts_ms: what it consists of, in its order; the parts add up to the whole.
        quality_ms: of the whole burst, what overlaps with waiting included.
        encode_ms: the kept frame's JPEG encode, also one that overlaps with waiting.
        sizes: what it wrote.
    """

    parts_ms: dict[str, float]
    quality_ms: float
    encode_ms: float
    sizes: Sizes


def measure(rig: Rig) -> Iterator[Figure]:
    """Press warm and cold, each beside the bare loop, by turns; then where the rule refuses."""
    device = new_device(rig.folder / "press", rig.backend)
    with _presser(device) as (loop, presser), ThreadPoolExecutor(1) as finger:
        pressing = finger.submit(_press_all, presser, rig)
        pressing.add_done_callback(lambda _: loop.stop())
        loop.run()  # in this thread, as in the capture process
        warm, bare_warm, cold, bare_cold = pressing.result()
    yield from _compared("warm", warm, bare_warm, TIMES_BARE)
    yield from _quality(warm)
    yield from _compared("cold", cold, bare_cold)
    yield refused.measure(rig)


def _compared(
    how: str, presses: list[Press], bares: list[dict[str, float]], at_most: float | None = None
) -> Iterator[Figure]:
    whole = [sum(one.parts_ms.values()) for one in presses]
    whole_bare = [sum(one.values()) for one in bares]
    bare_ms = statistics.median(whole_bare)
    yield Figure(
        f"{how} press to green, by the bare loop",
        "x",
        [one / bare_ms for one in whole],
        at_most,
        digits=2,
        note="bare loop: the same frames, one JPEG encode, the same calls and bytes, and no "
        "debounce. Both press evenly spread over the time from frame to frame, at a door in "
        "daylight."
        if at_most
        else "",
    )
    parts = [one.parts_ms for one in presses]
    for name, took, split in (
        (f"{how} press to green", whole, parts),
        (f"bare loop, {how}", whole_bare, bares),
    ):
        panel = "From the press to the green light" if at_most else ""
        yield Figure(f"  {name}", "ms", took, panel=panel)
        for part in split[0]:
            yield Figure(f"    {part}", "ms", [one[part] for one in split])


def _quality(presses: list[Press]) -> Iterator[Figure]:
    encode_ms = statistics.median(one.encode_ms for one in presses)
    whole = [one.quality_ms for one in presses]
    yield Figure(
        "quality of a burst, by one encode per frame",
        "x",
        [one / (BURST * encode_ms) for one in whole],
        at_most=1.0,
        digits=2,
        note=f"sharpness of {BURST} frames and one assessment, by "
        f"{BURST} JPEG encodes of {encode_ms:.1f} ms",
    )
    yield Figure("  quality, the whole burst", "ms", whole)


class _Presser:
    """Finger on the button of a running loop, which takes the time apart."""

    def __init__(self, loop: CaptureLoop, board: Board, device: Device, trace: Trace) -> None:
        self._loop = loop
        self._board = board
        self._trace = trace
        self._layout = device.layout
        self._folder = device.folder / "bare"
        self._bare: RawDisk | None = None
        self._sizes = Sizes(0, 0)
        self._pressed_s = 0.0

    def rest_camera(self) -> None:
        self._await_pace()
        setattr(CameraGate, "turn", _leave_alone)  # noqa: B010 - the bare loop has the same camera
        self._board.camera.stop()
        time.sleep(COLD_REST_S)

    def press(self, phase: float) -> Press:
        """Press `phase` of the way from one frame to the next."""
        self._await_pace()
        log_bytes = self._log_bytes()
        self._trace.clear()
        self._await_phase(phase)
        reply = self._loop.command(ButtonName.PHOTO, FINGER_S, "bench", 30.0)
        if "error" in reply or reply["label"]["kind"] != "photo":
            raise RuntimeError(f"the press made no photo: {reply}")
        pages = max(1, (self._log_bytes() - log_bytes) // FRAME_BYTES)
        made = self._split(reply["label"], pages)
        self._sizes = made.sizes
        return made

    def press_bare(self, phase: float) -> dict[str, float]:
        """Press the bare loop, which writes as much as the last press before its first one did."""
        if self._bare is None:
            self._bare = RawDisk(self._folder, self._sizes)
        self._await_pace()
        self._await_phase(phase)
        return bare.press(self._board.camera, self._bare)

    def close(self) -> None:
        if self._bare is not None:
            self._bare.close()

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

    def _split(self, label: dict[str, Any], pages: int) -> Press:
        """Return the parts; the frames end with the last exposure, the button's 14 ms included."""
        trace, edge_ns = self._trace, label["monotonic_ns"]
        copied = [step for step in trace.all("take") if step.value is not None][-1]
        exposed_ns = copied.value.sensor_time_ns
        copied_ns = max(copied.ended_ns, exposed_ns)
        shot, assessed = trace.last("shoot"), trace.last("assess")
        file, row, encoded = trace.last("write_durably"), trace.last("add"), trace.last("encode")
        late_encode_ms = encoded.ms if encoded.began_ns > copied_ns else 0.0
        parts = {
            "waiting for frames": (exposed_ns - edge_ns) / 1e6,
            "last frame into memory": (copied_ns - exposed_ns) / 1e6,
            "quality, after the last frame": (shot.ended_ns - copied_ns) / 1e6
            + assessed.ms
            - late_encode_ms,
            "JPEG encode": late_encode_ms,
            "EXIF": trace.last("stamp").ms,
            "Content Credentials": trace.last("sign").ms,
            "pack, hash and sign": trace.last("keep").ms - file.ms - row.ms,
            "disk: the file": file.ms,
            "disk: the row": row.ms,
        }
        parts["the rest"] = (self._green_ns(edge_ns) - edge_ns) / 1e6 - sum(parts.values())
        file_bytes = self._layout.record(label["capture_id"]).stat().st_size
        sizes = Sizes(file_bytes - len(encoded.value), pages)
        return Press(parts, total_ms(trace.all(*QUALITY)), encoded.ms, sizes)

    def _green_ns(self, edge_ns: int) -> int:
        assert isinstance(self._board.indicator, SimulatedIndicator)
        shown = list(self._board.indicator.shown)
        return next(at_ns for signal, at_ns in shown if at_ns > edge_ns and signal in LIGHTS)


_Taken = tuple[list[Press], list[dict[str, float]]]


def _press_all(presser: _Presser, rig: Rig) -> tuple[*_Taken, *_Taken]:
    for _ in range(WARM_UP):
        presser.press(0.5)
    warm = _in_pairs(presser, rig.times(24, 8), is_cold=False)
    return *warm, *_in_pairs(presser, rig.times(8, 2), is_cold=True)


def _in_pairs(presser: _Presser, count: int, *, is_cold: bool) -> _Taken:
    """Spread the presses evenly over the time from frame to frame, the same for both loops."""
    presses, bares = [], []
    for number in range(count):
        phase = (number + 0.5) / count
        if is_cold:
            presser.rest_camera()
        presses.append(presser.press(phase))
        if is_cold:
            presser.rest_camera()
        bares.append(presser.press_bare(phase))
    return presses, bares


def _leave_alone(_gate: CameraGate, _now_ns: int, *, is_looking: bool) -> None:
    """Replace the rule: once the bench stops and starts the camera, the loop must not."""


@contextmanager
def _presser(device: Device) -> Iterator[tuple[CaptureLoop, _Presser]]:
    """Open the capture process's loop, its log written to a file as a daemon's is."""
    trace = Trace()
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

    with ExitStack() as opened:
        opened.enter_context(_logging_to(device.folder / "capture.log"))
        opened.enter_context(trace.watching(*places))
        loop = opened.enter_context(capture_loop(load(device.config), opening))
        opened.enter_context(trace.watching_steps(boards[0].camera, "take"))
        yield loop, opened.enter_context(closing(_Presser(loop, boards[0], device, trace)))


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
