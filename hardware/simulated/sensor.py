"""An image sensor and its processor: linear light -> the picture that a camera gives; pure.

The order is that of the Raspberry Pi's image signal processor. Source: Raspberry Pi Camera
Algorithm and Tuning Guide; libcamera v0.7.1+rpt20260429, src/ipa/rpi.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2  # noqa: TID251 - one of the importers
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Raw = NDArray[np.uint16]
Light = NDArray[np.float32] | NDArray[np.uint16]

FULL_WELL_E: Final = 4_000.0
"""Electrons at white and gain 1. Source: 1.12 um pixels of about 3,400 electrons per square um, as
measured on another sensor of that family (strollswithmydog.com, Pi HQ Cam Sensor Performance)."""

_READ_E: Final = 1.5
_READ_GAIN_1_E: Final = 3.0
"""Read noise at a high gain, and at gain 1. Source: the same measurement."""

_BLACK: Final = 64
_RAW_WHITE: Final = 1023
"""Black and white of 10 bits. Source: black_level 4096 of 65536, libcamera's imx708.json."""

_GAINS_BGR: Final = (1 / 0.6246, 1.0, 1 / 0.4274)
"""White balance in daylight, 5753 K. Source: ct_curve in libcamera's vc4/imx708.json."""

_CCM_BGR: Final = np.array(
    [
        [1.43525, -0.40662, -0.02862],
        [-0.32079, 1.59354, -0.27275],
        [-0.14719, -0.42159, 1.56879],
    ]
)
"""Colour matrix in daylight, 5910 K, as BGR. Source: ccms in libcamera's vc4/imx708.json."""

_GAMMA: Final = 2.2
"""Near enough to the curve of sRGB (IEC 61966-2-1)."""

_DENOISE_DEVIATION: Final = 3.2
_DENOISE_STRENGTH: Final = 0.75
"""Neighbours within so many standard deviations are averaged; share of the average in the result.
Source: the defaults of libcamera's src/ipa/rpi/controller/rpi/sdn.cpp."""

_SHARPEN: Final = np.array(
    [
        [-1, -2, -2, -2, -1],
        [-2, 2, 2, 2, -2],
        [-2, 2, 12, 2, -2],
        [-2, 2, 2, 2, -2],
        [-1, -2, -2, -2, -1],
    ]
)
"""Fine detail in every direction. Source: filter4 of libpisp's backend_default_config.json."""

_SHARPEN_LIMIT: Final = 8.0
"""Most that sharpening adds. Source: limit 4000 of 65536 there, times 0.5 in imx708.json."""

_BAND_PX: Final = 144
_MARGIN_PX: Final = 16
"""Rows that are processed at once, and rows around them that have a part in the result."""


@dataclass(frozen=True, slots=True)
class Processing:
    """The settings of the image signal processor.

    Attributes:
        denoise: 1.0 is the usual strength, 0 none.
        sharpen: 1.0 is the usual strength, 0 none.
        jpeg_pct: quality of a JPEG that the camera sends, as a webcam does; None for none.
    """

    denoise: float = 1.0
    sharpen: float = 1.0
    jpeg_pct: int | None = None


def developed(
    light: Light,
    white_e: float,
    rng: np.random.Generator,
    processing: Processing = Processing(),
) -> Image:
    """Return the picture that a camera gives of some light: height x width x 3, uint8, BGR.

    Args:
        light: height x width x 3, linear BGR, of even sides; 1.0 is the sensor's limit, of uint16
            65,535.
        white_e: electrons at the sensor's limit: FULL_WELL_E / gain.
        rng: the source of the noise.
        processing: settings of the image signal processor.
    """
    raw = np.empty(light.shape[:2], np.uint16)
    for top in range(0, len(light), _BAND_PX):
        rows = slice(top, top + _BAND_PX)
        raw[rows] = sensed(light[rows], white_e, rng)
    return processed(raw, white_e, processing)


def sensed(light: Light, white_e: float, rng: np.random.Generator, noise: float = 1.0) -> Raw:
    """Return what a Bayer sensor reads, RGGB, 10 bits; the first row is an even row.

    `noise` multiplies the noise. The rest is as for `developed`.
    """
    scale = 1 / 65_535 if light.dtype == np.uint16 else 1.0
    colours = cv2.transform(light.astype(np.float32, copy=False), _TO_CAMERA * scale)
    filtered = np.empty(light.shape[:2], np.float32)
    for down, across, colour in _SITES:
        filtered[down::2, across::2] = colours[down::2, across::2, colour]
    electrons = np.clip(filtered, 0, 1) * np.float32(white_e)
    deviation = np.sqrt(electrons + np.float32(_read_e(white_e) ** 2)) * np.float32(noise)
    # Shot noise is nearly Gaussian from ten electrons on; below that read noise hides the rest.
    electrons += rng.standard_normal(electrons.shape, dtype=np.float32) * deviation
    electrons *= (_RAW_WHITE - _BLACK) / white_e
    electrons += _BLACK + 0.5
    return np.asarray(np.clip(electrons, 0, _RAW_WHITE), np.uint16)


