"""The picture before the virtual camera: a parcel at a door, with or without its label."""

from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - the rig's own pictures, not the device's
import numpy as np
import zxingcpp  # noqa: TID251 - the label is written here, and read in the machine

WIDTH_PX: Final = 1152
HEIGHT_PX: Final = 648
"""Emulated, this gives 17 frames a second; 2304 x 1296 gives two."""

_WALL: Final = (150, 165, 175)
_DOOR: Final = (60, 80, 110)
_PARCEL: Final = (95, 140, 190)

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def door(folder: Path) -> Path:
    """Without a label."""
    return _write(folder / "door.jpg", _door())


def label(folder: Path, code: str) -> Path:
    """A door as before, with a label of Code 128 held into the picture."""
    pixels = _door()
    made = zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.Code128)
    bars = np.array(zxingcpp.write_barcode_to_image(made, scale=4))
    bars = cv2.copyMakeBorder(bars, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=(255.0,))
    height, width = bars.shape[:2]
    pixels[100 : 100 + height, 200 : 200 + width] = bars[..., None]
    return _write(folder / f"label-{code}.jpg", pixels)


def _door() -> Pixels:
    """Bricks, a door and a parcel, with enough edges for the blur's judge, the same each time."""
    grain = np.random.default_rng(42).integers(-18, 18, (HEIGHT_PX, WIDTH_PX, 1))
    pixels = np.full((HEIGHT_PX, WIDTH_PX, 3), _WALL, np.int16)
    pixels[::36] = pixels[1::36] = 90
    pixels[:, ::72] = pixels[:, 1::72] = 90
    pixels[120:600, 640:900] = _DOOR
    pixels[150:330, 670:870] = 45
    pixels[430:600, 380:640] = _PARCEL
    pixels[430:600, 500:520] = 60
    made: Pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    return made


def _write(path: Path, pixels: Pixels) -> Path:
    assert cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return path
