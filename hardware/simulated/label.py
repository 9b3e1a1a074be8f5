"""The label that somebody holds before a simulated camera: a code on paper, tilted and noisy."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2  # noqa: TID251 - turns the paper
import numpy as np
import zxingcpp  # noqa: TID251 - writes the codes that agent/capture/barcodes.py reads

from hardware.camera import Luma
from hardware.errors import CameraFailed
from hardware.simulated.scenes import EXPOSURE_LUX_US, Exposure
from hardware.simulated.script import LabelKind
from hardware.simulated.sensor import FULL_WELL_E, GAMMA, read_noise_e

HOLDS_DEG: Final = (-2.5, 1.0, 3.5)
"""Angles of the paper, frame by frame: a hand is never still."""

SHARE: Final = 0.9
"""Largest share of the picture's width or height for the paper: its edges are in view."""

MODULE_PX: Final = 6
"""Largest width of the narrowest bar: held closer it is out of focus."""

BLUR_PX: Final = 0.7
"""Standard deviation of the blur: a lens focused nearly where the label is."""

_WHITE: Final = 0.85
_INK: Final = 0.05
"""Reflectance of paper and ink, roughly: a thermal label is greyer than paper."""

_AVERAGED_PX: Final = 3
"""The sensor's pixels in one of a picture to read labels from: 2304x1296 becomes 1280x720."""

_FORMATS: Final = {
    LabelKind.CODE128: zxingcpp.BarcodeFormat.Code128,
    LabelKind.DATAMATRIX: zxingcpp.BarcodeFormat.DataMatrix,
    LabelKind.PDF417: zxingcpp.BarcodeFormat.PDF417,
    LabelKind.QR: zxingcpp.BarcodeFormat.QRCode,
}


@dataclass(frozen=True, slots=True)
class Paper:
    """A label with its code, and how the camera exposes it: what is dark stays dark."""

    text: str
    kind: LabelKind
    exposure: Exposure


def draw_label(paper: Paper, picture: Luma, frame: int) -> None:
    """Draw the paper into the middle of the picture; each frame shows it held a little differently.

    Drawing takes a while for the first frames of a paper only.

    Raises:
        CameraFailed: no code of this kind has this text.
    """
    height_px, width_px = picture.shape
    drawn, mask = _drawn_label(paper, width_px, height_px, frame % len(HOLDS_DEG))
    cv2.copyTo(drawn, mask, picture)


@lru_cache(maxsize=2 * len(HOLDS_DEG))
def _drawn_label(paper: Paper, width_px: int, height_px: int, turn: int) -> tuple[Luma, Luma]:
    """Return the drawn paper and where in the picture it is; 1.8 MB at full size."""
    printed = _printed(paper, round(SHARE * width_px), round(SHARE * height_px))
    high, wide = printed.shape
    turned = cv2.getRotationMatrix2D((wide / 2, high / 2), HOLDS_DEG[turn], 1.0)
    turned[:, 2] += (width_px - wide) / 2, (height_px - high) / 2
    size_px = (width_px, height_px)
    mask = cv2.warpAffine(np.full_like(printed, 255), turned, size_px, flags=cv2.INTER_NEAREST)
    blurred = cv2.GaussianBlur(cv2.warpAffine(printed, turned, size_px), (0, 0), BLUR_PX)
    return _sensed(np.asarray(blurred, np.uint8), paper.exposure, turn), np.asarray(mask, np.uint8)


def _printed(paper: Paper, width_px: int, height_px: int) -> Luma:
    """Return the code, 0 and 255, with its quiet zone in a white margin, within a size."""
    try:
        code = zxingcpp.create_barcode(paper.text, _FORMATS[paper.kind])
    except ValueError as error:
        raise CameraFailed(
            f"camera.kind = simulated: label: no {paper.kind} has this text: {error}"
        ) from error
    drawn = np.array(zxingcpp.write_barcode_to_image(code, scale=MODULE_PX))
    margin = MODULE_PX * 3
    white = np.asarray(np.pad(drawn, margin, constant_values=255), np.uint8)
    high, wide = white.shape
    share = min(1.0, width_px / wide, height_px / high)
    size_px = (max(1, round(wide * share)), max(1, round(high * share)))
    return np.asarray(cv2.resize(white, size_px, interpolation=cv2.INTER_AREA), np.uint8)


def _sensed(printed: Luma, taken: Exposure, turn: int) -> Luma:
    """Expose paper and ink as the scene is, with the sensor's noise, to the luma of BT.601."""
    seen = (_INK + (_WHITE - _INK) / 255 * printed.astype(np.float32)) * _exposed(taken)
    white_e = FULL_WELL_E / taken.gain
    spread = np.sqrt((seen * white_e + read_noise_e(white_e) ** 2) / _AVERAGED_PX) / white_e
    rng = np.random.default_rng(turn)
    grain = rng.standard_normal(seen.shape, dtype=np.float32) * spread
    luma = 16 + 219 * np.clip(seen + grain, 0, 1) ** (1 / GAMMA)
    return np.asarray(luma, np.uint8)


def _exposed(taken: Exposure) -> float:
    """Return what full light becomes, where 1.0 is the sensor's limit; less when it is dark."""
    return min(1.0, taken.lux * taken.exposure_us * taken.gain / EXPOSURE_LUX_US)
