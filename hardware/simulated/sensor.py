"""An image sensor and its processor: linear light -> the picture that a camera gives; pure.

The steps are those of a webcam, which denoises and sharpens the picture as it will be seen.
A Raspberry Pi denoises before demosaicing and sharpens before the curve (libpisp's
pisp_be_config.h); its constants serve here.
Lens shading, binning and noise reduction over several frames are left out.
"Tuning" is libcamera's src/ipa/rpi/vc4/data/imx708.json, v0.7.1+rpt20260429.
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
"""Electrons at white and gain 1: a pixel of 1.1 um, as in webcams and the Camera Module 2.

Source: 3,400 electrons a square um, measured on an IMX477 (strollswithmydog.com, "Pi HQ Cam Sensor
Performance"). A Camera Module 3 joins four pixels of 1.4 um at 2304x1296 and has six times as many:
this is the worse camera."""

GAMMA: Final = 2.2
"""Exponent of the tone curve: near enough to that of sRGB (IEC 61966-2-1)."""

_READ_E: Final = 1.5
_READ_GAIN_1_E: Final = 3.0
"""Read noise in electrons at gain 16, and at gain 1. Source: the measurement of FULL_WELL_E."""

_BLACK: Final = 64
_WHITE: Final = 1023
"""Black and white of a raw pixel, 10 bits. Source: the tuning's black_level, 4096 of 65536."""

_STEP: Final = 64
"""Factor from 10 to 16 bits."""

_SITES: Final = ((0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 0))
"""Row, column and colour (of BGR) of the four pixels of RGGB."""

_GAINS: Final = (1 / 0.6246, 1.0, 1 / 0.4274)
"""White balance by daylight, BGR. Source: the tuning's ct_curve at 5753 K."""

_COLOURS: Final[NDArray[Any]] = np.array(
    [
        [1.43525, -0.40662, -0.02862],
        [-0.32079, 1.59354, -0.27275],
        [-0.14719, -0.42159, 1.56879],
    ]
)
"""From the sensor's colours to the picture's, BGR. Source: the tuning's ccm at 5910 K."""

_TO_SENSOR: Final[NDArray[Any]] = cv2.invert(_COLOURS)[1] / np.array(_GAINS)[:, None]
"""From the picture's colours to the sensor's. numpy would load 3 MB of LAPACK to invert it."""

_GREY: Final = 0.18
"""Light from a well exposed grey card, as a share of white."""

_DENOISE_DEVIATION: Final = 3.2
_DENOISE_STRENGTH: Final = 0.75
"""Standard deviations within which neighbours are averaged, and the share of their average.

Source: the defaults of libcamera's src/ipa/rpi/controller/rpi/sdn.cpp."""

_CHROMA_PX: Final = 9
"""Width over which colour is averaged, at half size.

Source: eyes mind coloured noise more than grey grain. On a grey card at 120 electrons, the noise of
colour is 0.73 of luma's with 5 px, and 0.46 with 9 px (2026-11).
"""

_DETAIL: Final[NDArray[Any]] = np.array(
    [
        [-1, -2, -2, -2, -1],
        [-2, 2, 2, 2, -2],
        [-2, 2, 12, 2, -2],
        [-2, 2, 2, 2, -2],
        [-1, -2, -2, -2, -1],
    ]
)
"""Fine detail in any direction. Source: filter4 of libpisp's backend_default_config.json."""

_DETAIL_SUM: Final = int(_DETAIL[_DETAIL > 0].sum())
"""Sum of the filter's positive weights."""

_SHARPEN_THRESHOLD: Final = 0.75
"""Least detail that is sharpened, in deviations of the noise at gain 1. Source: the tuning."""

_SHARPEN_LIMIT: Final = 8.0
"""Levels that sharpening adds at most: the tuning's 0.5 times libpisp's 4000 of 65536."""

_BAND_PX: Final = 144
_MARGIN_PX: Final = 16
"""Rows processed at once, and more rows on either side: the filters reach 12 rows at most."""


@dataclass(frozen=True, slots=True)
class Processing:
    """The settings of the image signal processor.

    Attributes:
        denoise: 1.0 is the usual strength, 0 none.
        sharpen: 1.0 is the usual strength, 0 none.
        jpeg_pct: quality of the JPEG that the camera sends, as a webcam does; None for none.
    """

    denoise: float = 1.0
    sharpen: float = 1.0
    jpeg_pct: int | None = None


def developed(
    light: Light, white_e: float, rng: np.random.Generator, processing: Processing = Processing()
) -> Image:
    """Return the picture that a camera makes of light: height x width x 3, uint8, BGR.

    Args:
        light: height x width x 3, linear BGR; the sensor's limit is 1.0, or 65,535 if uint16.
        white_e: electrons at the sensor's limit: FULL_WELL_E / gain.
        rng: the source of the noise.
        processing: settings of the image signal processor.
    """
    raw = np.empty(light.shape[:2], np.uint16)
    for rows, _ in _bands(len(raw)):
        raw[rows] = sensed(light[rows], white_e, rng)
    return processed(raw, white_e, processing)


def sensed(light: Light, white_e: float, rng: np.random.Generator, noise: float = 1.0) -> Raw:
    """Return the raw pixels of some rows, which begin with an even one: height x width.

    `noise` multiplies the noise; the other arguments are those of `developed`.
    """
    scale = 1 / 65_535 if light.dtype == np.uint16 else 1.0
    colours = cv2.transform(light.astype(np.float32, copy=False), _TO_SENSOR * scale)
    pixels = np.empty(light.shape[:2], np.float32)
    for row, column, colour in _SITES:
        pixels[row::2, column::2] = colours[row::2, column::2, colour]
    # More light than the limit is cut off after its noise: what is blown out is white, and clean.
    pixels = np.maximum(pixels, 0) * np.float32(white_e)
    # The Gaussian stands for Poisson's distribution: below ten electrons read noise covers both.
    deviation = np.sqrt(pixels + np.float32(read_noise_e(white_e) ** 2)) * np.float32(noise)
    pixels += rng.standard_normal(pixels.shape, dtype=np.float32) * deviation
    pixels *= (_WHITE - _BLACK) / white_e
    pixels += _BLACK + 0.5
    return np.asarray(np.clip(pixels, 0, _WHITE), np.uint16)


def processed(raw: Raw, white_e: float, processing: Processing) -> Image:
    """Return the picture that the image signal processor makes of a sensor's pixels."""
    picture = np.empty((*raw.shape, 3), np.uint8)
    for rows, around in _bands(len(raw)):
        inner = slice(rows.start - around.start, rows.stop - around.start)
        picture[rows] = _finished(_coloured(raw[around]), white_e, processing)[inner]
    if processing.jpeg_pct is None:
        return picture
    quality = [cv2.IMWRITE_JPEG_QUALITY, processing.jpeg_pct]
    sent = cv2.imencode(".jpg", picture, quality)[1]
    return np.asarray(cv2.imdecode(sent, cv2.IMREAD_COLOR), np.uint8)


def read_noise_e(white_e: float) -> float:
    """Return the read noise in electrons: one part before the gain, and one that gain divides."""
    gain = max(FULL_WELL_E / white_e, 1.0)
    behind_e = np.sqrt(_READ_GAIN_1_E**2 - _READ_E**2)
    return float(np.hypot(_READ_E, behind_e / gain))


def _bands(high: int) -> Iterator[tuple[slice, slice]]:
    """Yield the rows of each band, and the same rows with those around them."""
    for top in range(0, high, _BAND_PX):
        bottom = min(top + _BAND_PX, high)
        around = slice(max(0, top - _MARGIN_PX), min(high, bottom + _MARGIN_PX))
        yield slice(top, bottom), around


def _coloured(raw: Raw) -> Image:
    """Return levels: balance white, demosaic, correct the colours, and apply the tone curve.

    The black level stays until the end, so that noise below black is not cut off before.
    """
    balanced = np.empty_like(raw)
    for row, column, colour in _SITES:
        balanced[row::2, column::2] = _BALANCED[colour][raw[row::2, column::2]]
    full = cv2.demosaicing(balanced, cv2.COLOR_BayerRGGB2BGR_EA)
    return np.asarray(_CURVE[cv2.transform(full, _COLOURS)], np.uint8)


def _balanced(gain: float) -> Raw:
    values = (np.arange(_WHITE + 1) - _BLACK) * gain + _BLACK
    return np.asarray(np.clip(values * _STEP, 0, 65_535), np.uint16)


def _curve() -> Image:
    black, white = _BLACK * _STEP, _WHITE * _STEP
    light = np.clip((np.arange(65_536) - black) / (white - black), 0, 1)
    return np.asarray(np.rint(light ** (1 / GAMMA) * 255), np.uint8)


_BALANCED: Final = tuple(_balanced(gain) for gain in _GAINS)
_CURVE: Final = _curve()


def _finished(picture: Image, white_e: float, processing: Processing) -> Image:
    """Take noise out and sharpen, in luma and chroma."""
    planes = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb))
    luma, *chroma = (np.asarray(plane, np.uint8) for plane in planes)
    if processing.denoise > 0:
        noise = _grey_noise(white_e) * processing.denoise
        luma = _smoothed(luma, noise)
        chroma = [_smoothed_chroma(plane, noise) for plane in chroma]
    if processing.sharpen > 0:
        luma = _sharpened(luma, processing.sharpen)
    return np.asarray(cv2.cvtColor(cv2.merge([luma, *chroma]), cv2.COLOR_YCrCb2BGR), np.uint8)


