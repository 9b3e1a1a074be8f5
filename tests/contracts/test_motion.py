"""The contract of every motion sensor: simulated, a copy of sysfs in a folder, a kernel's."""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hardware.drivers.motion_iio import DEVICES, IioMotion
from hardware.motion import Motion
from hardware.settings import MotionSettings
from hardware.simulated.motion import SimulatedMotion
from hardware.simulated.world import World
from tests.support.accelerometer import Accelerometer, StubAccelerometer
from tests.support.waiting import until

NOTICED_S = 20.0
"""A busy machine wakes a thread late; on a device the promise is 0.1 s."""

RESTS_S = 0.2
"""A rest that no hand cuts shorter, and no sensor misses."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A sensor at rest, and the hand that lifts the device and lays it down."""

    motion: Motion
    lift: Callable[[], None]
    lay: Callable[[], None]


@contextmanager
def simulated(folder: Path) -> Iterator[Bench]:
    script = folder / "world.toml"

    def place(*, lifted: bool) -> None:
        part = folder / "part"
        part.write_text(f"[[at]]\nsecond = 0\nlifted = {str(lifted).lower()}\n")
        part.replace(script)

    place(lifted=False)
    with closing(SimulatedMotion(World(script, None))) as motion:
        yield Bench(motion, lambda: place(lifted=True), lambda: place(lifted=False))


@contextmanager
def iio(folder: Path) -> Iterator[Bench]:
    with (
        closing(Accelerometer(folder)) as sensor,
        closing(IioMotion(MotionSettings("iio", folder))) as motion,
    ):
        yield Bench(motion, sensor.lift, sensor.lay)


@contextmanager
def kernel(_: Path) -> Iterator[Bench]:
    """The driver on the kernel's own driver of an MPU-6050."""
    with (
        closing(StubAccelerometer()) as sensor,
        closing(IioMotion(MotionSettings("iio"))) as motion,
    ):
        yield Bench(motion, sensor.lift, sensor.lay)


Opener = Callable[[Path], AbstractContextManager[Bench]]


@pytest.fixture(
    params=[
        simulated,
        pytest.param(iio, marks=pytest.mark.slow),
        pytest.param(kernel, marks=pytest.mark.device),
    ],
    ids=lambda opener: opener.__name__,
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    opener: Opener = request.param
    with opener(tmp_path) as opened:
        yield opened


def test_each_lift_is_heard_once(bench: Bench) -> None:
    """The camera starts at a lift, however long the hand then holds the device."""
    heard: queue.Queue[bool | None] = queue.Queue()
    until(lambda: bench.motion.lifted() is False)
    bench.motion.listen(lambda: heard.put(bench.motion.lifted()))

    for _ in range(2):
        bench.lift()
        assert heard.get(timeout=NOTICED_S) is True
        bench.lay()
        until(lambda: bench.motion.lifted() is False)
        time.sleep(RESTS_S)

    assert heard.empty()


def test_a_sensor_that_answers_has_no_trouble(bench: Bench) -> None:
    """The sensor knows whether the device is lifted, from the beginning or soon after."""
    until(lambda: bench.motion.lifted() is not None)

    assert bench.motion.trouble() is None


@pytest.mark.device
def test_the_sensor_of_this_device_comes_to_rest() -> None:
    """Leave the device alone on something solid."""
    if not any(Path("/sys").glob(f"{DEVICES}/in_accel_x_raw")):
        pytest.skip("there is no accelerometer here")
    with closing(IioMotion(MotionSettings("iio"))) as motion:
        until(lambda: motion.lifted() is False or motion.trouble())

        assert motion.trouble() is None


def test_a_closed_sensor_calls_nobody(bench: Bench) -> None:
    """The loop that listened may be gone; and closing twice is safe."""
    heard: queue.Queue[None] = queue.Queue()
    until(lambda: bench.motion.lifted() is False)
    bench.motion.listen(lambda: heard.put(None))

    bench.motion.close()
    bench.motion.close()
    bench.lift()

    with pytest.raises(queue.Empty):
        heard.get(timeout=RESTS_S)
