"""Which frames are read while nobody waits for one."""

import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from hardware.picamera2_state import AF_STATE_SCANNING, SAMPLED, WATCH_NS, StreamState
from hardware.settling import STEPS

FRAME_NS: Final = 33_333_333


class Stream:
    """Frames of one exposure for a state that was used last at `used_ns`."""

    def __init__(self) -> None:
        self.state: Final = StreamState()
        self.state.restart()
        self.used_ns: Final = time.monotonic_ns()
        self.number = 0

    def read(self, count: int, **more: Any) -> Iterator[bool]:
        """Let frames come, and yield for each if it was read."""
        for _ in range(count):
            self.number += 1
            is_wanted = self.state.came()
            if is_wanted:
                self.state.add(self.metadata(**more))
            yield is_wanted

    def metadata(self, **more: Any) -> dict[str, Any]:
        ended_ns = self.used_ns + self.number * FRAME_NS
        told = {"SensorTimestamp": ended_ns, "ExposureTime": 8_000, "AnalogueGain": 2.0}
        return told | more

    def rest(self) -> None:
        """Let so many frames come that the next one is read, and then nine are not."""
        list(self.read(10 * SAMPLED - 1))


def test_frame_is_read_one_in_ten_while_nobody_uses_the_camera() -> None:
    """A change of light is noticed within a third of a second."""
    stream = Stream()
    stream.rest()

    assert list(stream.read(30)) == 3 * [True, *[False] * (SAMPLED - 1)]


def test_frames_that_are_not_read_prove_that_the_camera_lives() -> None:
    stream = Stream()
    stream.rest()
    list(stream.read(1))
    count, newest_ns = stream.state.count, stream.state.newest_ns or 0

    assert list(stream.read(1)) == [False]
    assert stream.state.count == count + 1
    assert (stream.state.newest_ns or 0) > newest_ns


@pytest.mark.parametrize(
    "more",
    [{"ExposureTime": 10_000}, {"AfState": AF_STATE_SCANNING}],
    ids=["light has changed", "lens moves"],
)
def test_each_frame_is_read_after_one_that_is_not_at_rest(more: dict[str, int]) -> None:
    stream = Stream()
    stream.rest()
    list(stream.read(1, **more))

    assert all(stream.read(2, **more))


def test_each_frame_is_read_for_a_second_after_a_use() -> None:
    """A lamp that is put out then moves the exposure."""
    stream = Stream()
    second = WATCH_NS // FRAME_NS

    assert all(stream.read(second))
    assert not all(stream.read(SAMPLED))


def test_each_frame_is_read_until_the_exposure_has_settled() -> None:
    """Light that always grows is followed from frame to frame."""
    stream = Stream()

    for number in range(100):
        assert list(stream.read(1, ExposureTime=round(1_000 * 1.2 ** (number % 30)))) == [True]
    assert all(stream.read(STEPS))


def test_frame_that_came_before_another_one_is_added_once() -> None:
    """picamera2's thread may add the newest frame before the thread that asks for it."""
    stream = Stream()
    list(stream.read(1, Lux=1.0))
    late = stream.metadata(Lux=2.0)
    list(stream.read(1, Lux=3.0))

    stream.state.add(late)
    stream.state.add(stream.metadata(Lux=4.0))

    assert stream.state.newest_lux == 3.0
