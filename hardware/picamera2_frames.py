"""The requests to picamera2, and its buffers and metadata as a Frame; pure."""

from collections.abc import Mapping
from typing import Any, Final

import cv2  # noqa: TID251 - from the sensor's I420 to BGR
import numpy as np
from numpy.typing import NDArray

from hardware.camera import Frame, Luma, lores_px
from hardware.settings import Autofocus, CameraSettings

BUFFERS: Final = 4
"""A burst of three and one for the sensor. Source: 3 or 4 fit into the CMA memory of a Zero 2 W."""

AE_EXPOSURE_SHORT: Final = 1
AE_FLICKER_OFF: Final = 0
AE_FLICKER_MANUAL: Final = 1
AF_MODE_CONTINUOUS: Final = 2
AF_STATE_FOCUSED: Final = 2
AF_STATE_FAILED: Final = 3
"""Source: the enumerations of libcamera 0.4.0's Python module; picamera2 takes their numbers."""


def controls(settings: CameraSettings) -> dict[str, Any]:
    """Return the controls of the one configuration.

    Short exposures, since the normal mode goes to 66 ms and blurs what is held in a hand.
    The flicker period is that of the lamps' light, half a mains period: 10,000 us at 50 Hz.
    """
    chosen: dict[str, Any] = {"AeExposureMode": AE_EXPOSURE_SHORT}
    if settings.mains_hz:
        chosen |= {
            "AeFlickerMode": AE_FLICKER_MANUAL,
            "AeFlickerPeriod": round(1_000_000 / (2 * settings.mains_hz)),
        }
    else:
        chosen["AeFlickerMode"] = AE_FLICKER_OFF
    if settings.autofocus is Autofocus.CONTINUOUS:
        chosen["AfMode"] = AF_MODE_CONTINUOUS
    return chosen


def streams(settings: CameraSettings) -> dict[str, Any]:
    """Return the streams and buffers of the one configuration."""
    main_px = (settings.width_px, settings.height_px)
    return {
        "main": {"format": "YUV420", "size": main_px},
        "lores": {"format": "YUV420", "size": lores_px(*main_px)},
        "raw": None,
        "buffer_count": BUFFERS,
        "display": None,
        "encode": None,
    }


def i420_to_bgr(rows: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    """Convert a YUV420 buffer to height x `width_px` x 3, BGR.

    `rows` is 3/2 height x stride: the luma rows, then both chroma planes at half the stride.
    So what pads a row of luma pads the picture too, and is cut off after the conversion.
    OpenCV takes the limited range of BT.601, hence the colour space of the configuration.

    Raises:
        ValueError: no YUV420 has this shape.
    """
    try:
        padded = np.asarray(cv2.cvtColor(rows, cv2.COLOR_YUV2BGR_I420), np.uint8)
    except cv2.error as error:
        raise ValueError(f"no YUV420 buffer has the shape {rows.shape}") from error
    return padded if rows.shape[1] == width_px else np.ascontiguousarray(padded[:, :width_px])


def i420_to_luma(rows: NDArray[np.uint8], width_px: int, height_px: int) -> Luma:
    """Copy the luma out of a YUV420 buffer as `i420_to_bgr` takes it, without what pads its rows.

    Raises:
        ValueError: no YUV420 of this size has this shape.
    """
    if rows.ndim != 2 or rows.shape[0] * 2 != height_px * 3 or rows.shape[1] < width_px:
        raise ValueError(f"no YUV420 of {width_px} x {height_px} has the shape {rows.shape}")
    return rows[:height_px, :width_px].copy()


def frame(
    pixels: NDArray[np.uint8], metadata: Mapping[str, Any], *, converged: bool | None = None
) -> Frame:
    """Join pixels with libcamera's metadata: us, gains, lux, and ns of CLOCK_MONOTONIC.

    Raises:
        KeyError: the metadata lacks the time, the exposure or the gain.
    """
    return Frame(
        pixels,
        exposure_us=int(metadata["ExposureTime"]),
        gain=gain(metadata),
        lux=lux(metadata),
        sensor_time_ns=int(metadata["SensorTimestamp"]),
        focused={AF_STATE_FOCUSED: True, AF_STATE_FAILED: False}.get(metadata.get("AfState", -1)),
        converged=converged,
    )


def gain(metadata: Mapping[str, Any]) -> float:
    """Return analogue times digital gain."""
    return float(metadata["AnalogueGain"]) * float(metadata.get("DigitalGain", 1.0))


def lux(metadata: Mapping[str, Any]) -> float | None:
    """Return the estimated illuminance; None if the pipeline does not estimate it."""
    told = metadata.get("Lux")
    return None if told is None else float(told)
