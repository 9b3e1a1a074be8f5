"""Doorstep scenes for the simulated camera: a door, a mat, a parcel with a label, and light.

The painted room (scene_room.py) comes first; then motion, light, a finger and exposure follow in
linear light, and the sensor (sensor.py) makes a picture of it, as in a camera.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hardware.simulated.scene_room import Image, Linear, bands, painted
from hardware.simulated.sensor import FULL_WELL_E, GAMMA, Processing, Raw, processed, sensed
from hardware.simulated.smear import arc, moved

EXPOSURE_MAX_US: Final = 33_333
"""Longest exposure: 30 frames a second leave no more."""

EXPOSURE_MIN_US: Final = 100
"""Shortest exposure: the sun itself on a wall, 80,000 lux, at gain 1."""

GAIN_MAX: Final = 16.0
"""Highest gain. Source: the IMX708's analogue gain ends there."""

DAY_LUX: Final = 2_000.0
"""Illuminance at light 1.0: a porch on an overcast day, 1,000 to 5,000 lux."""

LAMP_LUX: Final = 60.0
"""Light of the lamp where it points: a 1 W white LED at 1.5 m, about 100 lm in 60 deg."""

EXPOSURE_LUX_US: Final = 4_000.0 * 2_000.0
"""Exposure times illuminance of a well exposed picture at gain 1. Source: f/1.8, ISO 100."""

_WHITE: Final = 65_535
"""Light is counted in 16 bits: dark scenes keep their steps."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The scene in front of the camera, with its faults.

    Attributes:
        seed: chooses the door, the floor, the mat, the parcel and the view.
        frame: chooses the sensor noise and the direction of motion; a burst counts it up.
        width_px: width of the picture.
        height_px: height of the picture.
        house: the house number beside the door, 1 to 99; 0 lets the seed choose it.
        light: 1.0 is day, 0.3 dusk, 0.02 night without a street lamp.
        lamp: the device's white lamp is on.
        motion_px: largest extent of the motion blur.
        motion_arc_deg: angle of the arc that the motion follows; 0 is straight.
        noise: 1.0 is a clean sensor; multiplies its noise, which grows with the gain.
        cover: 0 to 1, how much of the lens a finger covers.
        over_stops: how far the exposure is off; 3 is a wall in the sun.
        jpeg_pct: quality of the JPEG that the camera sends, as a webcam does; 0 is none.
    """

    seed: int = 0
    frame: int = 0
    width_px: int = 2304
    height_px: int = 1296
    house: int = 0
    light: float = 1.0
    lamp: bool = False
    motion_px: float = 0.0
    motion_arc_deg: float = 0.0
    noise: float = 1.0
    cover: float = 0.0
    over_stops: float = 0.0
    jpeg_pct: int = 0


@dataclass(frozen=True, slots=True)
class Exposure:
    """The choice of the camera's automatic: exposure_us, gain (1.0 is about ISO 100), lux."""

    exposure_us: int
    gain: float
    lux: float


def exposure(scene: Scene) -> Exposure:
    """Return the exposure for the scene's light: longer first, then more gain, then it is dark."""
    lux = _ambient_lux(scene) + (LAMP_LUX if scene.lamp else 0.0)
    wanted_us = EXPOSURE_LUX_US / lux
    exposure_us = min(max(wanted_us, EXPOSURE_MIN_US), EXPOSURE_MAX_US)
    gain = min(max(wanted_us / exposure_us, 1.0), GAIN_MAX)
    return Exposure(round(exposure_us), round(gain, 2), round(lux, 2))


def render(scene: Scene) -> Image:
    """Return height x width x 3 uint8 BGR; the same scene always gives the same pixels.

    The room of the latest scene is kept, 9 MB at full size, so that a burst paints it once.
    """
    raw = _exposed_raw(scene)
    return processed(raw, _white_e(scene), Processing(jpeg_pct=scene.jpeg_pct or None))


