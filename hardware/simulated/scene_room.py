"""The painted room of a scene: door, wall, floor, mat, and a parcel with a label; pure.

A room is in metres: x right, y up, z from the wall towards the camera.
Flat textures are painted and projected with the camera's homography.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import cv2  # noqa: TID251 - one of the importers
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Linear = NDArray[np.float32]
Point = tuple[float, float, float]
Vector = Point | NDArray[np.float64]

_TEXTURE_PX_PER_M: Final = 640
"""Walls and doors are painted as finely as a picture 2304 wide shows them from 2.9 m."""

_FOCAL_PER_WIDTH: Final = 0.80
"""Focal length by the width of the picture: a field of view of 64 degrees."""

_BAND_PX: Final = 48
"""Rows that are worked on at once, as floats: 1.3 MB of a picture that is 2304 wide."""

LENS_PX: Final = 0.7
"""Standard deviation of the lens's blur in pixels, at every width of the picture.

A camera's lens is made for its pixels: no edge is sharper than they are, and few are softer."""

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
"""Depth of a door behind its wall: half a brick and its plaster."""


def bands(high: int) -> Iterator[slice]:
    """Cut a picture into bands of rows, so that its numbers as floats need little memory."""
    return (slice(top, min(top + _BAND_PX, high)) for top in range(0, high, _BAND_PX))


