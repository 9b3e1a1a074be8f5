"""Doorstep scenes for the simulated camera: a door, a mat, a parcel with a label, and light.

A scene is a small room in metres (x right, y up, z from the wall towards the camera).
Flat textures are painted and projected with the camera's homography; then light, blur, a finger,
exposure and sensor noise follow in linear light, as they do in a camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2  # noqa: TID251 - this is one of its doors
import numpy as np
from numpy.typing import NDArray

EXPOSURE_MAX_US: Final = 33_333
"""Longest exposure. Source: 30 frames a second leave no more."""

EXPOSURE_MIN_US: Final = 100
"""Shortest exposure; daylight at gain 1. Source: order of a Camera Module 3 in sun."""

GAIN_MAX: Final = 16.0
"""Highest gain. Source: the IMX708's analogue gain ends there."""

DAY_LUX: Final = 2_000.0
"""Illuminance at light 1.0. Source: a porch on an overcast day, 1,000 to 5,000 lux."""

LAMP_LUX: Final = 60.0
"""What the lamp adds where it points. Source: a 1 W white LED at 1.5 m, about 100 lm in 60 deg."""

EXPOSURE_LUX_US: Final = 4_000.0 * 2_000.0
"""Exposure times illuminance of a well exposed picture at gain 1. Source: f/1.8, ISO 100."""

_GAMMA: Final = 2.2
_TEXTURE_PX_PER_M: Final = 640
_FOCAL_PER_WIDTH: Final = 0.80

Image = NDArray[np.uint8]
Linear = NDArray[np.float32]
Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Scene:
    """What stands before the camera, and what is wrong with it.

    Attributes:
        seed: chooses the door, the floor, the mat, the parcel and the view.
        frame: chooses the sensor noise and the direction of motion; a burst counts it up.
        width_px: width of the picture.
        height_px: height of the picture.
        light: 1.0 is day, 0.3 dusk, 0.02 night without a street lamp.
        lamp: the device's white lamp is on.
        motion_px: length of the motion blur.
        noise: 1.0 is a clean sensor; multiplies its noise, which grows with the gain.
        cover: 0 to 1, how much of the lens a finger covers.
        over_stops: how far the exposure is off; 3 is a wall in the sun.
    """

    seed: int = 0
    frame: int = 0
    width_px: int = 2304
    height_px: int = 1296
    light: float = 1.0
    lamp: bool = False
    motion_px: float = 0.0
    noise: float = 1.0
    cover: float = 0.0
    over_stops: float = 0.0


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the camera's automatic chose: exposure_us, gain (1.0 is about ISO 100), lux."""

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
    """Return height x width x 3 uint8 BGR; the same scene always gives the same pixels."""
    picture = _linear(_painted(scene))
    picture *= _light(scene)
    if scene.motion_px >= 1:
        picture = _moved(picture, scene)
    if scene.cover > 0:
        picture = _covered(picture, scene)
    return _sensed(picture, scene)


# --- light, lens and sensor -------------------------------------------------------------------


def _ambient_lux(scene: Scene) -> float:
    return DAY_LUX * float(max(scene.light, 0.001)) ** 2.5


def _linear(picture: Image) -> Linear:
    curve = ((np.arange(256) / 255) ** _GAMMA).astype(np.float32)
    linear: Linear = curve[picture]
    return linear


def _light(scene: Scene) -> Linear:
    """Return the light on each pixel as a share of what the exposure is made for."""
    y, x = _grid(scene)
    side = 0.22 * np.sin(scene.seed * 2.4)
    sky = 0.86 + side * (x - 0.5) + 0.30 * (y - 0.4)
    taken = exposure(scene)
    ambient = _ambient_lux(scene) * sky[..., None] * np.array([1.03, 1.0, 0.97], np.float32)
    if scene.lamp:
        distance2 = ((x - 0.5) * 1.5) ** 2 + ((y - 0.62) * 1.15) ** 2
        beam = LAMP_LUX * 1.25 / (1 + 5.5 * distance2) ** 2
        ambient = ambient + beam[..., None] * np.array([1.08, 1.0, 0.94], np.float32)
    strength = taken.exposure_us * taken.gain / EXPOSURE_LUX_US * 2.0**scene.over_stops
    return (ambient * strength).astype(np.float32)


def _grid(scene: Scene) -> tuple[Linear, Linear]:
    """Return y as a column and x as a row, 0 to 1."""
    y = np.linspace(0, 1, scene.height_px, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, scene.width_px, dtype=np.float32)[None, :]
    return y, x


