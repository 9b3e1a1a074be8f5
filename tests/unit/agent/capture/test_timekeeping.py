"""Capture's knowledge of time comes from its own checks, whatever sync puts into the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from agent.capture.timekeeping import AGREED_STEP_S
from agent.command import capture_process, state_access
from agent.models import rfc3339
from agent.record import signing
from agent.trust.certain import certain_now
from agent.trust.store import KeptTime, TrustStore
from hardware import clock_system
from hardware.clock import BUILT, ClockSource
from hardware.clock_system import SystemClock
from hardware.floor import GNSS_RAISES_BY, LATEST
from tests.support.benchtop import Bench, Parts, bench

KEY: Final = signing.new_key()
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
YEARS_AHEAD: Final = LATEST - DAY


@contextmanager
def timed(folder: Path, witness: ClockSource = ClockSource.UNSYNCED) -> Iterator[Bench]:
    """A device that knows the key of KEY's backend, and whose first turn is done."""
    (folder / "receipt-key.pem").write_bytes(signing.public_pem(KEY.public_key()))
    with bench(folder, Parts(witness=witness)) as device:
        device.tick()
        yield device


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    with timed(tmp_path) as opened:
        yield opened


def deliver(device: Bench, when: datetime, key: signing.PrivateKey = KEY, **told: Any) -> None:
    """A press, and what sync does when its receipt came; the next turn has seen it."""
    item = device.outbox.get(device.press()["label"]["capture_id"])
    device.deliver([item], key, **{"received_at": rfc3339(when)} | told)
    device.tick()


def kept(device: Bench) -> KeptTime:
    return TrustStore(device.layout).time()


def now() -> datetime:
    return datetime.now(UTC)


def reboot(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for module in (capture_process, state_access, clock_system):
        monkeypatch.setattr(module, "boot_id", lambda _root=None: name)


# Receipts


def test_a_receipt_raises_the_floor_and_it_is_kept(tmp_path: Path) -> None:
    when = datetime(2027, 3, 1, tzinfo=UTC)
    with timed(tmp_path) as device:
        deliver(device, when)

        assert device.parts.clock.floor == when
    with timed(tmp_path) as device:
        assert device.parts.clock.floor == kept(device).floor == when


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (KEY, {"capture_id": "00000000-0000-4000-8000-000000000000"}),
        (KEY, {"received_at": "2027-03-01"}),
        (KEY, {"refused_at": "2027-03-01T00:00:00Z"}),
        (signing.new_key(), {}),
    ],
)
def test_a_receipt_that_capture_refuses_moves_nothing(
    device: Bench, key: signing.PrivateKey, told: dict[str, Any]
) -> None:
    """A sync that was taken over has receipts of all that this device ever sent."""
    before = device.parts.clock.floor
    deliver(device, datetime(2027, 3, 1, tzinfo=UTC), key, **told)

    assert device.parts.clock.floor == before


# GNSS and the network


