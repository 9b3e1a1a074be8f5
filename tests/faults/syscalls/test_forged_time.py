"""Somebody tells a running device another year: by a receipt, by GPS, by the clock at a prune."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from agent.models import rfc3339
from agent.trust.store import KeptTime, TrustStore
from hardware.clock import BUILT
from hardware.floor import GNSS_RAISES_BY
from tests.scenarios.device_faults import told_by_gpsd
from tests.scenarios.sending_faults import TWO_TICKS_S
from tests.support.device import Device, device, towards
from tests.support.faketime import TEN_YEARS_AHEAD, faked
from tests.support.rawserver import RawServer, raw_server
from tests.support.tusscript import TusScript, receipt

pytestmark = pytest.mark.slow

UNSYNCED: Final = '[[at]]\nsecond = 0\nclock = "unsynced"\ngnss_time = false\n'


@dataclass
class DatedReceipts(TusScript):
    """A backend whose clock says what the test wants; by default it is right."""

    says: list[str] = field(default_factory=list)

    def receipt(self, capture_id: str) -> str:
        content = bytes(self.uploads[f"/files/{capture_id}"])
        when = self.says[0] if self.says else rfc3339(datetime.now(UTC))
        return receipt(self.server.key, capture_id, content, received_at=when)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    with raw_server(tmp_path) as one:
        one.script = DatedReceipts(one)
        yield one


def kept(van: Device) -> KeptTime:
    return TrustStore(van.layout).time()


def send(van: Device) -> None:
    sent = van.run("sync", "--once")
    assert sent.returncode == 0, sent.stdout + sent.stderr


def prune(van: Device, **options: Any) -> str:
    pruned = van.run("prune", **options)
    assert pruned.returncode == 0, pruned.stderr
    return str(pruned.stdout)


def states(van: Device) -> set[str]:
    return {row["state"] for row in van.queue()}


@pytest.mark.parametrize("when", ["2090-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_receipt_of_a_far_year_delivers_its_record_and_does_nothing_else(
    tmp_path: Path, server: RawServer, when: str
) -> None:
    """Before, it ended the device for good: each true date after it was refused."""
    server.script = DatedReceipts(server, says=[when])
    with device(tmp_path / "van", retention={"file_hours": 0}, backend=towards(server)) as van:
        van.start("capture")
        van.press()
        van.await_that(lambda: kept(van).floor is not None)
        before = kept(van)
        send(van)
        time.sleep(TWO_TICKS_S)
        after = van.press()
        told = prune(van)

        assert "DELIVERED" in states(van)
        assert kept(van) == before
        assert after["label"]["clock"] == "ntp"
        assert after["label"]["utc"] < "2030"
        assert told.startswith("0 files and 0 rows deleted\nnothing was deleted for its age")


def test_a_few_seconds_of_gps_ten_years_ahead_cost_half_a_year_and_the_network_heals_it(
    tmp_path: Path,
) -> None:
    """Capture is killed meanwhile, which brings no new half year."""

    def ten_years_ahead() -> bytes:
        utc = rfc3339(datetime.now(UTC) + timedelta(days=3650))
        tpv = {"class": "TPV", "mode": 3, "lat": 52.5, "lon": 13.4, "eph": 9.0, "time": utc}
        return json.dumps(tpv).encode() + b"\n"

    with (
        told_by_gpsd(ten_years_ahead) as address,
        device(tmp_path, UNSYNCED, position={"kind": "gpsd", "gpsd": address}) as van,
    ):
        van.start("capture")
        raised = BUILT + GNSS_RAISES_BY
        van.await_that(lambda: kept(van).floor == raised)
        van.stop("capture", signal.SIGKILL)
        van.start("capture")
        label = van.press()["label"]
        time.sleep(TWO_TICKS_S)
        again = kept(van).floor
        van.set_world('[[at]]\nsecond = 0\nclock = "ntp"\ngnss_time = false\n')
        van.await_that(lambda: (kept(van).floor or raised) < raised)

        assert label["clock"] == "gnss"
        assert again == raised
        assert "event=floor_lowered" in van.log("capture")
        assert van.press()["label"]["clock"] == "ntp"


def test_a_boot_is_dated_again_after_its_gps_was_in_2036_and_came_back(tmp_path: Path) -> None:
    """A restart in between writes no third `time` record, and `verify` holds with both."""
    ahead: list[timedelta] = []

    def says() -> bytes:
        if not ahead:
            return b'{"class":"TPV","mode":1}\n'
        utc = rfc3339(datetime.now(UTC) + ahead[-1])
        tpv = {"class": "TPV", "mode": 3, "lat": 52.5, "lon": 13.4, "eph": 9.0, "time": utc}
        return json.dumps(tpv).encode() + b"\n"

    def years(van: Device) -> list[str]:
        return [row["utc"][:4] for row in van.queue() if row["kind"] == "time"]

    with (
        told_by_gpsd(says) as address,
        device(tmp_path, UNSYNCED, position={"kind": "gpsd", "gpsd": address}) as van,
    ):
        van.start("capture")
        undated = van.press()
        ahead.append(timedelta(days=3650))
        van.await_that(lambda: len(years(van)) == 1)
        wrong = van.press()
        ahead.append(timedelta())
        van.await_that(lambda: len(years(van)) == 2)
        van.stop("capture", signal.SIGKILL)
        van.start("capture")
        right = van.press()
        time.sleep(TWO_TICKS_S)
        verified = van.run("verify", str(van.layout.records))

        now = datetime.now(UTC).year
        assert years(van) == [str(now + 10), str(now)]
        assert undated["label"]["clock"] == "unsynced"
        assert [one["label"]["clock"] for one in (wrong, right)] == ["gnss", "gnss"]
        assert wrong["label"]["utc"] > right["label"]["utc"]
        assert verified.returncode == 0, verified.stdout


def test_prune_goes_by_what_a_receipt_and_the_clock_said_together(
    tmp_path: Path, server: RawServer
) -> None:
    """Not by its own clock, be it years ahead, nor by what was so in another boot."""
    with device(tmp_path / "van", backend=towards(server)) as van:
        van.start("capture")
        van.press()
        before = prune(van)
        send(van)
        van.await_that(lambda: kept(van).agreed is not None)
        van.press()  # the newest stays
        far_ahead = {**os.environ, **faked(TEN_YEARS_AHEAD)}
        too_soon = prune(van, env=far_ahead)
        van.configure(retention={"file_hours": 0}, backend=towards(server))
        agreed = kept(van)
        store = TrustStore(van.layout)
        store.keep_time(_of_another_boot(agreed))
        in_another_boot = prune(van, env=far_ahead)
        store.keep_time(agreed)
        due = prune(van)

        assert "nothing was deleted for its age" in before
        assert too_soon == "0 files and 0 rows deleted\n"
        assert "nothing was deleted for its age" in in_another_boot
        assert due == "2 files and 0 rows deleted\n"
        assert states(van) == {"PRUNED", "PENDING"}


def _of_another_boot(known: KeptTime) -> KeptTime:
    assert known.agreed is not None
    return KeptTime(known.floor, type(known.agreed)("another", known.agreed.utc, 0.0))


def test_what_capture_and_sync_say_together_outlives_both(
    tmp_path: Path, server: RawServer
) -> None:
    with device(tmp_path / "van", retention={"file_hours": 0}, backend=towards(server)) as van:
        van.start("capture")
        van.press()
        send(van)
        van.await_that(lambda: kept(van).agreed is not None)
        van.press()
        van.stop("capture", signal.SIGKILL)
        van.start("capture")
        van.stop("capture", signal.SIGKILL)

        assert prune(van) == "2 files and 0 rows deleted\n"