def _moved(picture: Linear, scene: Scene) -> Linear:
    """Smear along a line, as a hand that has not come to rest does."""
    angle = _dice(scene, "motion").uniform(0, np.pi)
    half = scene.motion_px / 2
    size = int(np.ceil(half)) * 2 + 3
    kernel = np.zeros((size, size), np.float32)
    middle = size // 2
    for step in np.linspace(-half, half, size * 4):
        x, y = middle + step * np.cos(angle), middle + step * np.sin(angle)
        left, top = int(x), int(y)
        right_share, low_share = x - left, y - top
        kernel[top, left] += (1 - right_share) * (1 - low_share)
        kernel[top, left + 1] += right_share * (1 - low_share)
        kernel[top + 1, left] += (1 - right_share) * low_share
        kernel[top + 1, left + 1] += right_share * low_share
    smeared: Linear = cv2.filter2D(picture, -1, kernel / kernel.sum())
    return smeared


def _covered(picture: Linear, scene: Scene) -> Linear:
    """Slide a finger in from the right; light that gets through it is red and has no edges."""
    y, x = _grid(scene)
    glow = 0.20 - 0.10 * np.hypot(x - 0.45, 0.6 * (y - 0.35))
    finger = glow[..., None] * np.array([0.30, 0.45, 1.0], np.float32)
    finger *= picture.mean() / 0.30
    edge = 1.15 - 1.5 * scene.cover + 0.25 * (y - 0.5) ** 2
    share = np.clip((x - edge) / 0.30, 0, 1)[..., None]
    covered: Linear = picture * (1 - share) + finger * share
    return covered


def _sensed(picture: Linear, scene: Scene) -> Image:
    """Add shot and read noise, clip as the sensor does, and bend linear light to a picture."""
    gain = exposure(scene).gain
    grain = _dice(scene, "noise").standard_normal(picture.shape, dtype=np.float32)
    variance = np.clip(picture, 0, 1) * (6e-5 * gain) + (1.2e-3 * gain) ** 2
    picture = picture + np.sqrt(variance) * grain * scene.noise
    curve = ((np.arange(4096) / 4095) ** (1 / _GAMMA) * 255).astype(np.uint8)
    sensed: Image = curve[(np.clip(picture, 0, 1) * 4095).astype(np.uint16)]
    return sensed


def _dice(scene: Scene, purpose: str) -> np.random.Generator:
    return np.random.default_rng([scene.seed, scene.frame, *purpose.encode()])


# --- the room ---------------------------------------------------------------------------------

_WALLS: Final = ((92, 118, 172), (205, 214, 218), (120, 140, 150), (168, 190, 205))
_DOORS: Final = (
    (62, 40, 30),
    (46, 92, 40),
    (48, 44, 150),
    (150, 104, 52),
    (86, 130, 176),
    (70, 72, 74),
    (196, 198, 190),
    (120, 150, 60),
)
_FLOORS: Final = ((148, 152, 156), (104, 130, 160), (126, 128, 126))
_MATS: Final = ((52, 84, 120), (60, 62, 66), (66, 58, 92))
_GREETINGS: Final = ("WELCOME", "HELLO", "COME IN", "HOME")
_DOOR_DEPTH_M: Final = 0.14


@dataclass(frozen=True, slots=True)
class _View:
    """A pinhole camera: where a point in metres lands in the picture."""

    eye: Point
    target: Point
    width_px: int
    height_px: int

    def project(self, points: Sequence[Point]) -> Linear:
        forward = np.subtract(self.target, self.eye)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        axes = np.stack((right, -np.cross(right, forward), forward))
        x, y, z = axes @ (np.asarray(points, float) - self.eye).T
        focal_px = _FOCAL_PER_WIDTH * self.width_px
        placed = np.stack((focal_px * x / z + self.width_px / 2, focal_px * y / z + self.height_px / 2))
        return placed.T.astype(np.float32)


def _painted(scene: Scene) -> Image:
    """Return the room without light: height x width x 3, uint8, BGR."""
    dice = np.random.default_rng([scene.seed, 77])
    view = _View(
        (dice.uniform(-0.45, 0.45), dice.uniform(1.4, 1.55), dice.uniform(2.2, 2.4)),
        (dice.uniform(-0.1, 0.1), 0.38, 0.0),
        scene.width_px,
        scene.height_px,
    )
    canvas = np.zeros((scene.height_px, scene.width_px, 3), np.uint8)
    _paint_house(canvas, view, scene.seed, dice)
    _paint_parcel(canvas, view, scene.seed, dice)
    return cv2.GaussianBlur(canvas, (0, 0), 0.0003 * scene.width_px)