def _grey_noise(white_e: float) -> float:
    """Return a grey card's noise in levels; other brightnesses have nearly the same."""
    variance = _GREY / white_e + (read_noise_e(white_e) / white_e) ** 2
    return float(255 * _GREY ** (1 / GAMMA - 1) / GAMMA * np.sqrt(variance))


def _smoothed(luma: Image, noise: float) -> Image:
    """Mix neighbours that differ by no more than noise does, so that edges stay."""
    exact = luma.astype(np.float32)  # with bytes, the filter would cut off fractions
    # The filter weighs by a Gaussian, which still counts neighbours at two of its deviations.
    smooth = cv2.bilateralFilter(exact, 5, _DENOISE_DEVIATION / 2 * noise, 2)
    share = _DENOISE_STRENGTH
    mixed = cv2.addWeighted(exact, 1 - share, smooth, share, 0, dtype=cv2.CV_8U)
    return np.asarray(mixed, np.uint8)


def _smoothed_chroma(plane: Image, noise: float) -> Image:
    """Mix more widely than in luma: colour has twice the noise, and coarser detail."""
    half_px = (plane.shape[1] // 2, plane.shape[0] // 2)
    half = cv2.resize(plane.astype(np.float32), half_px, interpolation=cv2.INTER_AREA)
    smooth = cv2.bilateralFilter(half, _CHROMA_PX, _DENOISE_DEVIATION * noise, _CHROMA_PX / 3)
    whole = cv2.resize(np.rint(smooth).astype(np.uint8), plane.shape[::-1])
    return np.asarray(whole, np.uint8)


def _sharpened(luma: Image, strength: float) -> Image:
    """Add the detail above a threshold, up to a limit."""
    detail = cv2.filter2D(luma, cv2.CV_16S, _DETAIL)
    most = 255 * _DETAIL_SUM
    levels = np.arange(-most, most + 1) / _DETAIL_SUM
    excess = np.maximum(np.abs(levels) - _SHARPEN_THRESHOLD * _grey_noise(FULL_WELL_E), 0)
    added = np.sign(levels) * np.minimum(excess * strength, _SHARPEN_LIMIT)
    picked = np.rint(added).astype(np.int16)[detail + most]
    return np.asarray(cv2.add(luma, picked, dtype=cv2.CV_8U), np.uint8)
