"""The state of a picamera2 stream by the metadata of all its frames: lens, light, exposure."""

import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Condition
from typing import Any, Final

from hardware.hang_timeout import HangTimeout
from hardware.picamera2_frames import gain, lux
from hardware.settling import Settling

FOCUS_NS: Final = 600_000_000
"""Longest wait for a scan of the lens to end. Source: a scan may take 25 s (picamera2 #884)."""

SAMPLED: Final = 10
"""Number of frames of which one is read while no caller waits for any: three a second are read.

Source: reading one takes a quarter of the Python time of a waiting frame (measured with picamera2
0.3.38 on libcamera's virtual camera, 2026-11); a change of light is noticed within a third of a
second.
"""

WATCH_NS: Final = 1_000_000_000
"""Time after the last use of the camera in which every frame is read.

Source: the lamp is put out at the end of a burst or of a scan window, and the exposure moves within
four frames.
"""

AF_STATE_SCANNING: Final = 1
"""Source: the enumerations of libcamera 0.4.0's Python module; picamera2 takes their numbers."""


def focus_due_ns(after_ns: int, first_frame_ns: int) -> int:
    """Return when to expose without focus: 600 ms after the press and the first frame."""
    return max(after_ns, first_frame_ns) + FOCUS_NS


class StreamState:
    """The state as picamera2's thread updates it; another thread waits for its changes.

    While no caller uses the camera and its lens and exposure are at rest, most frames are only
    counted. Frames that are left out make `Settling` stricter, since its steps are then longer.

    Attributes:
        count: number of frames since the camera was opened.
        newest_ns: CLOCK_MONOTONIC when the newest frame came; None before the first one.
        newest_began_ns: CLOCK_MONOTONIC when the exposure of the newest frame that was read began.
        newest_lux: the illuminance that this frame reports; None without an estimate.
    """

    def __init__(self) -> None:
        self.count = 0
        self.newest_ns: int | None = None
        self.newest_began_ns = 0
        self.newest_lux: float | None = None
        self._first_ns: int | None = None
        self._ended_ns = 0
        self._settling = Settling()
        self._scanning = False
        self._sampling = False
        self._used_ns = 0
        self._changed: Final = Condition()

    def restart(self) -> None:
        """Begin a stream: exposures of the stream before do not count."""
        with self._changed:
            self._first_ns = None
            self._ended_ns = 0
            self._settling = Settling()
        self.watch()

    def watch(self) -> bool:
        """Begin to want every frame, for a second; return True if some were left out before."""
        with self._changed:
            was_sampling, self._sampling = self._sampling, False
            self._used_ns = time.monotonic_ns()
        return was_sampling

    def came(self) -> bool:
        """Count a frame; return True if its metadata is wanted."""
        self.count += 1
        self.newest_ns = time.monotonic_ns()
        return not self._sampling or self.count % SAMPLED == 0

    def add(self, metadata: Mapping[str, Any]) -> None:
        """Add a frame by its metadata, unless it or a later one was added before."""
        with self._changed:
            ended_ns = began_ns = int(metadata["SensorTimestamp"])
            if ended_ns <= self._ended_ns:
                return
            self._ended_ns = ended_ns
            self._first_ns = self._first_ns or ended_ns
            self._scanning = metadata.get("AfState") == AF_STATE_SCANNING
            self.newest_lux = lux(metadata)
            with suppress(KeyError):  # `frame` raises the error if the frame is taken
                exposure_us = int(metadata["ExposureTime"])
                began_ns -= 1000 * exposure_us
                self._settling.add(began_ns, exposure_us * gain(metadata))
            self.newest_began_ns = began_ns
            self._sampling = self._is_at_rest()
            self._changed.notify_all()

    def _is_at_rest(self) -> bool:
        return (
            self.newest_began_ns >= self._used_ns + WATCH_NS
            and not self._scanning
            and self._settling.settled(self._used_ns)
        )

    def wait_for_frame(self, began_ns: int, timeout: HangTimeout) -> bool:
        """Wait for a frame of this stream that began at `began_ns` or later; True if it came."""
        with self._changed:
            while self._first_ns is None or self.newest_began_ns < began_ns:
                if not (wait_s := timeout.wait_s()):
                    return False
                self._changed.wait(wait_s)
        return True

    def wait_for_focus(self, after_ns: int, timeout: HangTimeout) -> bool:
        """Wait until the lens rests, or `focus_due_ns` is past; return True if it had to wait."""
        waited = False
        with self._changed:
            while wait_s := timeout.wait_s():
                now_ns = time.monotonic_ns()
                if self._first_ns is not None:
                    due_ns = focus_due_ns(after_ns, self._first_ns)
                    if not self._scanning or now_ns >= due_ns:
                        break
                    wait_s = min(wait_s, (due_ns - now_ns) / 1e9)
                waited = True
                self._changed.wait(wait_s)
        return waited

    def wait_for_exposure(
        self, light_changed_ns: int | None, most: int, timeout: HangTimeout
    ) -> tuple[int, bool]:
        """Wait until the exposure has settled, or `count` is `most`.

        Returns:
            The time after which a frame must have begun (0: any time), and True if the exposure
            has settled.
        """
        waited = False
        with self._changed:
            while not (settled := self._settling.settled(light_changed_ns or 0)):
                wait_s = timeout.wait_s()
                if self.count >= most or not wait_s:
                    break
                waited = True
                self._changed.wait(wait_s)
            return (self.newest_began_ns - 1 if waited else 0), settled
