"""The camera: stills taken after a moment in time."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """One still and the sensor settings that made it.

    Attributes:
        pixels: height x width x 3, uint8, BGR as OpenCV expects.
        exposure_us: sensor exposure time, microseconds.
        gain: analogue times digital gain; 1.0 is about ISO 100.
        lux: scene illuminance as the image processor estimates it; None where it does not.
        sensor_time_ns: CLOCK_MONOTONIC when the exposure ended.
    """

    pixels: NDArray[np.uint8]
    exposure_us: int
    gain: float
    lux: float | None
    sensor_time_ns: int

    @property
    def exposure_began_ns(self) -> int:
        """CLOCK_MONOTONIC when the exposure began."""
        return self.sensor_time_ns - 1000 * self.exposure_us


class Camera(Protocol):
    """A camera in one configuration, streaming or stopped."""

    @property
    def simulated(self) -> bool:
        """Whether its frames are anything but a picture by our own sensor."""

    @property
    def streaming(self) -> bool:
        """Whether the sensor is exposing frames now."""

    @property
    def last_frame_ns(self) -> int | None:
        """CLOCK_MONOTONIC of the newest sensor frame, taken or not; None before the first.

        It proves to the watchdog that the camera lives.
        """

    def start(self) -> None:
        """Start streaming in the one configuration; no effect while streaming.

        Raises:
            CameraFailed: the sensor did not start.
        """

    def stop(self) -> None:
        """Stop the sensor; the configuration stays. No effect while stopped."""

    def take(self, after_ns: int, count: int, deadline_s: float) -> Generator[Frame]:
        """Yield `count` consecutive frames whose exposure began after `after_ns`.

        Each frame is yielded as soon as it is there, so that work on one overlaps the next.
        Closing the generator gives back what was asked for and is not wanted; a burst that is not
        read to its end is closed before the next is asked for.
        `deadline_s` is for each frame, from the call or from the frame before.

        Raises:
            CameraStalled: a frame missed the deadline; of no more use in this process.
            CameraFailed: the camera reported an error.
        """

    def close(self) -> None:
        """Stop and release the device; safe to call twice."""
