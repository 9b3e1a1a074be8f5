"""The capture loop in this process: set devices and a set time; all that is kept is real."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from agent.capture.loop import CaptureLoop
from agent.capture.socket_presses import Reply
from agent.command import state_access
from agent.command.capture_process import capture_loop
from agent.config import Config, load
from agent.models import Item, RecordState
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record import signing
from hardware.board import Board
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.camera import Frame, Luma
from hardware.clock import ClockSource
from hardware.clock_system import SystemClock
from hardware.errors import CameraStalled, DeviceError
from hardware.indicator import Signal
from hardware.patterns import sounding_s
from hardware.position import Fix
from hardware.power import PowerReading
from hardware.settings import BoardSettings
from hardware.simulated.label import Paper, draw_label
from hardware.simulated.scene_room import Image
from hardware.simulated.scenes import Scene, exposure, render
from hardware.simulated.script import LabelKind
from tests.support.device import Device
from tests.support.factory import MOMENT
from tests.support.sealed import unpack
from tests.support.tusscript import receipt

FRAME_NS: Final = 33_000_000
EXPOSURE_US: Final = 8_000


@cache
def picture(
    light: float = 1.0, motion_px: float = 0.0, cover: float = 0.0, *, lamp: bool = False
) -> Image:
    """Draw a door at 640x360, BGR."""
    return render(
        Scene(
            seed=1,
            width_px=640,
            height_px=360,
            light=light,
            motion_px=motion_px,
            cover=cover,
            lamp=lamp,
        )
    )


class SetTime:
    """CLOCK_MONOTONIC as the test sets it, from the machine's own on."""

    def __init__(self) -> None:
        self.ns = time.monotonic_ns()

    def __call__(self) -> int:
        return self.ns

    def pass_s(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


class Pictures:
    """A camera that delivers its pictures in turn, at once, exposed just after what was asked for.

    Attributes:
        pictures: the next ones, over and over.
        lit_picture: what it sees instead while the lamp is on.
        unlit_lux: illuminance that its frames report without the lamp.
        first_lux: illuminance that it reports before its first frame, if it is another one.
        converged: what its frames say about their exposure.
        light_changed_ns: the argument of each call of `lux` and `take`, in order.
        error: raised instead of a frame.
        taken: all frames so far.
        starts: how often it was started.
        label: the code that is held before it, empty for none.
        light: at a label, 1.0 for a clouded day.
        looks: pictures for labels so far.
    """

    simulated = False

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.pictures: list[Image] = [picture()]
        self.lit_picture = picture(0.02, lamp=True)
        self.unlit_lux: float | None = 2_000.0
        self.first_lux: float | None = None
        self.converged: bool | None = True
        self.light_changed_ns: list[int | None] = []
        self.error: DeviceError | None = None
        self.lamp: SetLamp | None = None
        self.taken: list[Frame] = []
        self.starts = 0
        self.label = ""
        self.light = 1.0
        self.looks = 0
        self.streaming = False
        self.last_frame_ns: int | None = None
        self.frames_exposed = 0
        self._now_ns = now_ns

    def start(self) -> None:
        self.starts += not self.streaming
        self.streaming = True

    def stop(self) -> None:
        self.streaming = False

    def close(self) -> None:
        self.stop()

    def lux(self, deadline_s: float, *, light_changed_ns: int | None = None) -> float | None:
        assert self.streaming
        assert deadline_s > 0
        self.light_changed_ns.append(light_changed_ns)
        if self.error is not None:
            raise self.error
        return self.unlit_lux if self.taken or self.first_lux is None else self.first_lux

    def look(self, deadline_s: float) -> Luma:
        assert self.streaming
        assert deadline_s > 0
        if self.error is not None:
            raise self.error
        self.looks += 1
        taken = exposure(Scene(light=self.light, lamp=self._is_lit()))
        picture = np.full((720, 1280), 200 if taken.lux > 1 else 30, np.uint8)
        if self.label:
            draw_label(Paper(self.label, LabelKind.QR, taken), picture, 0)
        return picture

    def take(
        self, after_ns: int, count: int, deadline_s: float, *, light_changed_ns: int | None = None
    ) -> Generator[Frame]:
        assert self.streaming
        assert deadline_s > 0
        self.light_changed_ns.append(light_changed_ns)
        after_ns = max(after_ns, light_changed_ns or 0)
        for number in range(1, count + 1):
            if self.error is not None:
                raise self.error
            unlit = self.pictures[len(self.taken) % len(self.pictures)]
            pixels = self.lit_picture if self._is_lit() else unlit
            end_ns = after_ns + 1000 * EXPOSURE_US + number * FRAME_NS
            frame = Frame(
                pixels, EXPOSURE_US, 1.0, self.unlit_lux, end_ns, converged=self.converged
            )
            self.taken.append(frame)
            self.frames_exposed += 1
            self.last_frame_ns = self._now_ns()
            yield frame

    def _is_lit(self) -> bool:
        return self.lamp is not None and self.lamp.lit


class StallsAtTheThird(Pictures):
    """A camera that stalls at the last frame of each burst."""

    def take(
        self, after_ns: int, count: int, deadline_s: float, *, light_changed_ns: int | None = None
    ) -> Generator[Frame]:
        yield from super().take(after_ns, count - 1, deadline_s, light_changed_ns=light_changed_ns)
        raise CameraStalled("no frame in time")


class SetLight:
    """An indicator that notes what it shows, and lets a test look around at that moment.

    Attributes:
        shown: all signals so far.
        heard: those of them that sounded and vibrated.
    """

    def __init__(self) -> None:
        self.shown: list[Signal] = []
        self.heard: list[Signal] = []
        self.on_show: Callable[[Signal], None] = lambda _signal: None

    def show(self, signal: Signal, *, silent: bool = False) -> None:
        self.on_show(signal)
        self.shown.append(signal)
        if sounding_s(signal) and not silent:
            self.heard.append(signal)

    def close(self) -> None:
        pass


class SetLamp:
    """A lamp that counts how often it was lit, and notes when."""

    def __init__(self) -> None:
        self.lit = False
        self.times_lit = 0
        self.lit_ns = 0

    def on(self) -> None:
        self.lit, self.lit_ns = True, time.monotonic_ns()
        self.times_lit += 1

    def off(self) -> None:
        self.lit = False

    def close(self) -> None:
        self.off()


class SetPosition:
    """A receiver with the fix it is given."""

    simulated = False

    def __init__(self) -> None:
        self.fix: Fix | None = None

    def last_fix(self) -> Fix | None:
        return self.fix

    def trouble(self) -> str | None:
        return None

    def close(self) -> None:
        pass


class SetMotion:
    """A motion sensor as it is set; `lift` is a hand that takes the device."""

    def __init__(self) -> None:
        self.is_lifted: bool | None = None
        self.fault: str | None = None
        self.on_lift: Callable[[], None] = lambda: None

    def lifted(self) -> bool | None:
        return self.is_lifted

    def listen(self, on_lift: Callable[[], None]) -> None:
        self.on_lift = on_lift

    def lift(self) -> None:
        self.is_lifted = True
        self.on_lift()

    def trouble(self) -> str | None:
        return self.fault

    def close(self) -> None:
        pass


class SetPower:
    """A supply as it is set; `error` is what powering off raises."""

    def __init__(self) -> None:
        self.reading = PowerReading(64, external=False, under_voltage=False)
        self.error: DeviceError | None = None
        self.shut_downs = 0

    def read(self) -> PowerReading:
        return self.reading

    def shut_down(self) -> None:
        self.shut_downs += 1
        if self.error is not None:
            raise self.error


class StillButtons:
    """Buttons that do not bounce; `press` is the finger of a simulated board."""

    def __init__(self) -> None:
        self.on_event: Callable[[ButtonEvent], None] = lambda _event: None

    def listen(self, on_event: Callable[[ButtonEvent], None]) -> None:
        self.on_event = on_event

    def press(self, button: ButtonName, edge_ns: int, held_s: float) -> None:
        released_ns = edge_ns + round(held_s * 1e9)
        for change, at_ns in (
            (ButtonChange.TOUCHED, edge_ns),
            (ButtonChange.PRESSED, edge_ns),
            (ButtonChange.RELEASED, released_ns),
        ):
            self.on_event(ButtonEvent(button, change, at_ns))

    def close(self) -> None:
        pass


@dataclass
class Parts:
    """The devices of a bench, each as the test sets it."""

    now: SetTime = field(default_factory=SetTime)
    light: SetLight = field(default_factory=SetLight)
    lamp: SetLamp | None = field(default_factory=SetLamp)
    position: SetPosition = field(default_factory=SetPosition)
    motion: SetMotion = field(default_factory=SetMotion)
    power: SetPower = field(default_factory=SetPower)
    witness: ClockSource = ClockSource.NTP
    simulated: bool = False

    def __post_init__(self) -> None:
        self.camera = Pictures(self.now)

    def open(self, _settings: BoardSettings, _run_dir: Path, floor: datetime) -> Board:
        self.camera.lamp = self.lamp
        self.clock = SystemClock(floor, lambda: self.witness)
        buttons = StillButtons()
        return Board(
            camera=self.camera,
            buttons=buttons,
            indicator=self.light,
            lamp=self.lamp,
            position=self.position,
            motion=self.motion,
            power=self.power,
            clock=self.clock,
            simulated=self.simulated,
            press=buttons.press if self.simulated else None,
            parts=ExitStack(),
        )

    def fix(self, age_s: float = 0.4, **changes: Any) -> Fix:
        """Return a fix that came `age_s` ago, which the receiver sends from now on too."""
        values: dict[str, Any] = {
            "lat_deg": 52.5200066,
            "lon_deg": 13.404954,
            "alt_m": 34.2,
            "eph_m": 9.5,
            "hdop": 1.1,
            "satellites": 9,
            "mode": 3,
            "speed_mps": 0.0,
            "utc": datetime(2026, 12, 1, 9, 15, 2, tzinfo=UTC),
            "received_ns": self.now() - round(age_s * 1e9),
        }
        self.position.fix = Fix(**(values | changes))
        return self.position.fix


@dataclass
class Bench:
    """A capture loop in this process; time passes when the test says so."""

    config: Config
    parts: Parts
    loop: CaptureLoop
    outbox: Outbox
    layout: Layout
    replies: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loop.on_reply = self.replies.append

    def step(self) -> None:
        """Take one turn of the loop; in its waits, only the test lets time pass."""
        events = self.loop._events  # noqa: SLF001 - its queue is what it waits for
        if events.empty():
            events.put(None)
        self.loop.step()

    def touch(self) -> int:
        """Send the first edge of a press, a second after the event before; return its time."""
        self.parts.now.pass_s(1.0)
        edge_ns = self.parts.now()
        self.loop.on_event(ButtonEvent(ButtonName.PHOTO, ButtonChange.TOUCHED, edge_ns))
        return edge_ns

    def press(self, after_s: float = 0.0) -> Reply:
        """Press the photo button `after_s` and a second later; returns what came of it."""
        self.parts.now.pass_s(after_s)
        self.pressed(self.touch())
        return self.replies[-1]

    def pressed(self, edge_ns: int) -> None:
        self.loop.on_event(ButtonEvent(ButtonName.PHOTO, ButtonChange.PRESSED, edge_ns))
        self.step()

    def hand_over(self, after_s: float = 0.0, scan_first_s: float = 0.5) -> Reply:
        """Press the scan button `after_s` later and hold it, and press the photo button meanwhile.

        Returns what came of it; both buttons are up then.
        """
        self.parts.now.pass_s(after_s)
        since_ns = self.parts.now()
        edge_ns = since_ns + round(scan_first_s * 1e9)
        self._change(ButtonName.SCAN, ButtonChange.PRESSED, since_ns)
        self.parts.now.pass_s(scan_first_s)
        self._change(ButtonName.PHOTO, ButtonChange.TOUCHED, edge_ns)
        self._change(ButtonName.PHOTO, ButtonChange.PRESSED, edge_ns, since_ns)
        self.parts.now.pass_s(0.1)
        self._change(ButtonName.SCAN, ButtonChange.RELEASED, self.parts.now())
        return self.replies[-1]

    def _change(
        self,
        button: ButtonName,
        change: ButtonChange,
        at_ns: int,
        scan_since_ns: int | None = None,
    ) -> None:
        self.loop.on_event(ButtonEvent(button, change, at_ns, scan_since_ns))
        self.step()

    def hold_scan(self, after_s: float = 0.0, held_s: float = 2.0) -> None:
        """Press the scan button `after_s` later, hold it, and let go."""
        self.parts.now.pass_s(after_s)
        for change in (ButtonChange.TOUCHED, ButtonChange.PRESSED):
            self.loop.on_event(ButtonEvent(ButtonName.SCAN, change, self.parts.now()))
            self.step()
        self.parts.now.pass_s(held_s)
        self.step()
        self.loop.on_event(ButtonEvent(ButtonName.SCAN, ButtonChange.RELEASED, self.parts.now()))
        self.step()

    def hear_time(self, utc: datetime) -> None:
        """Send two fixes with the time, the later at `utc`: a single one is not believed."""
        self.parts.fix(utc=utc - timedelta(seconds=1.1))
        self.tick()
        self.parts.fix(utc=utc)

    def tick(self, after_s: float = 1.1) -> None:
        """Let time pass, and the loop do its idle duties."""
        self.parts.now.pass_s(after_s)
        self.step()

    def run(self, patience_s: float = 5.0) -> int:
        """Run the loop until it ends by itself, or was stopped; return its exit code."""
        hung = threading.Event()

        def end() -> None:
            hung.set()
            self.loop.stop()

        patience = threading.Timer(patience_s, end)
        patience.start()
        code = self.loop.run()
        patience.cancel()
        assert not hung.is_set(), "the loop did not end"
        return code

    def deliver(self, items: Sequence[Item], key: signing.PrivateKey, **told: Any) -> list[str]:
        """Do what sync does when their receipts came; return the ids that capture refused."""
        tokens = []
        for item in items:
            content = self.layout.record(item.capture_id).read_bytes()
            said = {"capture_id": item.capture_id, "content": content} | told
            tokens.append(receipt(key, **said))
            self.outbox.mark_delivered(item, tokens[-1], MOMENT)
        offer = {"offer": "receipts", "text": " ".join(tokens)}
        refused: list[str] = self.loop.documents.answer(offer)["refused"]
        return refused

    def rows(self, kind: str | None = None) -> list[Item]:
        return [row for row in self.outbox.items(None, 0, 1000) if kind in {None, row.kind}]

    def states(self) -> list[RecordState]:
        return [row.state for row in self.rows()]

    def open(self, capture_id: str) -> recordfile.RecordFile:
        return unpack(self.layout.record(capture_id).read_bytes())

    def all_opened(self) -> list[recordfile.RecordFile]:
        """Open every record in the order of the queue."""
        return [self.open(row.capture_id) for row in self.rows()]


@contextmanager
def bench(
    folder: Path, parts: Parts | None = None, **changes: Mapping[str, Any]
) -> Iterator[Bench]:
    """Build a capture loop over `folder` as the command does, but with set devices."""
    config = load(Device(folder, "", **changes).config)
    parts = parts or Parts()
    with (
        capture_loop(config, parts.open, parts.now) as loop,
        state_access.open_queue(config) as outbox,
    ):
        yield Bench(config, parts, loop, outbox, Layout.of(config.state))
