"""The burst: from after the press, one of three, the lamp when it is dark."""

import time
import weakref
from collections.abc import Callable, Generator
from dataclasses import replace
from itertools import pairwise

import pytest

from agent.capture import burst, jpeg, quality
from agent.capture.quality import Pixels
from agent.config import Thresholds
from agent.process import sd_notify
from hardware.camera import Camera, Frame
from hardware.errors import CameraStalled
from hardware.simulated.scenes import Scene, render
from tests.support.benchtop import Parts, Pictures, SetLamp, StallsAtTheThird, picture

AFTER_NS = 5_000_000_000
CUT = Thresholds(version="").blurred_below
EVENING = Scene(seed=1, width_px=1280, height_px=720, light=0.1)


def camera_with(lamp: SetLamp | None, lux: float | None = 2_000.0) -> Pictures:
    camera = Parts().camera
    camera.lamp, camera.unlit_lux = lamp, lux
    return camera


class Noting(Pictures):
    """A camera that notes when it starts, when a frame comes, and when a burst is closed."""

    def __init__(self) -> None:
        super().__init__(time.monotonic_ns)
        self.steps: list[str] = []
        self.bursts: list[Generator[Frame]] = []  # so that none is closed by being forgotten

    def start(self) -> None:
        super().start()
        self.steps.append("start")

    def take(
        self, after_ns: int, count: int, deadline_s: float, *, light_changed_ns: int | None = None
    ) -> Generator[Frame]:
        self.bursts.append(
            self._noted(
                super().take(after_ns, count, deadline_s, light_changed_ns=light_changed_ns), count
            )
        )
        return self.bursts[-1]

    def lux(self, deadline_s: float, *, light_changed_ns: int | None = None) -> float | None:
        self.steps.append("lux")
        return super().lux(deadline_s, light_changed_ns=light_changed_ns)

    def _noted(self, frames: Generator[Frame], left: int) -> Generator[Frame]:
        try:
            for frame in frames:
                self.steps.append("frame")
                left -= 1
                yield frame
        finally:
            self.steps.append("give back" if left else "end")


def shoot(
    camera: Camera,
    lamp: SetLamp | None = None,
    *,
    cut: float = CUT,
    light_changed_ns: int | None = None,
    on_exposed: Callable[[], None] = lambda: None,
) -> burst.Shot:
    return burst.shoot(
        camera,
        lamp,
        AFTER_NS,
        2.0,
        light_changed_ns=light_changed_ns,
        blurred_below=cut,
        on_exposed=on_exposed,
    )


@pytest.mark.parametrize("kept", range(3))
def test_the_jpeg_and_the_sharpness_are_those_of_the_kept_frame(kept: int) -> None:
    camera = camera_with(None)
    camera.pictures = [picture(motion_px=6.0) for _ in range(3)]
    camera.pictures[kept] = picture()

    shot = shoot(camera)

    assert shot.frame is camera.taken[kept]
    assert shot.image == jpeg.encode(shot.frame.pixels, burst.JPEG_QUALITY_PCT)
    assert shot.sharpness == quality.sharpness(shot.frame.pixels)


def a_hair_sharper_each() -> list[Pixels]:
    at_rest = [render(replace(EVENING, frame=number)) for number in range(3)]
    return sorted(at_rest, key=quality.sharpness)


def test_a_photo_that_passes_is_not_given_away_for_one_that_is_asked_for_again() -> None:
    camera = camera_with(None)
    camera.pictures = a_hair_sharper_each()
    *_, would_pass = map(quality.sharpness, camera.pictures)

    shot = shoot(camera, cut=would_pass)

    assert shot.sharpness == would_pass
    assert shot.image == jpeg.encode(shot.frame.pixels, burst.JPEG_QUALITY_PCT)


@pytest.mark.parametrize(
    ("last", "favourite", "is_kept"),
    [
        (109.9, 100.0, False),
        (110.1, 100.0, True),
        (99.0, 95.0, False),
        (96.0, 92.0, True),
        (92.1, 92.0, True),
        (92.0, 92.0, False),
        (-10.3, -10.0, False),
        (-9.9, -10.0, True),
        (0.0, 0.0, False),
    ],
)
def test_the_last_frame_is_kept_where_it_is_clearly_sharper_or_the_favourite_is_blurred(
    last: float, favourite: float, *, is_kept: bool
) -> None:
    assert burst.last_frame_replaces(last, favourite, 95.0) is is_kept


