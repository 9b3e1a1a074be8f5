"""The system clock: who is believed, and what an instant is dated with."""

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hardware.clock import BUILT, Clock, ClockSource
from hardware.clock_system import (
    DRIFT,
    GNSS_UNCERTAINTY_S,
    RTC_AGREES_WITHIN_S,
    RTC_DRIFT_S,
    SystemClock,
    SystemWitness,
)
from hardware.errors import DeviceError

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=365)


def clock(vouched: ClockSource, floor: datetime = BUILT) -> Clock:
    return SystemClock(floor, witness=lambda: vouched)


def near(one: datetime, other: datetime, within_s: float = 2.0) -> bool:
    return abs((one - other).total_seconds()) <= within_s


def rtc(root: Path, epoch_s: float) -> Path:
    folder = root / "sys/class/rtc/rtc0"
    folder.mkdir(parents=True)
    (folder / "since_epoch").write_text(f"{epoch_s:.0f}\n")
    return root


@pytest.fixture
def kernel_unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardware.clock_system._kernel_is_synchronised", lambda: False)


SECOND = timedelta(seconds=1)


def hear(one: Clock, utc: datetime) -> None:
    """Two epochs that agree."""
    now_ns = time.monotonic_ns()
    one.learn(utc - SECOND, now_ns - 10**9)
    one.learn(utc, now_ns)


def test_wrong_epoch_is_not_believed() -> None:
    """A receiver may tell anything once; the next epoch has to agree with it."""
    unsynced = clock(ClockSource.UNSYNCED)
    now_ns = time.monotonic_ns()

    unsynced.learn(LATER + timedelta(days=900), now_ns - 10**9)
    unsynced.learn(LATER, now_ns)

    assert unsynced.now().source is ClockSource.UNSYNCED


def test_a_gnss_date_far_ahead_of_the_floor_is_refused() -> None:
    """The date would raise the floor for good, and every true date after it would be refused."""
    unsynced = clock(ClockSource.UNSYNCED)

    hear(unsynced, unsynced.floor + timedelta(days=20 * 365))

    assert unsynced.now().source is ClockSource.UNSYNCED


def test_time_that_the_network_contradicted_is_not_believed_again_without_it() -> None:
    """A forged time continued without the network; a time that agreed with it continues."""
    said = [ClockSource.UNSYNCED]
    found = []
    for ahead in (timedelta(days=3650), timedelta(hours=1)):
        one = SystemClock(BUILT, witness=lambda: said[-1])
        hear(one, datetime.now(UTC) + ahead)
        for source in (ClockSource.NTP, ClockSource.UNSYNCED):
            said.append(source)
            found.append(one.now().source)

    assert found == [ClockSource.NTP, ClockSource.UNSYNCED, ClockSource.NTP, ClockSource.GNSS]


@pytest.mark.parametrize("vouched", list(ClockSource))
def test_nobody_vouches_for_a_time_before_the_build(
    monkeypatch: pytest.MonkeyPatch, vouched: ClockSource
) -> None:
    """A time server may be years behind, too: it sets the clock, and the kernel is content."""
    monkeypatch.setattr("hardware.clock_system.BUILT", LATER)
    before = clock(vouched, floor=LATER)

    hear(before, LATER - SECOND)

    assert before.now().source is ClockSource.UNSYNCED
    assert near(before.now().utc, LATER)


@pytest.mark.parametrize(
    ("vouched", "floor", "source"),
    [
        (ClockSource.NTP, LATER, ClockSource.NTP),  # a receiver's wrong date may have raised it
        (ClockSource.GNSS, BUILT, ClockSource.GNSS),  # chrony with a receiver
        (ClockSource.GNSS, LATER, ClockSource.UNSYNCED),  # chrony believes a week rollover
        (ClockSource.RTC, LATER, ClockSource.UNSYNCED),  # its battery is dead
        (ClockSource.UNSYNCED, BUILT, ClockSource.UNSYNCED),
    ],
)
def test_only_the_network_is_believed_before_the_floor(
    vouched: ClockSource, floor: datetime, source: ClockSource
) -> None:
    """Otherwise the time is a guess: the system's own, but not before the floor."""
    moment = clock(vouched, floor).now()

    assert moment.source is source
    assert (moment.uncertainty_s is None) == (source is ClockSource.UNSYNCED)
    is_refused = floor == LATER and source is ClockSource.UNSYNCED
    assert near(moment.utc, LATER if is_refused else datetime.now(UTC))


def test_gnss_time_is_carried_on_by_the_monotonic_clock() -> None:
    """An instant is dated by its distance from the arrival of the GNSS time, also before it."""
    unsynced = clock(ClockSource.UNSYNCED)
    received_ns = time.monotonic_ns()

    unsynced.learn(LATER - SECOND, received_ns - 10**9)
    unsynced.learn(LATER, received_ns)

    assert unsynced.at(received_ns).utc == LATER
    assert unsynced.at(received_ns + 10**10).utc == LATER + timedelta(seconds=10)
    assert unsynced.at(received_ns - 10**9).utc == LATER - timedelta(seconds=1)
    assert unsynced.now().source is ClockSource.GNSS


def test_bound_of_an_earlier_process_still_holds() -> None:
    """The clock may have carried an old GNSS time on itself, at most since the boot."""
    unsynced = clock(ClockSource.UNSYNCED)
    now_ns = time.monotonic_ns()

    unsynced.recall(LATER, now_ns - 10**9)

    moment = unsynced.at(now_ns)
    assert (moment.source, moment.utc) == (ClockSource.GNSS, LATER + SECOND)
    assert moment.uncertainty_s == pytest.approx(GNSS_UNCERTAINTY_S + now_ns / 1e9 * DRIFT)


