"""A portrait and labels put into pictures, for tests and for tests/results.md."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - turns and scales a portrait
import numpy as np
import zxingcpp  # noqa: TID251 - writes the codes that are to be found

from doorstep_backend.copies.area import Area, Pixels
from hardware.simulated.scenes import Scene, render
from tests.support.demo_office import PICTURE

FACE_PX: Final = 118
"""Height of the face in the portrait, from the hairline to the chin."""

_FACE: Final = (136, 108)
"""Its middle in _SHOULDERS, x and y."""

_SHOULDERS: Final = (slice(10, 330), slice(90, 370))
"""Head and shoulders in scikit-image's astronaut: Eileen Collins, by NASA, public domain."""

_ROOM_PX: Final = 480
"""Side of a square in which head and shoulders can be turned; the rest is cut off."""

TRACKING: Final = "JD014600003829171734"

UNDECODABLE: Final = PICTURE[: (_FRAME := PICTURE.index(b"\xff\xc0"))] + (
    PICTURE[_FRAME : _FRAME + 12] + b"\3" + PICTURE[_FRAME + 13 :]
)
"""Made of a picture's segments, but its frame names a quantisation table that there is not."""


@dataclass(frozen=True, slots=True)
class Person:
    """The posture of a person in a picture.

    Attributes:
        face_px: height of the face.
        turn_deg: anticlockwise.
        at: middle of the face, x and y.
    """

    face_px: int
    turn_deg: int
    at: tuple[int, int]
    mirrored: bool = False


def door(seed: int, size_px: tuple[int, int] = (1640, 1232), light: float = 1.0) -> Pixels:
    """Draw the simulated camera's picture of a door; by night with its lamp."""
    lamp = light < 0.1
    scene = Scene(seed=seed, width_px=size_px[0], height_px=size_px[1], light=light, lamp=lamp)
    return render(scene)


def with_person(picture: Pixels, person: Person) -> Pixels:
    """Return a copy of the picture with the portrait in it."""
    drawn, mask = _standing(person)
    return _pasted(picture, drawn, mask, person.at)


def face(person: Person) -> Area:
    """Return the face's area, as a square half as high again as a face is wide."""
    half, (x, y) = person.face_px // 2, person.at
    return Area(x - half, y - half, x + half, y + half)


def label(kind: zxingcpp.BarcodeFormat, module_px: int) -> Pixels:
    """Draw a label with a code whose narrowest bar is so wide, and an address above it."""
    written = zxingcpp.create_barcode(TRACKING, kind)
    drawn = np.array(zxingcpp.write_barcode_to_image(written, scale=module_px))
    code = np.pad(drawn, 10 * module_px, constant_values=255)
    paper = np.full((code.shape[0] + 60 * module_px, code.shape[1]), 235, np.uint8)
    paper[-code.shape[0] :] = np.where(code > 0, 235, 20)
    for line, text in enumerate(("A. EXAMPLE", "7 EXAMPLE STREET")):
        at = (4 * module_px, (25 + 22 * line) * module_px)
        cv2.putText(paper, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * module_px, 20, module_px)
    return np.asarray(cv2.cvtColor(paper, cv2.COLOR_GRAY2BGR), np.uint8)


def with_label(picture: Pixels, paper: Pixels, at: tuple[int, int], turn_deg: int = 0) -> Pixels:
    """Return a copy of the picture with a label in it, its middle there, not quite in focus."""
    drawn, mask = _turned(paper, turn_deg, (paper.shape[1] // 2, paper.shape[0] // 2), 2 * 480)
    blurred = np.asarray(cv2.GaussianBlur(drawn, (0, 0), 0.7), np.uint8)
    return _pasted(picture, blurred, mask, at)


@cache
def _portrait() -> Pixels:
    return photograph("astronaut.png")[_SHOULDERS]


def _standing(person: Person) -> tuple[Pixels, Pixels]:
    portrait, (x, y) = _portrait(), _FACE
    if person.mirrored:
        portrait, x = np.ascontiguousarray(portrait[:, ::-1]), portrait.shape[1] - x
    drawn, mask = _turned(portrait, person.turn_deg, (x, y), _ROOM_PX)
    side_px = round(_ROOM_PX * person.face_px / FACE_PX)
    how = cv2.INTER_AREA if side_px < _ROOM_PX else cv2.INTER_CUBIC
    scaled = cv2.resize(drawn, (side_px, side_px), interpolation=how)
    kept = cv2.resize(mask, (side_px, side_px), interpolation=cv2.INTER_NEAREST)
    return np.asarray(scaled, np.uint8), np.asarray(kept, np.uint8)


def _turned(
    pixels: Pixels, turn_deg: int, middle: tuple[int, int], room_px: int
) -> tuple[Pixels, Pixels]:
    """Return a square with the pixels turned about their middle, and a mask of them."""
    turn = cv2.getRotationMatrix2D(middle, turn_deg, 1.0)
    turn[:, 2] += np.array((room_px / 2 - middle[0], room_px / 2 - middle[1]))
    size_px = (room_px, room_px)
    mask = np.full(pixels.shape[:2], 255, np.uint8)
    return (
        np.asarray(cv2.warpAffine(pixels, turn, size_px, flags=cv2.INTER_CUBIC), np.uint8),
        np.asarray(cv2.warpAffine(mask, turn, size_px, flags=cv2.INTER_NEAREST), np.uint8),
    )


def _pasted(picture: Pixels, drawn: Pixels, mask: Pixels, at: tuple[int, int]) -> Pixels:
    """Paste pixels, and cut off what reaches beyond the picture."""
    high, wide = picture.shape[:2]
    moved = np.array([[1, 0, at[0] - mask.shape[1] / 2], [0, 1, at[1] - mask.shape[0] / 2]])
    there = cv2.warpAffine(mask, moved, (wide, high), flags=cv2.INTER_NEAREST)
    placed = cv2.warpAffine(drawn, moved, (wide, high), flags=cv2.INTER_NEAREST)
    return np.where(there[..., None] > 0, np.asarray(placed, np.uint8), picture)


def photograph(name: str) -> Pixels:
    """Read a photograph of scikit-image's, which is not imported: that would take a second."""
    pixels = cv2.imread(str(packaged(name)))
    assert pixels is not None, name
    return np.asarray(pixels, np.uint8)


def packaged(name: str) -> Path:
    """Return the path of a file of scikit-image's."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("data") / name
