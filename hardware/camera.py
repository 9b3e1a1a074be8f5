"""The camera: stills taken after a moment in time."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
"""A grey picture: height x width, uint8; 16 is black and 235 white, or 0 and 255 on a webcam."""

LORES_PX: Final = (1280, 720)
"""Largest picture to read labels from: a third of the work of a whole frame.

Source: a parcel's bar of 0.4 mm is 2 px wide at 20 cm and 66 degrees of view, 3 px at 13 cm.
"""


def lores_px(width_px: int, height_px: int) -> tuple[int, int]:
    """Return width and height of what `Camera.look` gives: the frame's shape within LORES_PX."""
    share = min(1.0, LORES_PX[0] / width_px, LORES_PX[1] / height_px)
    return round(width_px * share / 2) * 2, round(height_px * share / 2) * 2


@dataclass(frozen=True, slots=True)
class Frame:
    """A still and the sensor settings that made it.

    Attributes:
        pixels: height x width x 3, uint8, BGR as OpenCV expects.
        exposure_us: sensor exposure time, microseconds.
        gain: analogue times digital gain; 1.0 is about ISO 100.
        lux: scene illuminance as the image processor estimates it; None without an estimate.
        sensor_time_ns: CLOCK_MONOTONIC when the exposure ended.
        focused: True if the lens reports that it found its focus; None without a report.
        converged: True if the exposure had settled when its burst began; None if the camera does
            not report exposures.
    """

    pixels: NDArray[np.uint8]
    exposure_us: int
    gain: float
    lux: float | None
    sensor_time_ns: int
    focused: bool | None = None
    converged: bool | None = None

    @property
    def exposure_began_ns(self) -> int:
        """CLOCK_MONOTONIC when the exposure began."""
        return self.sensor_time_ns - 1000 * self.exposure_us


class Camera(Protocol):
    """A camera in one configuration, streaming or stopped."""

    @property
    def simulated(self) -> bool:
        """True if its frames are anything but a picture by our own sensor."""

    @property
    def streaming(self) -> bool:
        """True if the sensor is exposing frames now."""

    @property
    def last_frame_ns(self) -> int | None:
        """CLOCK_MONOTONIC of the newest sensor frame, taken or not; None before the first.

        It is the time when the frame ended, or when the driver got it. It proves to the watchdog
        that the camera lives.
        """

    def start(self) -> None:
        """Start streaming in the one configuration; no effect while streaming.

        Raises:
            CameraFailed: the sensor did not start.
        """

    def stop(self) -> None:
        """Stop the sensor; the configuration stays. No effect while stopped."""

    def take(
        self, after_ns: int, count: int, deadline_s: float, *, light_changed_ns: int | None = None
    ) -> Generator[Frame]:
        """Yield `count` consecutive frames whose exposure began after `after_ns`.

        The newest that ended before the call counts too where the driver still has it.
        A camera that reports exposures first waits until they have settled
        (`hardware/settling.py`), for at most FRAMES_MOST frames or `deadline_s`; `converged` of
        all frames says whether they have. Frames that streamed before the call count, so a camera
        that has long been on does not wait. Frames that began before `light_changed_ns`, when the
        caller lit the lamp or put it out, neither count nor are yielded.
        Each frame is yielded as soon as it is there, so that work on one overlaps the next.
        Closing the generator gives back what was asked for and is not wanted; a burst that is not
        read to its end is closed before the next is asked for.
        `deadline_s` is for each frame, from the call, the wait for the exposure or the frame
        before. Real drivers do not count the time in which this process used a processor or waited
        for one (`HangTimeout`).

        Raises:
            CameraStalled: a frame missed the deadline; of no more use in this process.
            CameraFailed: the camera reported an error.
        """

    def lux(self, deadline_s: float, *, light_changed_ns: int | None = None) -> float | None:
        """Return the illuminance that the newest frame reports; None if the camera reports none.

        The camera waits for a frame that began after `light_changed_ns`, or for the first one
        after a start, but not until the exposure has settled. So a frame that is far too bright
        may report too little light, and one that is far too dark too much.
        `deadline_s` counts from the call.

        Raises:
            CameraStalled: no frame came in time; the camera is of no more use in this process.
            CameraFailed: the camera is stopped, or reported an error.
        """

    def look(self, deadline_s: float) -> Luma:
        """Return the caller's own copy of the newest picture whose exposure ended after the call.

        It is small (`lores_px`), and nothing is done for it: neither focus nor light is waited for.
        No burst of `take` may be open meanwhile, and one thread at a time uses the camera.
        `deadline_s` counts from the call.

        Raises:
            CameraStalled: no picture came in time; of no more use in this process.
            CameraFailed: the camera is stopped, or reported an error.
        """

    def close(self) -> None:
        """Stop and release the device; safe to call twice."""