def processed(raw: Raw, white_e: float, processing: Processing) -> Image:
    """Return the picture of a sensor's values."""
    picture = np.empty((*raw.shape, 3), np.uint8)
    for rows, around in _bands(len(raw)):
        inner = slice(rows.start - around.start, rows.stop - around.start)
        picture[rows] = _finished(_coloured(raw[around]), white_e, processing)[inner]
    if processing.jpeg_pct is None:
        return picture
    quality = [cv2.IMWRITE_JPEG_QUALITY, processing.jpeg_pct]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], 1), np.uint8)


def _read_e(white_e: float) -> float:
    gain = FULL_WELL_E / white_e
    return float(np.hypot(_READ_E, np.sqrt(_READ_GAIN_1_E**2 - _READ_E**2) / max(gain, 1.0)))


def _bands(high: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, high, _BAND_PX):
        bottom = min(top + _BAND_PX, high)
        around = slice(max(0, top - _MARGIN_PX), min(high, bottom + _MARGIN_PX))
        yield slice(top, bottom), around


def _coloured(raw: Raw) -> Image:
    """Balance white, fill in the colours, correct them, and bend light to a picture's levels.

    The black level stays below all of it, so that no noise is cut off before the end.
    """
    balanced = np.empty_like(raw)
    for down, across, colour in _SITES:
        balanced[down::2, across::2] = _BALANCED[colour][raw[down::2, across::2]]
    full = cv2.demosaicing(balanced, cv2.COLOR_BayerRGGB2BGR_EA)
    return np.asarray(_CURVE[cv2.transform(full, _CCM_BGR)], np.uint8)


def _finished(picture: Image, white_e: float, processing: Processing) -> Image:
    """Take noise out and sharpen, in luma and chroma."""
    planes = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb))
    luma, *chroma = (np.asarray(plane, np.uint8) for plane in planes)
    noise = _expected_noise(white_e)
    if processing.denoise > 0:
        luma = _smoothed(luma, noise * processing.denoise)
        chroma = [_smooth_chroma(plane, 2 * noise * processing.denoise) for plane in chroma]
    if processing.sharpen > 0:
        luma = _sharpened(luma, noise, processing.sharpen)
    return np.asarray(cv2.cvtColor(cv2.merge([luma, *chroma]), cv2.COLOR_YCrCb2BGR), np.uint8)


def _expected_noise(white_e: float) -> float:
    """Return the noise of a grey card in levels: nearly the same at every brightness."""
    grey = 0.18
    variance = grey / white_e + (_read_e(white_e) / white_e) ** 2
    return float(255 * grey ** (1 / _GAMMA) / _GAMMA / grey * np.sqrt(variance))


def _smoothed(luma: Image, noise: float) -> Image:
    smooth = cv2.bilateralFilter(luma, 5, _DENOISE_DEVIATION / 2 * noise, 2)
    return np.asarray(
        cv2.addWeighted(luma, 1 - _DENOISE_STRENGTH, smooth, _DENOISE_STRENGTH, 0), np.uint8
    )


def _smooth_chroma(plane: Image, noise: float) -> Image:
    half_px = (plane.shape[1] // 2, plane.shape[0] // 2)
    half = cv2.resize(plane, half_px, interpolation=cv2.INTER_AREA)
    smooth = cv2.bilateralFilter(half, 5, _DENOISE_DEVIATION / 2 * noise, 2)
    return np.asarray(cv2.resize(smooth, plane.shape[::-1]), np.uint8)


def _sharpened(luma: Image, noise: float, strength: float) -> Image:
    """Add the detail that is over the noise, up to a limit."""
    detail = cv2.filter2D(luma, cv2.CV_16S, _SHARPEN)
    added = _added(noise, strength)[detail + _DETAIL_MAX]
    return np.asarray(cv2.add(luma, added, dtype=cv2.CV_8U), np.uint8)


_DETAIL_SCALE: Final = 28
_DETAIL_MAX: Final = 255 * _DETAIL_SCALE


def _added(noise: float, strength: float) -> NDArray[np.int16]:
    detail = np.arange(-_DETAIL_MAX, _DETAIL_MAX + 1) / _DETAIL_SCALE
    over = np.maximum(np.abs(detail) - 0.75 * noise, 0) * strength
    return np.asarray(np.rint(np.sign(detail) * np.minimum(over, _SHARPEN_LIMIT)), np.int16)


def _balanced(gain: float) -> Raw:
    values = (np.arange(_RAW_WHITE + 1) - _BLACK) * gain + _BLACK
    return np.asarray(np.clip(values * _STEP, 0, 65_535), np.uint16)


def _curve() -> Image:
    black, white = _BLACK * _STEP, _RAW_WHITE * _STEP
    light = np.clip((np.arange(65_536) - black) / (white - black), 0, 1)
    return np.asarray(np.rint(light ** (1 / _GAMMA) * 255), np.uint8)


_STEP: Final = 64
"""From 10 to 16 bits."""

_SITES: Final = ((0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 0))
"""Row, column and colour of the four pixels of RGGB."""

_TO_CAMERA: Final[NDArray[Any]] = np.diag(1 / np.array(_GAINS_BGR)) @ np.linalg.inv(_CCM_BGR)
_BALANCED: Final = tuple(_balanced(gain) for gain in _GAINS_BGR)
_CURVE: Final = _curve()