def test_a_few_seconds_of_gnss_years_ahead_cost_half_a_year_and_the_network_heals_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also over a restart in between, which brings no new half year."""
    with timed(tmp_path) as device:
        deliver(device, now() - DAY)
        before = device.parts.clock.floor
        device.hear_time(YEARS_AHEAD)
        device.tick()
        label = device.press()["label"]
        raised = device.parts.clock.floor
    with timed(tmp_path) as device:
        device.hear_time(YEARS_AHEAD + HOUR)
        device.tick()
        again = device.parts.clock.floor
        device.parts.witness = ClockSource.NTP
        device.tick()
        healed = device.parts.clock.floor

        assert (label["clock"], label["utc"][:4]) == ("gnss", f"{YEARS_AHEAD.year}")
        assert raised == again == before + GNSS_RAISES_BY
        assert BUILT <= healed <= now()
        assert kept(device).floor == datetime.fromisoformat(rfc3339(healed))
    assert caplog.text.count("event=floor_lowered") == 1


def test_true_fixes_displace_what_was_forged_also_after_a_restart(tmp_path: Path) -> None:
    """The floor stays half a year ahead until the network comes; the labels say what is true."""
    with timed(tmp_path) as device:
        deliver(device, now() - DAY)
        device.hear_time(YEARS_AHEAD)
        device.tick()
        floor, forged = device.parts.clock.floor, device.press()["label"]
        device.hear_time(now())
        device.tick()
        true = device.press()["label"]
    with timed(tmp_path) as device:
        recalled = device.press()["label"]
        device.hear_time(now())
        device.tick()
        heard = device.press()["label"]

        assert floor > now() + 100 * DAY
        assert device.parts.clock.floor == datetime.fromisoformat(rfc3339(floor))
    assert forged["utc"] >= rfc3339(YEARS_AHEAD)
    for label in (true, recalled, heard):
        assert label["clock"] == "gnss"
        assert abs(datetime.fromisoformat(label["utc"]) - now()) < HOUR


@pytest.mark.parametrize("year", [2090, 9999])
def test_a_receipt_of_a_far_year_delivers_its_record_and_does_nothing_else(
    device: Bench, year: int
) -> None:
    """Before, it ended the device for good: each true date after it was refused."""
    before = device.parts.clock.floor, kept(device)
    deliver(device, datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC))
    after = device.press()["label"]

    assert len(list(device.layout.receipts.iterdir())) == 1
    assert (device.parts.clock.floor, kept(device)) == before
    assert abs(datetime.fromisoformat(after["utc"]) - now()) < HOUR


def test_the_network_s_word_counts_more_than_a_receipt_s(tmp_path: Path) -> None:
    """The backend's clock is a year ahead; the floor stays where the network is, time and again."""
    with timed(tmp_path, ClockSource.NTP) as device:
        for number in range(3):
            deliver(device, now() + 365 * DAY + number * HOUR)

            assert device.parts.clock.floor <= now()
        assert (floor := kept(device).floor) is not None
        assert floor <= now()


# What prune goes by


def test_a_receipt_that_agrees_with_the_clock_makes_the_time_certain(tmp_path: Path) -> None:
    """The earlier of the two counts."""
    with timed(tmp_path, ClockSource.NTP) as device:
        before = kept(device).agreed
        when = now() - HOUR
        deliver(device, when)
        clock, known = device.parts.clock, kept(device).agreed

        assert before is None
        assert known is not None
        assert known.utc == datetime.fromisoformat(rfc3339(when))
        certain = certain_now(known, clock.now(), clock.boottime_s())
        assert certain is not None
        assert timedelta(0) <= certain - known.utc < timedelta(minutes=1)


def test_a_receipt_that_is_offered_again_makes_nothing_certain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Capture has it since another boot, or since an earlier process; the next one is new."""
    with timed(tmp_path, ClockSource.UNSYNCED) as device:
        deliver(device, now())
        (token,) = [path.read_text() for path in device.layout.receipts.iterdir()]
    reboot(monkeypatch, "another boot")
    with timed(tmp_path, ClockSource.NTP) as device:
        device.loop.documents.receipts.offer(token)
        device.tick()
        at_first = kept(device).agreed
        deliver(device, now())
        then = kept(device).agreed

    assert at_first is None
    assert then is not None
    assert then.boot_id == "another boot"


def test_an_agreement_is_kept_again_when_it_is_hours_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with each receipt: each costs a flush of the card."""
    at_s = [1_000.0]
    monkeypatch.setattr(SystemClock, "boottime_s", lambda _clock: at_s[0])
    with timed(tmp_path, ClockSource.NTP) as device:
        deliver(device, now())
        first = kept(device).agreed
        at_s[0] += AGREED_STEP_S - 1
        deliver(device, now())
        soon = kept(device).agreed
        at_s[0] += 1
        deliver(device, now())
        later = kept(device).agreed

    assert first is not None
    assert soon == first
    assert later is not None
    assert later == replace(later, boottime_s=1_000.0 + AGREED_STEP_S)
