"""Press to light: the real capture loop, timed from outside, beside a loop that does the least."""

import logging
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from agent.capture import jpeg, quality, record_writer
from agent.capture.burst import BURST
from agent.capture.camera_gate import CameraGate
from agent.capture.loop import CaptureLoop
from agent.command.capture_process import FINGER_S, capture_loop
from agent.config import load
from agent.models import Reason, rfc3339
from agent.queue.outbox import Outbox
from agent.record import signing
from agent.rule.manifest import PhotoRule
from hardware.board import Board, open_board
from hardware.button import ButtonName
from hardware.clock import BUILT
from hardware.indicator import Signal
from hardware.settings import BoardSettings
from hardware.simulated.camera import FRAME_NS
from hardware.simulated.indicator import SimulatedIndicator
from hardware.simulated.script import WorldState
from tests.bench import bare
from tests.bench.bare import FRAME_BYTES, RawDisk, Sizes
from tests.bench.device import new_device, running
from tests.bench.frame import Figure, Rig
from tests.bench.trace import Trace
from tests.support.device import Device
from tests.support.roads import KEY, payload_of, signed, stop_at

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

REFUSED_MS: Final = 300.0
"""Longest that a refusal may cost the driver, who has to go on without a photo."""

STOPS: Final = 150
"""On the route of the device that refuses: a day's."""

PANEL: Final = "From the press to the green light"


@dataclass(slots=True)
class Presses:
    """Presses of the product and of the bare loop by turns, in ms.

    Attributes:
        parts: of the product, from the press to the green light; they add up to the whole.
        quality: of the whole burst, also what happens while the loop waits for a frame.
        encode: of the kept frame.
    """

    whole: list[float] = field(default_factory=list)
    parts: list[dict[str, float]] = field(default_factory=list)
    quality: list[float] = field(default_factory=list)
    encode: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


def measure(rig: Rig) -> Iterator[Figure]:
    """Press warm and cold, each beside the bare loop, by turns; then where the rule refuses."""
    device = new_device(rig.folder / "press", rig.backend)
    with _finger(device) as finger, ThreadPoolExecutor(1) as beside:
        pressing = beside.submit(_press_all, finger, rig)
        pressing.add_done_callback(lambda _: finger.loop.stop())
        finger.loop.run()  # in this thread, as in the capture process
        warm, cold = pressing.result()
    note = (
        "bare loop: the same frames, one JPEG encode, the same calls and bytes, and no debounce. "
        "Both press evenly spread over the time from frame to frame, at a door in daylight."
    )
    yield from _compared("warm", warm, TIMES_BARE, note)
    encode_ms = statistics.median(warm.encode)
    by_encode = [one / (BURST * encode_ms) for one in warm.quality]
    note = f"sharpness of {BURST} frames and one assessment; a JPEG encode takes {encode_ms:.1f} ms"
    name = "quality of a burst, by one encode per frame"
    yield Figure(name, "x", by_encode, at_most=1.0, digits=2, note=note)
    yield from _compared("cold", cold)
    yield _refused(rig)


def _compared(
    how: str, presses: Presses, at_most: float | None = None, note: str = ""
) -> Iterator[Figure]:
    by_bare = [one / statistics.median(presses.bare) for one in presses.whole]
    name = f"{how} press to green, by the bare loop"
    yield Figure(name, "x", by_bare, at_most, digits=2, note=note)
    for name, took in (
        (f"{how} press to green", presses.whole),
        (f"bare loop, {how}", presses.bare),
    ):
        yield Figure(f"  {name}", "ms", took, panel=PANEL if at_most else "", bar=name)
    for part in presses.parts[0]:
        yield Figure(f"    {part}", "ms", [one[part] for one in presses.parts])