def _paint_house(canvas: Image, view: _View, seed: int, dice: np.random.Generator) -> None:
    half = dice.uniform(0.46, 0.54)
    _paste(canvas, view, _floor(seed, dice), (-2.6, 0, -0.2), (5.2, 0, 0), (0, 0, 1.9))
    door = _door(seed, dice, half * 2)
    _paste(canvas, view, door, (-half, 2.05, -_DOOR_DEPTH_M), (2 * half, 0, 0), (0, -2.05, 0))
    wall = _wall(seed, dice)
    _paste(canvas, view, wall, (half, 2.05, 0), (2.1, 0, 0), (0, -2.05, 0))
    _paste(canvas, view, wall[:, ::-1], (-half - 2.1, 2.05, 0), (2.1, 0, 0), (0, -2.05, 0))
    frame = _flat((200, 204, 206) if seed % 3 else (58, 62, 66), 1312, 70, dice, grain=0.03)
    for x, shade in ((-half, 0.62), (half, 0.78)):
        _paste(canvas, view, _shaded(frame, shade), (x, 2.05, -_DOOR_DEPTH_M), (0, 0, 0.16), (0, -2.05, 0))
    for x in (-half - 0.07, half):
        _paste(canvas, view, frame, (x, 2.05, 0.02), (0.07, 0, 0), (0, -2.05, 0))
    sill = _flat((150, 154, 158), 60, 700, dice, grain=0.06)
    _paste(canvas, view, sill, (-half - 0.07, 0.02, -_DOOR_DEPTH_M), (2 * half + 0.14, 0, 0), (0, 0, 0.2))
    _paste(canvas, view, _plaque(seed), (half + 0.2, 1.17, 0.01), (0.17, 0, 0), (0, -0.17, 0))
    _darken(canvas, view, [(-2.6, 0, 0.0), (2.6, 0, 0.0), (2.6, 0, 0.12), (-2.6, 0, 0.12)], 0.45)
    _paste(canvas, view, _mat(seed, dice), (-0.40, 0.012, 0.16), (0.80, 0, 0), (0, 0, 0.50))


def _paint_parcel(canvas: Image, view: _View, seed: int, dice: np.random.Generator) -> None:
    wide, high, deep = dice.uniform(0.38, 0.50), dice.uniform(0.22, 0.32), dice.uniform(0.26, 0.34)
    turn = dice.uniform(0.12, 0.5) * (1 if view.eye[0] < 0 else -1)
    across = np.array((np.cos(turn), 0, np.sin(turn)))
    back = np.array((np.sin(turn), 0, -np.cos(turn)))
    middle = np.array((dice.uniform(-0.2, 0.2), 0.0, dice.uniform(0.62, 0.72)))
    near_left = middle - across * wide / 2
    near_right = near_left + across * wide
    up = np.array((0, high, 0))
    foot = [near_left, near_right, near_right + back * deep, near_left + back * deep]
    reach = np.array((0.10 * np.cos(seed), 0, 0.05))
    _darken(canvas, view, [_point(p + reach + (p - middle) * 0.05) for p in foot], 0.55)
    _darken(canvas, view, [_point(p) for p in foot], 0.75)
    left_side = turn > 0
    start = near_left + back * deep if left_side else near_right
    stride = -back * deep if left_side else back * deep
    side = _shaded(_cardboard(dice, high, deep), 0.66)
    _paste(canvas, view, side, _point(start + up), _point(stride), _point(-up))
    front = _shaded(_front(seed, dice, high, wide), 0.86)
    _paste(canvas, view, front, _point(near_left + up), _point(across * wide), _point(-up))
    top = _shaded(_taped(_cardboard(dice, deep, wide)), 1.08)
    _paste(canvas, view, top, _point(near_left + back * deep + up), _point(across * wide), _point(-back * deep))


def _point(vector: NDArray[np.float64]) -> Point:
    return (float(vector[0]), float(vector[1]), float(vector[2]))