def _exposed_raw(scene: Scene) -> Raw:
    room = painted(scene.seed, scene.house, scene.width_px, scene.height_px)
    light = _moved(_linear(room), scene) if scene.motion_px > 0 else _linear(room)
    rng = _rng(scene, "noise")
    raw = np.empty(room.shape[:2], np.uint16)
    for rows in bands(scene.height_px):
        seen = light[rows].astype(np.float32) * _light(scene, rows)
        if scene.cover > 0:
            seen = _covered(seen, scene, rows)
        raw[rows] = sensed(seen, _white_e(scene), rng, scene.noise)
    return raw


def _white_e(scene: Scene) -> float:
    """Return the electrons at the sensor's limit."""
    return FULL_WELL_E / exposure(scene).gain


def _ambient_lux(scene: Scene) -> float:
    return float(DAY_LUX * max(scene.light, 0.001) ** 2.5)


def _linear(picture: Image) -> NDArray[np.uint16]:
    """Return linear light, 16 bits of it: half the memory of floats, and no visible steps."""
    curve = (np.linspace(0, 1, 256) ** GAMMA * _WHITE).astype(np.uint16)
    return curve[picture]


def _light(scene: Scene, rows: slice) -> Linear:
    """Return the light on some rows, as the factor from 16-bit albedo to what is exposed."""
    y, x = _grid(scene, rows)
    side = 0.22 * np.sin(scene.seed * 2.4)
    sky = 0.86 + side * (x - 0.5) + 0.30 * (y - 0.4)
    light = _ambient_lux(scene) * sky[..., None] * np.array([1.03, 1.0, 0.97])
    if scene.lamp:
        distance2 = ((x - 0.5) * 1.5) ** 2 + ((y - 0.62) * 1.15) ** 2
        beam = LAMP_LUX * 1.25 / (1 + 5.5 * distance2) ** 2
        light += beam[..., None] * np.array([1.08, 1.0, 0.94])
    return np.asarray(light * _exposed(scene) / _WHITE, np.float32)


def _exposed(scene: Scene) -> float:
    """Return what one lux of light becomes, where 1.0 is the sensor's limit."""
    taken = exposure(scene)
    return float(taken.exposure_us * taken.gain / EXPOSURE_LUX_US * 2.0**scene.over_stops)


def _grid(scene: Scene, rows: slice) -> tuple[Linear, Linear]:
    """Return y of some rows as a column and x as a row, 0 to 1."""
    y = np.linspace(0, 1, scene.height_px, dtype=np.float32)[rows, None]
    x = np.linspace(0, 1, scene.width_px, dtype=np.float32)[None, :]
    return np.asarray(y, np.float32), x


def _moved(picture: NDArray[np.uint16], scene: Scene) -> NDArray[np.uint16]:
    """Smear as a hand that has not come to rest does."""
    direction_deg = _rng(scene, "motion").uniform(0, 360)
    return moved(picture, arc(scene.motion_px, scene.motion_arc_deg, direction_deg))


def _covered(seen: Linear, scene: Scene, rows: slice) -> Linear:
    """Draw a finger that comes in from the right; light through it is red and has no edges."""
    y, x = _grid(scene, rows)
    lux = exposure(scene).lux
    glow = (0.17 - 0.09 * np.hypot(x - 0.45, 0.6 * (y - 0.35))) * lux * _exposed(scene)
    finger = glow[..., None] * np.array([0.30, 0.45, 1.0])
    edge = 1.15 - 1.5 * scene.cover + 0.25 * (y - 0.5) ** 2
    share = np.clip((x - edge) / 0.30, 0, 1)[..., None]
    return np.asarray(seen * (1 - share) + finger * share, np.float32)


def _rng(scene: Scene, purpose: str) -> np.random.Generator:
    return np.random.default_rng([scene.seed, scene.frame, *purpose.encode()])