class _Finger:
    """Finger on the button of a running loop, which takes the time apart."""

    def __init__(self, loop: CaptureLoop, board: Board, device: Device, trace: Trace) -> None:
        self.loop = loop
        self._board = board
        self._trace = trace
        self._device = device
        self._raw: RawDisk | None = None
        self._sizes = Sizes(0, 0)
        self._pressed_s = 0.0

    def press(self, presses: Presses, phase: float, *, is_cold: bool) -> None:
        """Press `phase` of the way from one frame to the next."""
        self._wait(phase, is_cold=is_cold)
        log_bytes = self._log_bytes()
        self._trace.clear()
        reply = self.loop.command(ButtonName.PHOTO, FINGER_S, "bench", 30.0)
        if "error" in reply or reply["label"]["kind"] != "photo":
            raise RuntimeError(f"the press made no photo: {reply}")
        label, encoded = reply["label"], self._trace.last("encode")
        parts = self._parts(label["monotonic_ns"])
        presses.whole.append(sum(parts.values()))
        presses.parts.append(parts)
        presses.quality.append(self._trace.total_ms(*QUALITY))
        presses.encode.append(encoded.ms)
        around_bytes = self._device.layout.record(label["capture_id"]).stat().st_size - len(
            encoded.value
        )
        pages = max(1, (self._log_bytes() - log_bytes) // FRAME_BYTES)
        self._sizes = Sizes(around_bytes, pages)

    def press_bare(self, presses: Presses, phase: float, *, is_cold: bool) -> None:
        """Press the bare loop, which writes as much as the last press before its first one did."""
        if self._raw is None:
            self._raw = RawDisk(self._device.folder / "bare", self._sizes)
        self._wait(phase, is_cold=is_cold)
        presses.bare.append(bare.press_ms(self._board.camera, self._raw))

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()

    def _log_bytes(self) -> int:
        return self._device.layout.database.with_name("doorstep.db-wal").stat().st_size

    def _wait(self, phase: float, *, is_cold: bool) -> None:
        """Wait until another press counts, and for the phase or for a stopped camera."""
        time.sleep(max(0.0, self._pressed_s + PACE_S - time.monotonic()))
        self._pressed_s = time.monotonic()
        if is_cold:
            self._board.camera.stop()
            time.sleep(COLD_REST_S)
        elif (last_ns := self._board.camera.last_frame_ns) and self._board.camera.streaming:
            past_ns = (time.monotonic_ns() - last_ns) % FRAME_NS
            time.sleep(((phase * FRAME_NS - past_ns) % FRAME_NS) / 1e9)

    def _parts(self, edge_ns: int) -> dict[str, float]:
        """Return what a press consists of, the button's 14 ms included."""
        trace = self._trace
        copied = [step for step in trace.spans["take"] if step.value is not None][-1]
        copied_ns = max(copied.ended_ns, copied.value.sensor_time_ns)
        parts = {
            "waiting for frames": (copied_ns - edge_ns) / 1e6,
            "judging of the last frame": (trace.last("assess").ended_ns - copied_ns) / 1e6,
            "file and row on the disk": trace.total_ms("write_durably", "add"),
        }
        return parts | {"the rest": (self._green_ns(edge_ns) - edge_ns) / 1e6 - sum(parts.values())}

    def _green_ns(self, edge_ns: int) -> int:
        assert isinstance(self._board.indicator, SimulatedIndicator)
        shown = list(self._board.indicator.shown)
        return next(at_ns for signal, at_ns in shown if at_ns > edge_ns and signal in LIGHTS)


def _press_all(finger: _Finger, rig: Rig) -> tuple[Presses, Presses]:
    for _ in range(WARM_UP):
        finger.press(Presses(), 0.5, is_cold=False)
    warm = _in_pairs(finger, rig.times(24, 8), is_cold=False)
    setattr(CameraGate, "tick", _leave_alone)  # noqa: B010 - the bare loop has the same camera
    return warm, _in_pairs(finger, rig.times(8, 2), is_cold=True)


def _in_pairs(finger: _Finger, count: int, *, is_cold: bool) -> Presses:
    """Spread the presses evenly over the time from frame to frame, the same for both loops."""
    presses = Presses()
    for number in range(count):
        for press in (finger.press, finger.press_bare):
            press(presses, (number + 0.5) / count, is_cold=is_cold)
    return presses


def _leave_alone(_gate: CameraGate, _now_ns: int, *, is_looking: bool) -> None:
    """Replace the rule: once the bench stops and starts the camera, the loop must not."""


@contextmanager
def _finger(device: Device) -> Iterator[_Finger]:
    """Open the capture process's loop, its log written to a file as a daemon's is."""
    trace, boards = Trace(), list[Board]()
    places = (
        *((quality, name) for name in QUALITY),
        (jpeg, "encode"),
        (record_writer, "write_durably"),
        (Outbox, "add"),
    )

    def opening(settings: BoardSettings, run_dir: Path, floor: datetime) -> Board:
        boards.append(open_board(settings, run_dir, floor))
        return boards[0]

    with ExitStack() as opened:
        opened.enter_context(_logging_to(device.folder / "capture.log"))
        opened.enter_context(trace.watching(*places))
        loop = opened.enter_context(capture_loop(load(device.config), opening))
        opened.enter_context(trace.watching_steps(boards[0].camera, "take"))
        yield opened.enter_context(closing(_Finger(loop, boards[0], device, trace)))


@contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    root = logging.getLogger()
    to_file = logging.FileHandler(file)
    level = root.level
    root.addHandler(to_file)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(to_file)
        to_file.close()


def _refused(rig: Rig) -> Figure:
    """Press at a forbidden door, with the camera stopped; every tenth stop takes no photo."""
    here, begins = WorldState(), max(datetime.now(UTC), BUILT) - timedelta(hours=1)
    stops = [
        stop_at(
            (here.lat_deg + number / 1000, here.lon_deg),
            number,
            PhotoRule.ALLOWED if number % 10 else PhotoRule.NO_PHOTO,
        )
        for number in range(STOPS)
    ]
    ends = begins + timedelta(hours=10)
    route = payload_of(*stops) | {"begins": rfc3339(begins), "ends": rfc3339(ends)}
    rig.folder.joinpath("manifest-key.pem").write_bytes(signing.public_pem(KEY.public_key()))
    device = Device(
        rig.folder / "refused",
        device={"id": route["device_id"]},
        policy={"manifest": "required", "scanning": False},
        backend={"receipt_keys": [str(rig.folder / "manifest-key.pem")]},
        camera={"width_px": 2304, "height_px": 1296},
    )
    with running(device, "capture"):
        told = device.ask("capture", {"offer": "manifest", "text": signed(route)})
        if told != {"taken": True}:
            raise RuntimeError(f"the manifest was not taken in: {told}")
        taken = [_refused_ms(device) for _ in range(rig.times(20, 5))]
    note = (
        "from the edge to the answer through the socket, which follows the light: the button's "
        f"14 ms, the rule over {STOPS} stops, a record signed and on disk"
    )
    return Figure("press to blue, refused by rule", "ms", taken, REFUSED_MS, note=note)


def _refused_ms(device: Device) -> float:
    time.sleep(PACE_S)
    reply = device.press()
    answered_ns = time.monotonic_ns()
    if reply["record"].get("reason") != Reason.NO_PHOTO_STOP:
        raise RuntimeError(f"the press was not refused by rule: {reply}")
    return float(answered_ns - reply["label"]["monotonic_ns"]) / 1e6