def _paste(canvas: Image, view: _View, texture: Image, origin: Point, along: Point, down: Point) -> None:
    """Project a flat texture: its upper left corner, and its upper and left edges as vectors."""
    o, a, d = np.array(origin), np.array(along), np.array(down)
    corners = view.project([_point(o), _point(o + a), _point(o + a + d), _point(o + d)])
    high, wide = texture.shape[:2]
    flat = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    onto = cv2.getPerspectiveTransform(flat, corners)
    cv2.warpPerspective(
        texture, onto, (view.width_px, view.height_px), canvas, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT
    )


def _darken(canvas: Image, view: _View, outline: Sequence[Point], strength: float) -> None:
    """Lay a soft shadow over a flat outline."""
    mask = np.zeros((view.height_px // 4, view.width_px // 4), np.uint8)
    cv2.fillPoly(mask, [(view.project(outline) / 4).astype(np.int32)], int(255 * strength))
    mask = cv2.GaussianBlur(mask, (0, 0), 0.0045 * view.width_px)
    mask = cv2.resize(mask, (view.width_px, view.height_px))
    cv2.multiply(canvas, cv2.cvtColor(255 - mask, cv2.COLOR_GRAY2BGR), canvas, 1 / 255)


# --- textures ---------------------------------------------------------------------------------


def _cloud(dice: np.random.Generator, high: int, wide: int, cell_px: int) -> Linear:
    """Return soft random values around 0 whose blotches are about a cell wide."""
    coarse = dice.standard_normal((high // cell_px + 2, wide // cell_px + 2), dtype=np.float32)
    soft: Linear = cv2.resize(coarse, (wide, high), interpolation=cv2.INTER_CUBIC)
    return soft


def _flat(
    colour: Sequence[int], high: int, wide: int, dice: np.random.Generator, *, grain: float
) -> Image:
    """Return a surface of one colour with grain and larger stains."""
    tone = 1 + grain * _cloud(dice, high, wide, 2) + 0.35 * grain * _cloud(dice, high, wide, 60)
    return _shaded(np.full((high, wide, 3), colour, np.uint8), tone[..., None])


def _shaded(texture: Image, tone: float | Linear) -> Image:
    return np.clip(texture * np.asarray(tone, np.float32), 0, 255).astype(np.uint8)


def _laid(surface: Image, high: int, wide: int, joint: int, dice: np.random.Generator, shift: int = 0) -> Image:
    """Divide a surface into bricks, slabs or boards: each with its tone, dark joints between."""
    rows, columns = np.arange(surface.shape[0])[:, None], np.arange(surface.shape[1])[None, :]
    moved = columns + (rows // high % 2) * shift
    tones = dice.normal(1, 0.09, (surface.shape[0] // high + 1, surface.shape[1] // wide + 2))
    tone = tones[rows // high, moved // wide]
    tone = np.where((rows % high < joint) | (moved % wide < joint), 0.62, tone)
    return _shaded(surface, tone[..., None].astype(np.float32))


def _wall(seed: int, dice: np.random.Generator) -> Image:
    wall = _flat(_WALLS[seed % len(_WALLS)], 1312, 1344, dice, grain=0.06)
    if seed % 4 == 0:
        return _laid(wall, 48, 154, 6, dice, shift=77)
    return _laid(wall, 110, 4000, 4, dice) if seed % 4 == 2 else wall


def _floor(seed: int, dice: np.random.Generator) -> Image:
    floor = _flat(_FLOORS[seed % len(_FLOORS)], 1216, 3328, dice, grain=0.08)
    size = ((256, 256), (90, 1300), (192, 384))[seed % len(_FLOORS)]
    return _laid(floor, *size, 5, dice, shift=size[1] // 2)


def _mat(seed: int, dice: np.random.Generator) -> Image:
    mat = _flat(_MATS[seed % len(_MATS)], 320, 512, dice, grain=0.16)
    cv2.rectangle(mat, (14, 14), (497, 305), (24, 26, 30), 8)
    _write(mat, _GREETINGS[seed % len(_GREETINGS)], 84, (256, 232), (22, 24, 28))
    return mat


def _door(seed: int, dice: np.random.Generator, wide_m: float) -> Image:
    high, wide = 1312, int(wide_m * _TEXTURE_PX_PER_M)
    door = _flat(_DOORS[seed % len(_DOORS)], high, wide, dice, grain=0.025)
    match seed % 3:
        case 0:
            for top, bottom in ((80, 480), (560, 820), (900, 1230)):
                _panel(door, (70, top), (wide // 2 - 25, bottom))
                _panel(door, (wide // 2 + 25, top), (wide - 70, bottom))
        case 1:
            door = _laid(door, 4000, 82, 5, dice)
        case _:
            for groove in range(120, high, 190):
                cv2.line(door, (0, groove), (wide, groove), (30, 30, 30), 4)
            cv2.rectangle(door, (wide // 4, 130), (wide // 4 + 90, 1120), (96, 92, 84), -1)
            cv2.rectangle(door, (wide // 4, 130), (wide // 4 + 90, 1120), (40, 40, 40), 6)
    cv2.rectangle(door, (wide // 2 - 90, 790), (wide // 2 + 90, 834), (150, 156, 160), -1)
    cv2.rectangle(door, (wide // 2 - 80, 800), (wide // 2 + 80, 826), (84, 88, 90), 3)
    cv2.rectangle(door, (wide - 62, 610), (wide - 30, 760), (140, 146, 150), -1)
    cv2.rectangle(door, (wide - 130, 654), (wide - 36, 674), (206, 210, 214), -1)
    return door


def _panel(door: Image, upper_left: tuple[int, int], lower_right: tuple[int, int]) -> None:
    (left, top), (right, bottom) = upper_left, lower_right
    shade = door[top, left].astype(int)
    dark, bright = (shade * 0.55).tolist(), np.minimum(shade * 1.35 + 12, 255).tolist()
    cv2.polylines(door, [np.array(((left, bottom), (left, top), (right, top)))], False, dark, 9)
    cv2.polylines(door, [np.array(((left, bottom), (right, bottom), (right, top)))], False, bright, 9)


def _plaque(seed: int) -> Image:
    plaque = np.full((200, 200, 3), (120, 62, 30), np.uint8)
    cv2.rectangle(plaque, (6, 6), (193, 193), (235, 238, 240), 5)
    _write(plaque, str(7 + seed * 13 % 90), 110, (100, 150), (240, 242, 244), 12)
    return plaque


def _cardboard(dice: np.random.Generator, high_m: float, wide_m: float) -> Image:
    return _flat((104, 148, 186), int(high_m * 1000), int(wide_m * 1000), dice, grain=0.035)


def _taped(cardboard: Image) -> Image:
    middle = cardboard.shape[0] // 2
    strip = cardboard[middle - 26 : middle + 26]
    strip[:] = _shaded(strip, 0.84)
    cv2.line(cardboard, (0, middle), (cardboard.shape[1], middle), (62, 92, 122), 2)
    return cardboard


def _front(seed: int, dice: np.random.Generator, high_m: float, wide_m: float) -> Image:
    front = _cardboard(dice, high_m, wide_m)
    high, wide = front.shape[:2]
    label = _label(seed, dice)
    front[high // 2 - 80 : high // 2 + 80, wide - 250 : wide - 26] = label
    _write(front, "FRAGILE", 34, (wide // 4 - 4, high - 34), (52, 66, 92), 3)
    for x in (wide // 6 - 14, wide // 6 + 34):
        cv2.arrowedLine(front, (x, high // 2 + 40), (x, high // 2 - 50), (52, 66, 92), 5, tipLength=0.35)
    return front


def _label(seed: int, dice: np.random.Generator) -> Image:
    label = np.full((160, 224, 3), (238, 242, 243), np.uint8)
    widths = dice.integers(1, 4, 100)
    at = 14
    for index, width in enumerate(widths):
        if at + width > 210:
            break
        if index % 2 == 0:
            cv2.rectangle(label, (at, 62), (at + int(width) - 1, 124), (28, 28, 28), -1)
        at += int(width)
    _write(label, f"STOP {seed % 60 + 1:02d}", 26, (76, 40), (20, 20, 20), 3)
    _write(label, "2.4 KG", 16, (184, 36), (30, 30, 30), 2)
    _write(label, f"DS {4711 + seed * 37:06d}", 16, (112, 148), (30, 30, 30), 2)
    cv2.line(label, (0, 54), (224, 54), (30, 30, 30), 2)
    cv2.rectangle(label, (0, 0), (223, 159), (120, 124, 126), 2)
    return label


def _write(
    texture: Image, text: str, high_px: int, at: tuple[int, int], colour: Sequence[int], thick: int = 8
) -> None:
    """Write a line of text whose base line is centred at a point."""
    font = cv2.FONT_HERSHEY_DUPLEX
    scale = cv2.getFontScaleFromHeight(font, high_px, thick)
    (wide, _), _ = cv2.getTextSize(text, font, scale, thick)
    cv2.putText(texture, text, (at[0] - wide // 2, at[1]), font, scale, colour, thick, cv2.LINE_AA)