def test_jpeg_is_made_during_the_last_exposure_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the evening grain makes the last one sharper by a hair; nobody waits for its JPEG."""
    camera = Noting()
    encode = jpeg.encode

    def noted(pixels: Pixels, quality_pct: int) -> bytes:
        camera.steps.append("encode")
        return encode(pixels, quality_pct)

    monkeypatch.setattr(jpeg, "encode", noted)
    camera.pictures = a_hair_sharper_each()

    shot = shoot(camera)

    assert camera.steps == ["start", "frame", "frame", "encode", "frame", "end"]
    assert shot.frame is camera.taken[1]


@pytest.mark.parametrize("lux", [1.0, 2_000.0], ids=["lit", "by day"])
def test_light_is_shown_and_lamp_out_before_the_last_frame_is_judged(
    monkeypatch: pytest.MonkeyPatch, lux: float
) -> None:
    """White says hold still, and an encode of the last frame is long."""
    steps: list[str] = []
    sharpness = quality.sharpness

    def judged(pixels: Pixels) -> float:
        steps.append("judged")
        return sharpness(pixels)

    def told() -> None:
        assert not lamp.lit
        steps.append(f"told after {len(camera.taken)}")

    monkeypatch.setattr(quality, "sharpness", judged)
    lamp = SetLamp()
    camera = camera_with(lamp, lux)

    shot = shoot(camera, lamp, on_exposed=told)

    assert steps == ["judged", "judged", f"told after {len(camera.taken)}", "judged"]
    assert shot.lamp is (lux < burst.LAMP_BELOW_LUX)


@pytest.mark.parametrize("sharpest", [0, 1])
def test_favourite_alone_is_held_while_the_last_frame_is_exposed(sharpest: int) -> None:
    """A frame has 9 MB."""
    pictures: list[weakref.ref[Pixels]] = []
    held: list[bool] = []

    class Forgets(Pictures):
        def take(
            self,
            after_ns: int,
            count: int,
            deadline_s: float,
            *,
            light_changed_ns: int | None = None,
        ) -> Generator[Frame]:
            assert deadline_s > 0
            assert light_changed_ns is None
            for number in range(count):
                held[:] = [one() is not None for one in pictures]
                pixels = picture(motion_px=0.0 if number == sharpest else 6.0).copy()
                pictures.append(weakref.ref(pixels))
                frame = Frame(pixels, 1, 1.0, None, after_ns)
                del pixels
                yield frame
                del frame

    shoot(Forgets(time.monotonic_ns))

    assert held == [number == sharpest for number in range(2)]


@pytest.mark.parametrize("lux", [20.0, 2_000.0, None])
def test_the_lamp_stays_dark_in_daylight_and_where_nothing_measures_it(lux: float | None) -> None:
    lamp = SetLamp()

    shot = shoot(camera_with(lamp, lux), lamp)

    assert not shot.lamp
    assert lamp.times_lit == 0


def test_lamp_is_lit_in_the_dark_for_a_burst_and_put_out() -> None:
    """The exposure has to follow the lamp, and a camera that reports none gets time for it."""
    lamp = SetLamp()
    camera = camera_with(lamp, 19.9)

    shot = shoot(camera, lamp)

    _, lit_ns = camera.light_changed_ns
    assert shot.lamp
    assert len(camera.taken) == 3
    assert lit_ns is not None
    assert lit_ns >= lamp.lit_ns
    settled_ns = lit_ns + burst.LAMP_SETTLE_MS * 1_000_000
    assert all(frame.exposure_began_ns > settled_ns for frame in camera.taken)
    assert lamp.times_lit == 1
    assert not lamp.lit


@pytest.mark.parametrize("lux", [1.0, 2_000.0], ids=["lit", "by day"])
def test_a_burst_waits_for_what_the_press_waits_for(lux: float) -> None:
    """The motor must be at rest: a lamp lit before that does not begin the burst earlier."""
    lamp, still_ns = SetLamp(), time.monotonic_ns() + 10_000_000_000
    camera = camera_with(lamp, lux)

    burst.shoot(camera, lamp, still_ns, 2.0, blurred_below=CUT, on_exposed=lambda: None)

    assert all(frame.exposure_began_ns > still_ns for frame in camera.taken)


@pytest.mark.parametrize("has_lamp", [True, False])
def test_no_frame_counts_that_began_before_the_lamp_was_put_out(*, has_lamp: bool) -> None:
    """Such a frame counts neither for the light nor for the exposure."""
    lamp, out_ns = SetLamp() if has_lamp else None, time.monotonic_ns()
    camera = camera_with(lamp)

    shoot(camera, lamp, light_changed_ns=out_ns)

    assert camera.light_changed_ns == [out_ns] * (1 + has_lamp)
    settled_ns = out_ns + burst.LAMP_SETTLE_MS * 1_000_000
    assert all(frame.exposure_began_ns > settled_ns for frame in camera.taken)


def test_the_lamp_is_lit_before_any_frame_is_asked_for() -> None:
    """An unlit burst would wait for the exposure of frames that are not kept."""
    camera = Noting()

    class NotedLamp(SetLamp):
        def on(self) -> None:
            super().on()
            camera.steps.append("lit")

    lamp = camera.lamp = NotedLamp()
    camera.unlit_lux = 1.0

    shoot(camera, lamp)

    assert camera.steps == ["start", "lux", "lit", "frame", "frame", "frame", "end"]


def test_a_door_that_turns_out_to_be_dark_is_taken_again_with_the_lamp() -> None:
    """If a frame is exposed for the sun, the sensor's own noise looks like light.

    The sensor has buffers for one burst: the unlit one is given back before the lit one.
    """
    camera = Noting()
    lamp = camera.lamp = SetLamp()
    camera.first_lux, camera.unlit_lux = 300.0, 1.0

    shot = shoot(camera, lamp)

    unlit, lit = ["frame", "give back"], ["frame", "frame", "frame", "end"]
    assert camera.steps == ["start", "lux", *unlit, *lit]
    assert shot.lamp
    assert shot.frame in camera.taken[1:]


@pytest.mark.parametrize(
    ("first_lux", "lux"),
    [(1.0, 1.0), (300.0, 1.0), (2_000.0, 2_000.0)],
    ids=["lit", "taken again", "by day"],
)
def test_watchdog_is_fed_between_any_two_waits_for_the_camera(
    monkeypatch: pytest.MonkeyPatch, first_lux: float, lux: float
) -> None:
    """On a slow processor each wait may last three times its limit; their sum ends the process."""
    camera = Noting()
    monkeypatch.setattr(sd_notify, "alive", lambda: camera.steps.append("fed"))
    lamp = camera.lamp = SetLamp()
    camera.first_lux, camera.unlit_lux = first_lux, lux

    shoot(camera, lamp)

    waits = {"start", "lux", "frame", "give back"}
    assert [pair for pair in pairwise(camera.steps) if set(pair) <= waits] == []


def test_photo_is_taken_in_the_dark_also_without_a_lamp() -> None:
    shot = shoot(camera_with(None, 0.1))

    assert not shot.lamp


def test_a_stall_at_the_last_frame_leaves_the_sharper_of_the_two_before_it() -> None:
    camera = StallsAtTheThird(time.monotonic_ns)
    camera.pictures = [picture(), picture(motion_px=6.0)]

    shot = shoot(camera)

    assert shot.frame is camera.taken[0]
    assert shot.image == jpeg.encode(shot.frame.pixels, burst.JPEG_QUALITY_PCT)
    assert isinstance(shot.fault, CameraStalled)


def test_the_lamp_is_put_out_when_the_camera_stalls() -> None:
    lamp = SetLamp()
    camera = camera_with(lamp, 1.0)
    stall = CameraStalled("no frame")

    class StallsWhenLit(SetLamp):
        def on(self) -> None:
            super().on()
            camera.error = stall

    lamp = camera.lamp = StallsWhenLit()

    with pytest.raises(CameraStalled):
        shoot(camera, lamp)

    assert lamp.times_lit == 1
    assert not lamp.lit