def test_recalled_time_is_refused_as_a_receivers_time_would_be() -> None:
    """The build date may have moved since, by an update."""
    unsynced = clock(ClockSource.UNSYNCED, floor=LATER)
    now_ns = time.monotonic_ns()

    unsynced.recall(LATER - timedelta(days=2), now_ns)
    refused = unsynced.now().source
    unsynced.recall(LATER - timedelta(days=2), now_ns - 2 * 86_400 * 10**9)

    assert refused is ClockSource.UNSYNCED
    assert unsynced.now().source is ClockSource.GNSS


def test_a_new_gnss_time_takes_the_place_of_what_was_recalled() -> None:
    unsynced = clock(ClockSource.UNSYNCED)
    unsynced.recall(LATER, time.monotonic_ns())

    hear(unsynced, LATER + timedelta(hours=1))

    assert near(unsynced.now().utc, LATER + timedelta(hours=1))


def test_an_old_gnss_time_is_less_certain() -> None:
    """The bound grows by the kernel's worst drift."""
    unsynced = clock(ClockSource.UNSYNCED)

    unsynced.learn(LATER - SECOND, -(10**9))
    unsynced.learn(LATER, 0)

    assert unsynced.at(0).uncertainty_s == GNSS_UNCERTAINTY_S
    assert unsynced.at(3600 * 10**9).uncertainty_s == pytest.approx(
        GNSS_UNCERTAINTY_S + 3600 * DRIFT
    )


def test_a_gnss_date_before_the_floor_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver after its week rollover says 2007; the log says so once, not once a second."""
    unsynced = clock(ClockSource.UNSYNCED)

    with caplog.at_level(logging.WARNING):
        for second in range(3):
            unsynced.learn(datetime(2007, 4, 8, 0, 0, second, tzinfo=UTC), time.monotonic_ns())

    assert unsynced.now().source is ClockSource.UNSYNCED
    assert caplog.text.count("event=gnss_time_refused") == 1


def test_a_fix_from_before_a_receipt_is_no_rollover(caplog: pytest.LogCaptureFixture) -> None:
    """The receipt raises the floor, past a fix of a second ago, or by a clock that is ahead."""
    unsynced = clock(ClockSource.UNSYNCED)
    unsynced.move_floor(LATER)

    hear(unsynced, LATER - SECOND)

    assert unsynced.now().source is ClockSource.GNSS
    assert caplog.text == ""


def test_gnss_counts_more_than_an_rtc() -> None:
    """The RTC was set some day; the receiver speaks now."""
    with_rtc = clock(ClockSource.RTC)
    assert with_rtc.now().source is ClockSource.RTC

    hear(with_rtc, LATER)

    assert with_rtc.now().source is ClockSource.GNSS


def test_an_unsynced_clock_keeps_intervals() -> None:
    """A guess goes on from the floor, so that two presses are not dated alike."""
    behind = clock(ClockSource.UNSYNCED, floor=LATER)
    now_ns = time.monotonic_ns()

    earlier, later = behind.at(now_ns), behind.at(now_ns + 60 * 10**9)

    assert later.utc - earlier.utc == timedelta(seconds=60)


def test_no_floor_is_before_the_build() -> None:
    """Neither one that was kept, nor one that is moved there."""
    unsynced = clock(ClockSource.UNSYNCED, floor=BUILT - timedelta(days=900))
    at_first = unsynced.floor

    unsynced.move_floor(BUILT - SECOND)

    assert (at_first, unsynced.floor) == (BUILT, BUILT)


def test_a_hidden_boot_id_names_the_remedy(tmp_path: Path) -> None:
    """ProcSubset=pid hides it; the message says so."""
    with pytest.raises(DeviceError, match="ProcSubset=pid"):
        SystemClock(BUILT, root=tmp_path)


def test_timesyncd_vouches_by_its_file(tmp_path: Path) -> None:
    """Under ProtectClock= the kernel cannot be asked; timesyncd's file still speaks."""
    flag = tmp_path / "run/systemd/timesync/synchronized"
    flag.parent.mkdir(parents=True)
    flag.touch()

    assert SystemWitness(tmp_path)() is ClockSource.NTP


@pytest.mark.usefixtures("kernel_unsynced")
def test_rtc_is_as_certain_as_it_and_the_system_together(tmp_path: Path) -> None:
    """The system may have left a real-time clock that was wrong by then: 90 s were seen."""
    apart_s = RTC_AGREES_WITHIN_S - 1

    assert SystemWitness(rtc(tmp_path, time.time() - apart_s))() is ClockSource.RTC
    uncertainty_s = clock(ClockSource.RTC).now().uncertainty_s
    assert uncertainty_s is not None
    assert uncertainty_s >= apart_s + RTC_DRIFT_S


@pytest.mark.usefixtures("kernel_unsynced")
@pytest.mark.parametrize("epoch_s", [0.0, 86_400.0])
def test_an_rtc_that_started_in_1970_vouches_for_nothing(tmp_path: Path, epoch_s: float) -> None:
    """A Pi 5 has an RTC also without its battery; the system's time then came from elsewhere."""
    assert SystemWitness(rtc(tmp_path, epoch_s))() is ClockSource.UNSYNCED


@pytest.mark.usefixtures("kernel_unsynced")
def test_no_rtc_and_no_ntp_is_unsynced(tmp_path: Path) -> None:
    """A bare Pi without network."""
    assert SystemWitness(tmp_path)() is ClockSource.UNSYNCED
