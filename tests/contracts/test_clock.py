"""The contract of every clock, on this machine's, and on those of simulated worlds."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from hardware.clock import BUILT, Clock, ClockSource, Moment
from hardware.clock_system import SystemClock
from hardware.simulated.clock import simulated_witness
from hardware.simulated.world import World

JITTER = timedelta(milliseconds=50)
"""Largest difference of two readings of the same clocks on a busy machine."""


def floor() -> datetime:
    return datetime.now(UTC) - timedelta(days=30)


def system(_: Path) -> Clock:
    return SystemClock(floor())


def synchronised(folder: Path) -> Clock:
    return SystemClock(floor(), partial(simulated_witness, World(None, folder)))


def unsynchronised(folder: Path) -> Clock:
    script = folder / "world.toml"
    script.write_text('[[at]]\nsecond = 0\nclock = "unsynced"\n')
    return SystemClock(floor(), partial(simulated_witness, World(script, folder)))


@pytest.fixture(params=[system, synchronised, unsynchronised], ids=lambda opener: opener.__name__)
def clock(request: pytest.FixtureRequest, tmp_path: Path) -> Clock:
    opener: Callable[[Path], Clock] = request.param
    return opener(tmp_path)


def learn(clock: Clock, ahead: timedelta) -> Moment:
    """Tell it what a receiver that is `ahead` of this machine says, three times in a row."""
    for _ in range(3):
        clock.learn(datetime.now(UTC) + ahead, time.monotonic_ns())
        time.sleep(0.01)
    return clock.now()


def test_now_is_utc_and_dated_by_the_monotonic_clock(clock: Clock) -> None:
    before_ns = time.monotonic_ns()
    moment = clock.now()

    assert moment.utc.tzinfo is UTC
    assert before_ns <= moment.monotonic_ns <= time.monotonic_ns()
    assert moment.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_only_a_guess_has_no_bound(clock: Clock) -> None:
    """A record says how far its time may be off, or that nobody knows."""
    moment = clock.now()

    if moment.source is ClockSource.UNSYNCED:
        assert moment.uncertainty_s is None
    else:
        assert moment.uncertainty_s is not None
        assert 0 < moment.uncertainty_s <= 60


def test_an_instant_of_before_is_dated_as_long_before(clock: Clock) -> None:
    """A press is dated after the burst: by its edge, not by when somebody asked."""
    now = clock.now()

    before = clock.at(now.monotonic_ns - 5_000_000_000)

    assert before.monotonic_ns == now.monotonic_ns - 5_000_000_000
    assert abs(now.utc - before.utc - timedelta(seconds=5)) < JITTER
    assert (before.boot_id, before.source) == (now.boot_id, now.source)


def test_boottime_is_the_kernel_s(clock: Clock) -> None:
    """The clock runs on in suspend, so that a wait of an hour is one."""
    before_s = time.clock_gettime(time.CLOCK_BOOTTIME)

    assert before_s <= clock.boottime_s() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_the_floor_is_where_it_was_put_and_never_before_the_build(clock: Clock) -> None:
    higher = max(clock.floor, BUILT) + timedelta(days=1)

    clock.move_floor(higher)
    there = clock.floor
    clock.move_floor(BUILT - timedelta(days=10))

    assert (there, clock.floor) == (higher, BUILT)


def test_a_guess_is_not_before_the_floor(clock: Clock) -> None:
    """A device whose battery was out does not date a photo before its last receipt."""
    later = datetime.now(UTC) + timedelta(hours=1)
    clock.move_floor(later)

    moment = clock.now()

    assert moment.source is not ClockSource.UNSYNCED or moment.utc >= later


def test_a_receiver_that_goes_on_saying_it_is_believed(clock: Clock) -> None:
    """The only exception is that the network's time counts first."""
    moment = learn(clock, timedelta(0))

    assert moment.source in {ClockSource.GNSS, ClockSource.NTP}
    assert abs(moment.utc - datetime.now(UTC)) < JITTER


def test_a_week_rollover_is_not_believed(clock: Clock) -> None:
    """1,024 weeks back, as often as the receiver may say it."""
    before = clock.now()

    moment = learn(clock, -timedelta(weeks=1024))

    assert moment.source is before.source
    assert abs(moment.utc - datetime.now(UTC)) < timedelta(seconds=1)
    assert clock.floor < moment.utc