@dataclass(frozen=True, slots=True)
class _Room:
    """A picture of the room as a pinhole camera at `eye`, looking at `target`, sees it."""

    pixels: Image
    eye: Point
    target: Point

    def project(self, points: Sequence[Vector]) -> Linear:
        """Return where points in metres land, in pixels: points x 2."""
        forward = np.subtract(self.target, self.eye)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        axes = np.stack((right, -np.cross(right, forward), forward))
        x, y, z = axes @ (np.asarray(points, float) - self.eye).T
        high, wide = self.pixels.shape[:2]
        focal_px = _FOCAL_PER_WIDTH * wide
        placed = (focal_px * x / z + wide / 2, focal_px * y / z + high / 2)
        return np.stack(placed, axis=1).astype(np.float32)

    def paste(self, texture: Image, origin: Vector, along: Vector, down: Vector) -> None:
        """Lay a flat texture: its upper left corner, and its upper and left edges as vectors."""
        o, a, d = np.array(origin), np.array(along), np.array(down)
        corners = self.project((o, o + a, o + a + d, o + d))
        high, wide = texture.shape[:2]
        flat = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
        onto = cv2.getPerspectiveTransform(flat, corners)
        size = self.pixels.shape[1::-1]
        edge = cv2.BORDER_TRANSPARENT
        cv2.warpPerspective(texture, onto, size, self.pixels, cv2.INTER_LINEAR, edge)

    def darken(self, outline: Sequence[Vector], strength: float) -> None:
        """Lay a soft shadow over a flat outline."""
        high, wide = self.pixels.shape[:2]
        mask = np.full((high // 4, wide // 4), 255, np.uint8)
        cv2.fillPoly(mask, [(self.project(outline) / 4).astype(np.int32)], 255 * (1 - strength))
        soft = cv2.resize(cv2.GaussianBlur(mask, (0, 0), 0.0045 * wide), (wide, high))
        cv2.multiply(self.pixels, cv2.cvtColor(soft, cv2.COLOR_GRAY2BGR), self.pixels, 1 / 255)


@lru_cache(maxsize=1)
def painted(seed: int, house: int, width_px: int, height_px: int) -> Image:
    """Return the room without light: height x width x 3, uint8, BGR; read-only, it is kept.

    Args:
        seed: chooses everything else in the room.
        house: the house number on the plaque, 1 to 99; 0 lets the seed choose it.
        width_px: width of the picture.
        height_px: height of the picture.
    """
    rng = np.random.default_rng([seed, 77])
    eye = (rng.uniform(-0.45, 0.45), rng.uniform(1.4, 1.55), rng.uniform(2.2, 2.4))
    canvas = np.zeros((height_px, width_px, 3), np.uint8)
    room = _Room(canvas, eye, (rng.uniform(-0.1, 0.1), 0.38, 0.0))
    _paint_house(room, seed, house or 7 + seed * 13 % 90, rng)
    _paint_parcel(room, seed, rng)
    cv2.GaussianBlur(canvas, (0, 0), LENS_PX, dst=canvas)
    canvas.setflags(write=False)
    return canvas


def _paint_house(room: _Room, seed: int, number: int, rng: np.random.Generator) -> None:
    half = rng.uniform(0.46, 0.54)
    room.paste(_floor(seed, rng), (-2.6, 0, -0.2), (5.2, 0, 0), (0, 0, 1.9))
    door = _door(seed, rng, half * 2)
    room.paste(door, (-half, 2.05, -_DOOR_DEPTH_M), (2 * half, 0, 0), (0, -2.05, 0))
    wall = _wall(seed, rng)
    room.paste(wall, (half, 1.5, 0), (2.1, 0, 0), (0, -1.5, 0))
    room.paste(wall[:, ::-1], (-half - 2.1, 1.5, 0), (2.1, 0, 0), (0, -1.5, 0))
    frame = _flat((200, 204, 206) if seed % 3 else (58, 62, 66), 1312, 70, rng, grain=0.03)
    for x, shade in ((-half, 0.62), (half, 0.78)):
        room.paste(_toned(frame, shade), (x, 2.05, -_DOOR_DEPTH_M), (0, 0, 0.16), (0, -2.05, 0))
    for x in (-half - 0.07, half):
        room.paste(frame, (x, 2.05, 0.02), (0.07, 0, 0), (0, -2.05, 0))
    sill = _flat((150, 154, 158), 60, 700, rng, grain=0.06)
    room.paste(sill, (-half - 0.07, 0.02, -_DOOR_DEPTH_M), (2 * half + 0.14, 0, 0), (0, 0, 0.2))
    room.paste(_plaque(number), (half + 0.2, 1.17, 0.01), (0.17, 0, 0), (0, -0.17, 0))
    room.darken([(-2.6, 0, 0.0), (2.6, 0, 0.0), (2.6, 0, 0.12), (-2.6, 0, 0.12)], 0.45)
    room.paste(_mat(seed, rng), (-0.40, 0.012, 0.16), (0.80, 0, 0), (0, 0, 0.50))


def _paint_parcel(room: _Room, seed: int, rng: np.random.Generator) -> None:
    wide, high, deep = rng.uniform(0.38, 0.50), rng.uniform(0.22, 0.32), rng.uniform(0.26, 0.34)
    turn = rng.uniform(0.12, 0.5) * (1 if room.eye[0] < 0 else -1)
    across = np.array((np.cos(turn), 0, np.sin(turn)))
    back = np.array((np.sin(turn), 0, -np.cos(turn)))
    middle = np.array((rng.uniform(-0.2, 0.2), 0.0, rng.uniform(0.62, 0.72)))
    near_left = middle - across * wide / 2
    near_right = near_left + across * wide
    up = np.array((0, high, 0))
    foot = [near_left, near_right, near_right + back * deep, near_left + back * deep]
    reach = np.array((0.10 * np.cos(seed), 0, 0.05))
    room.darken([p + reach + (p - middle) * 0.05 for p in foot], 0.55)
    room.darken(foot, 0.75)
    for start, outwards in ((near_left, -across), (near_right, across)):
        if np.dot(np.subtract(room.eye, start), outwards) > 0:
            side = _toned(_cardboard(rng, high, deep), 0.66)
            room.paste(side, start + back * deep + up, -back * deep, -up)
    front = _toned(_front(seed, rng, high, wide), 0.86)
    room.paste(front, near_left + up, across * wide, -up)
    top = _toned(_taped(_cardboard(rng, deep, wide)), 1.08)
    room.paste(top, near_left + back * deep + up, across * wide, -back * deep)


# --- textures ---------------------------------------------------------------------------------


def _cloud(rng: np.random.Generator, high: int, wide: int, cell_px: int) -> Linear:
    """Return soft random values around 0 whose blotches are about a cell wide."""
    coarse = rng.standard_normal((high // cell_px + 2, wide // cell_px + 2), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (wide, high), interpolation=cv2.INTER_CUBIC), np.float32)


def _flat(
    colour: Sequence[int], high: int, wide: int, rng: np.random.Generator, *, grain: float
) -> Image:
    """Return a surface of one colour with grain and larger stains."""
    tone = _cloud(rng, high, wide, 2) + 0.35 * _cloud(rng, high, wide, 60)
    surface = np.empty((high, wide, 3), np.uint8)
    for rows in bands(high):
        surface[rows] = _toned(np.array(colour, np.float32), 1 + grain * tone[rows, :, None])
    return surface


def _toned(colours: NDArray[Any], tone: float | NDArray[Any]) -> Image:
    return np.clip(colours * tone, 0, 255).astype(np.uint8)


def _laid(
    surface: Image, size: tuple[int, int], joint: int, rng: np.random.Generator, *, shift: int = 0
) -> Image:
    """Divide a surface into bricks, slabs or boards of a height and width, with dark joints.

    Each has its tone; every second row is shifted.
    """
    high, wide = size
    y, x = np.arange(surface.shape[0])[:, None], np.arange(surface.shape[1])[None, :]
    counts = (len(y) // high + 1, (x.size + shift) // wide + 1)
    tones = rng.normal(1, 0.09, counts).astype(np.float32)
    laid = np.empty_like(surface)
    for rows in bands(len(y)):
        moved = x + (y[rows] // high % 2) * shift
        in_joint = (y[rows] % high < joint) | (moved % wide < joint)
        tone = np.where(in_joint, np.float32(0.62), tones[y[rows] // high, moved // wide])
        laid[rows] = _toned(surface[rows], tone[..., None])
    return laid


def _wall(seed: int, rng: np.random.Generator) -> Image:
    wall = _flat(_WALLS[seed % len(_WALLS)], 960, 1344, rng, grain=0.06)
    if seed % 4 == 0:
        return _laid(wall, (48, 154), 6, rng, shift=77)
    return _laid(wall, (110, 4000), 4, rng) if seed % 4 == 2 else wall


def _floor(seed: int, rng: np.random.Generator) -> Image:
    floor = _flat(_FLOORS[seed % len(_FLOORS)], 1216, 3328, rng, grain=0.08)
    size = ((256, 256), (90, 1300), (192, 384))[seed % len(_FLOORS)]
    return _laid(floor, size, 5, rng, shift=size[1] // 2)


def _mat(seed: int, rng: np.random.Generator) -> Image:
    mat = _flat(_MATS[seed % len(_MATS)], 320, 512, rng, grain=0.16)
    cv2.rectangle(mat, (14, 14), (497, 305), (24, 26, 30), 8)
    _write(mat, _GREETINGS[seed % len(_GREETINGS)], 84, (256, 232), (22, 24, 28))
    return mat


def _door(seed: int, rng: np.random.Generator, wide_m: float) -> Image:
    high, wide = 1312, int(wide_m * _TEXTURE_PX_PER_M)
    door = _flat(_DOORS[seed % len(_DOORS)], high, wide, rng, grain=0.025)
    match seed % 3:
        case 0:
            for top, bottom in ((80, 480), (560, 820), (900, 1230)):
                _panel(door, (70, top), (wide // 2 - 25, bottom))
                _panel(door, (wide // 2 + 25, top), (wide - 70, bottom))
        case 1:
            door = _laid(door, (4000, 82), 5, rng)
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
    cv2.polylines(
        door, [np.array(((left, bottom), (right, bottom), (right, top)))], False, bright, 9
    )


def _plaque(number: int) -> Image:
    plaque = np.full((200, 200, 3), (120, 62, 30), np.uint8)
    cv2.rectangle(plaque, (6, 6), (193, 193), (235, 238, 240), 5)
    _write(plaque, str(number), 110, (100, 150), (240, 242, 244))
    return plaque


def _cardboard(rng: np.random.Generator, high_m: float, wide_m: float) -> Image:
    return _flat((104, 148, 186), int(high_m * 1000), int(wide_m * 1000), rng, grain=0.035)


def _taped(cardboard: Image) -> Image:
    middle = cardboard.shape[0] // 2
    strip = cardboard[middle - 26 : middle + 26]
    strip[:] = _toned(strip, 0.84)
    cv2.line(cardboard, (0, middle), (cardboard.shape[1], middle), (62, 92, 122), 2)
    return cardboard


def _front(seed: int, rng: np.random.Generator, high_m: float, wide_m: float) -> Image:
    front = _cardboard(rng, high_m, wide_m)
    high, wide = front.shape[:2]
    label = _label(seed, rng)
    front[high // 2 - 80 : high // 2 + 80, wide - 250 : wide - 26] = label
    _write(front, "FRAGILE", 34, (wide // 4 - 4, high - 34), (52, 66, 92))
    for x in (wide // 6 - 14, wide // 6 + 34):
        cv2.arrowedLine(
            front, (x, high // 2 + 40), (x, high // 2 - 50), (52, 66, 92), 5, tipLength=0.35
        )
    return front


def _label(seed: int, rng: np.random.Generator) -> Image:
    label = np.full((160, 224, 3), (238, 242, 243), np.uint8)
    widths = rng.integers(1, 4, 100)
    at = 14
    for index, width in enumerate(widths):
        if at + width > 210:
            break
        if index % 2 == 0:
            cv2.rectangle(label, (at, 62), (at + int(width) - 1, 124), (28, 28, 28), -1)
        at += int(width)
    _write(label, f"STOP {seed % 100:02d}", 26, (76, 40), (20, 20, 20))
    _write(label, "2.4 KG", 16, (184, 36), (30, 30, 30))
    _write(label, f"DS {4711 + seed * 37:06d}", 16, (112, 148), (30, 30, 30))
    cv2.line(label, (0, 54), (224, 54), (30, 30, 30), 2)
    cv2.rectangle(label, (0, 0), (223, 159), (120, 124, 126), 2)
    return label


def _write(
    texture: Image, text: str, high_px: int, at: tuple[int, int], colour: Sequence[int]
) -> None:
    """Write a line of text whose base line is centred at a point."""
    font, thick = cv2.FONT_HERSHEY_DUPLEX, max(2, high_px // 10)
    scale = cv2.getFontScaleFromHeight(font, high_px, thick)
    (wide, _), _ = cv2.getTextSize(text, font, scale, thick)
    cv2.putText(texture, text, (at[0] - wide // 2, at[1]), font, scale, colour, thick, cv2.LINE_AA)
