"""An accelerometer read from sysfs, as the kernel lays it out."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hardware.drivers.motion_iio import CLOSE_S, Accelerometer, IioMotion
from hardware.lift import SensorFault
from hardware.settings import MotionSettings
from tests.support import accelerometer
from tests.support.waiting import until


def device(sysfs: Path, number: int, **files: str) -> None:
    folder = sysfs / f"bus/iio/devices/iio:device{number}"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode(errors="surrogateescape"))


def axes(raw: str) -> dict[str, str]:
    return {f"in_accel_{axis}_raw": raw for axis in "xyz"}


@pytest.fixture
def motion(tmp_path: Path) -> Iterator[IioMotion]:
    with closing(IioMotion(MotionSettings("iio", tmp_path))) as opened:
        yield opened


def test_each_axis_has_its_scale_or_that_of_all(tmp_path: Path) -> None:
    """A device that measures something else is passed over."""
    device(tmp_path, 0, in_voltage0_raw="7\n")
    device(tmp_path, 1, in_accel_scale="0.5\n", in_accel_z_scale="0.25\n", **axes("-8\n"))

    with closing(Accelerometer(tmp_path)) as sensor:
        assert sensor.read() == (-4.0, -4.0, -2.0)


@pytest.mark.parametrize(
    ("raw", "scale"),
    [
        ("", "0.0006"),
        ("nonsense", "0.0006"),
        ("9" * 40, "0.0006"),
        ("16384", "0"),
        ("16384", "nan"),
        ("16384", "-0.0006"),
        ("16384", "1e300"),
        ("9" * 32, "1e308"),
        ("\udcff", "0.0006"),
        ("16384", "\udcff"),
    ],
)
def test_invalid_acceleration_is_no_answer(tmp_path: Path, raw: str, scale: str) -> None:
    """A sensor may be in each of its files."""
    device(tmp_path, 0, in_accel_scale=scale, **axes(raw))

    with closing(Accelerometer(tmp_path)) as sensor:
        assert sensor.read() is None


def test_a_sensor_that_comes_back_under_another_number_is_opened_again(tmp_path: Path) -> None:
    device(tmp_path, 0, in_accel_scale="0.5", **axes("8"))
    with closing(Accelerometer(tmp_path)) as sensor:
        before = sensor.read()
        for file in (tmp_path / "bus/iio/devices/iio:device0").iterdir():
            file.write_text("")
            file.unlink()
        device(tmp_path, 1, in_accel_scale="0.5", **axes("6"))

        assert before == (4.0, 4.0, 4.0)
        assert sensor.read() is None
        assert sensor.read() == (3.0, 3.0, 3.0)


@pytest.mark.slow
def test_a_sensor_that_is_missing_is_a_trouble_until_it_appears(
    motion: IioMotion, tmp_path: Path
) -> None:
    """No press needs it: the process starts, and the status says what is wrong."""
    words = str(until(motion.trouble))
    assert motion.lifted() is None
    assert "accelerometer" in words
    assert SensorFault.SILENT in words

    with closing(accelerometer.Accelerometer(tmp_path)):
        until(motion.lifted)

        assert motion.trouble() is None


@pytest.mark.slow
def test_a_sensor_that_goes_away_is_no_rest(motion: IioMotion, tmp_path: Path) -> None:
    """Its listener is called: the camera must not stay stopped on the word of a lost sensor."""
    heard: list[bool | None] = []
    sensor = accelerometer.Accelerometer(tmp_path)
    until(lambda: motion.lifted() is False)
    motion.listen(lambda: heard.append(motion.lifted()))

    sensor.unplug()

    until(lambda: heard)
    assert heard == [None]
    assert SensorFault.SILENT in (motion.trouble() or "")


@pytest.mark.slow
def test_a_sensor_that_hangs_does_not_hold_up_the_end_of_the_process(tmp_path: Path) -> None:
    """Camera and lamp are closed after it; and a read that ends later calls nobody."""
    pipe = tmp_path / "bus/iio/devices/iio:device0/in_accel_x_raw"
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    motion = IioMotion(MotionSettings("iio", tmp_path))
    until(motion.trouble)
    began_s = time.monotonic()

    motion.close()

    assert time.monotonic() - began_s < CLOSE_S + 1
    os.close(os.open(pipe, os.O_WRONLY))


@pytest.mark.slow
def test_a_thread_that_reads_no_more_is_a_silent_sensor(motion: IioMotion, tmp_path: Path) -> None:
    """Its last state would stay for ever; a closed sensor has no thread either."""
    with closing(accelerometer.Accelerometer(tmp_path)):
        until(motion.lifted)
        motion.close()
        until(lambda: motion.lifted() is None)

    assert SensorFault.SILENT in str(until(motion.trouble))
