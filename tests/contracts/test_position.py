"""The contract of every source of fixes: fixed, simulated, of a real gpsd, of a device."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hardware.drivers.position_fixed import FixedPosition
from hardware.drivers.position_gpsd import GpsdPosition
from hardware.position import Fix, Position
from hardware.settings import PositionSettings
from hardware.simulated.position import SimulatedPosition
from hardware.simulated.world import World
from tests.support import nmea
from tests.support.waiting import until

FRESH_S = 5.0


@contextmanager
def fixed(_: Path) -> Iterator[Position]:
    yield FixedPosition(PositionSettings("fixed", lat_deg=nmea.LAT_DEG, lon_deg=nmea.LON_DEG))


@contextmanager
def simulated(folder: Path) -> Iterator[Position]:
    yield SimulatedPosition(World(None, folder))


@contextmanager
def gpsd(_: Path) -> Iterator[Position]:
    receiver, port = nmea.Receiver(), nmea.free_port()
    with nmea.gpsd(receiver.port, port):
        yield GpsdPosition(PositionSettings("gpsd", gpsd=f"127.0.0.1:{port}"))
    receiver.unplug()


@contextmanager
def own(_: Path) -> Iterator[Position]:
    """Yield the position from the gpsd of this device, at the place of its receiver."""
    yield GpsdPosition(PositionSettings("gpsd"))


Opener = Callable[[Path], AbstractContextManager[Position]]


@pytest.fixture(
    scope="module",
    params=[
        fixed,
        simulated,
        pytest.param(gpsd, marks=pytest.mark.slow),
        pytest.param(own, marks=pytest.mark.device),
    ],
    ids=lambda opener: opener.__name__,
)
def opener(request: pytest.FixtureRequest) -> Opener:
    chosen: Opener = request.param
    return chosen


@pytest.fixture(scope="module")
def position(opener: Opener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Position]:
    with opener(tmp_path_factory.mktemp("run")) as source:
        until(source.last_fix)
        yield source
        source.close()
        source.close()


def newest(position: Position) -> Fix:
    fix = position.last_fix()
    assert fix
    return fix


def test_a_fix_is_a_place_on_the_globe(position: Position) -> None:
    """Degrees in range, and two dimensions at least."""
    fix = newest(position)

    assert fix.lat_deg == pytest.approx(nmea.LAT_DEG, abs=1e-5)
    assert fix.lon_deg == pytest.approx(nmea.LON_DEG, abs=1e-5)
    assert fix.mode in (2, 3)


def test_unknown_value_is_absent_and_metres_are_over_the_sea(position: Position) -> None:
    """Not over the ellipsoid, nor feet; and half a knot at most where nothing moves."""
    fix = newest(position)

    assert fix.mode == 3 or fix.alt_m is None
    assert fix.alt_m is None or fix.alt_m == pytest.approx(nmea.ALT_M, abs=0.2)
    assert fix.eph_m is None or fix.eph_m > 0
    assert fix.hdop is None or 0 < fix.hdop < 99
    assert fix.satellites is None or fix.satellites > 0
    assert fix.speed_mps is None or 0 <= fix.speed_mps < 0.3


def test_a_fix_is_stamped_on_arrival_and_its_time_is_utc(position: Position) -> None:
    """The stamp is CLOCK_MONOTONIC, not in the future, and fresh; the time is aware, or none."""
    fix = newest(position)

    assert 0 <= time.monotonic_ns() - fix.received_ns < FRESH_S * 1e9
    assert fix.utc is None or fix.utc.tzinfo is UTC
    assert fix.utc is None or 0 <= (datetime.now(UTC) - fix.utc).total_seconds() < FRESH_S


def test_fixes_go_on(position: Position) -> None:
    """A newer fix takes the place of the one before."""
    before = newest(position)

    until(lambda: newest(position).received_ns > before.received_ns)


def test_a_source_in_reach_has_no_trouble(position: Position) -> None:
    """The technician reads nothing while fixes come."""
    assert position.trouble() is None


def test_only_a_receivers_own_fixes_are_not_simulated(position: Position) -> None:
    """The record says which."""
    assert position.simulated is not isinstance(position, GpsdPosition)
