"""The burst: frames from after the press, one of them kept, the lamp lit when it is dark."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from typing import Final

from agent.capture import jpeg, quality
from agent.process import sd_notify
from hardware.camera import Camera, Frame
from hardware.errors import DeviceError
from hardware.indicator import Lamp

BURST: Final = 3
"""Frames per press: the finger shakes the device, and within a tenth of a second it calms down."""

CLEARLY_SHARPER: Final = 1.1
"""Factor of sharpness from which the last frame replaces a favourite that would pass.

Source: between frames of a scene at rest, noise alone makes up to 1.07; motion of 1.5 px makes at
least 1.14 (scenes, 2026-11).
"""

JPEG_QUALITY_PCT: Final = 85
"""About 400 KB at 2304x1296; more shows nothing more of a doorstep."""

LAMP_SETTLE_MS: Final = 150
"""Time from a change of the lamp to the first exposure: four or five frames at 30 fps.

It matters only if the camera does not report its exposure; with others, `take` waits longer.
"""

LAMP_BELOW_LUX: Final = 20.0
"""Dark enough for the lamp: a lit street has 5 to 20 lux at night. Source: EN 13201, classes C."""


@dataclass(frozen=True, slots=True)
class Shot:
    """The kept frame, its sharpness and its JPEG without EXIF.

    Attributes:
        lamp: whether it lit the frame.
        fault: why the last frame did not come; the camera is of no more use in this process.
    """

    frame: Frame
    sharpness: float
    image: bytes
    lamp: bool
    fault: DeviceError | None = None


def shoot(
    camera: Camera,
    lamp: Lamp | None,
    after_ns: int,
    deadline_s: float,
    *,
    light_changed_ns: int | None = None,
    blurred_below: float,
    on_exposed: Callable[[], None],
) -> Shot:
    """Take a burst whose exposures began after `after_ns`; a stopped camera is started.

    `light_changed_ns` is when the lamp was put out; None if it was not lit before.
    A photo less sharp than `blurred_below` would be asked for again. `on_exposed` is called as soon
    as the last frame is there and the lamp is out.

    A press holds up the loop's turns, and on a busy machine it may outlast the watchdog. Each wait
    for the camera has a deadline and each step of work ends, so the watchdog is fed after each.

    Raises:
        CameraStalled: no frame within `deadline_s`, the last one aside.
        CameraFailed: the camera reported an error before that.
    """
    camera.start()
    sd_notify.alive()
    if lamp is None or not _is_dark(camera.lux(deadline_s, light_changed_ns=light_changed_ns)):
        sd_notify.alive()
        with _burst(camera, after_ns, deadline_s, light_changed_ns) as frames:
            first = next(frames)
            sd_notify.alive()
            # Asked again: a frame exposed for the sun reports too much light at a dark door.
            if lamp is None or not _is_dark(first.lux):
                burst = chain(iter([first]), frames)  # an iterator lets go of what it gave
                del first  # 9 MB, to be held only while it is the favourite
                return _keep_sharpest(burst, blurred_below, on_exposed, lamp=False)
    # The unlit burst is given back by now: the lit one needs its buffers.
    sd_notify.alive()
    lamp.on()

    def put_out() -> None:
        lamp.off()
        on_exposed()

    try:
        with _burst(camera, after_ns, deadline_s, time.monotonic_ns()) as frames:
            return _keep_sharpest(frames, blurred_below, put_out, lamp=True)
    finally:
        lamp.off()


def last_frame_replaces(last: float, favourite: float, blurred_below: float) -> bool:
    """Return True if a last frame this sharp is kept, although the favourite is encoded already.

    It must be sharper, and clearly sharper if the favourite would pass; with noise alone both may
    be negative.
    """
    is_clear = last >= CLEARLY_SHARPER * favourite
    return last > favourite and (is_clear or favourite < blurred_below)


def _is_dark(lux: float | None) -> bool:
    """Return True if it is dark enough for the lamp."""
    return lux is not None and lux < LAMP_BELOW_LUX


def _burst(
    camera: Camera, after_ns: int, deadline_s: float, light_changed_ns: int | None
) -> closing[Generator[Frame]]:
    """Return a burst whose exposure suits the light after the last change of the lamp."""
    if light_changed_ns is not None:
        after_ns = max(after_ns, light_changed_ns + LAMP_SETTLE_MS * 1_000_000)
    return closing(camera.take(after_ns, BURST, deadline_s, light_changed_ns=light_changed_ns))


def _keep_sharpest(
    frames: Iterator[Frame], blurred_below: float, on_exposed: Callable[[], None], *, lamp: bool
) -> Shot:
    """Keep one frame; each is judged while the next is exposed.

    The favourite, the sharpest of all but the last, is encoded while the last one is exposed: a
    press waits for an encode only if the last one takes over. If the last one does not come, there
    is a photo already.
    """
    favourite, sharpness = max(map(_judged, islice(frames, BURST - 1)), key=itemgetter(1))
    image = _encoded(favourite)
    try:
        last = next(frames)
    except DeviceError as fault:
        return Shot(favourite, sharpness, image, lamp, fault)
    on_exposed()
    _, last_sharpness = _judged(last)
    if last_frame_replaces(last_sharpness, sharpness, blurred_below):
        return Shot(last, last_sharpness, _encoded(last), lamp)
    return Shot(favourite, sharpness, image, lamp)


def _judged(frame: Frame) -> tuple[Frame, float]:
    """Return a frame and its sharpness."""
    sharpness = quality.sharpness(frame.pixels)
    sd_notify.alive()
    return frame, sharpness


def _encoded(frame: Frame) -> bytes:
    image = jpeg.encode(frame.pixels, JPEG_QUALITY_PCT)
    sd_notify.alive()
    return image
