"""The last report of each device: one, replaced, without waiting for a disk or for others."""

from datetime import timedelta
from pathlib import Path

import pytest

from doorstep_backend.engines.opening import open_database
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.model import open_office
from doorstep_backend.reports.store import Reports
from doorstep_backend.wire.store import Store
from tests.backend.reports.samples import DEVICE, NOW, report, waits
from tests.support.engines import only_sqlite


@pytest.fixture
def reports(tmp_path: Path) -> Reports:
    return Reports(tmp_path)


def test_last_report_of_a_device_replaces_the_one_before(reports: Reports, tmp_path: Path) -> None:
    reports.note(report(queue=waits(1, NOW)))
    last = report(at=NOW + timedelta(hours=2), needs=["full"], bench_mode=True)
    reports.note(last)
    other = report("van-1")
    reports.note(other)

    assert reports.find(DEVICE) == last
    assert reports.find("van-2") is None
    assert list(Reports(tmp_path).all()) == [last, other]
    query = """SELECT worst, waiting, oldest_utc, agent, bench_mode FROM reports
        WHERE device_id = ?"""
    row = open_database(tmp_path, "backend").execute(query, (DEVICE,)).fetchone()
    assert row == (last.worst, 0, None, "2026.12.0", True)


@only_sqlite
def test_report_without_news_writes_no_row(reports: Reports, tmp_path: Path) -> None:
    """A device asks for its manifest every ten minutes."""
    reports.note(report())
    db = open_database(tmp_path, "backend")
    before = db.execute("PRAGMA data_version").fetchone()
    reports.note(report(at=NOW + timedelta(minutes=50)))
    assert db.execute("PRAGMA data_version").fetchone() == before
    reports.note(report(at=NOW + timedelta(minutes=60)))
    assert db.execute("PRAGMA data_version").fetchone() != before


def test_only_what_is_not_let_in_any_more_expires(reports: Reports, tmp_path: Path) -> None:
    """A device that is let in and silent for a year is one for which a person must look."""
    register = Register(tmp_path)
    for name in ("van-in", "van-out", "van-gone"):
        register.let_in(name)
        reports.note(report(name))
    register.shut_out("van-out", DeviceState.REVOKED)
    register.shut_out("van-gone", DeviceState.GONE)

    assert reports.expire(NOW - timedelta(hours=1)) == 0
    assert reports.expire(NOW) == 2
    assert [one.device_id for one in reports.all()] == ["van-in"]


def test_the_office_deletes_it_as_the_table_says(tmp_path: Path) -> None:
    """The report is deleted also without a register, if no device asks for certificates."""
    (tmp_path / "backend.toml").write_text("retention = {report_days = 5}")
    office = open_office(Store(tmp_path))
    Reports(tmp_path).note(report())

    office.erasure.expire(NOW + timedelta(days=5, seconds=-1))
    assert Reports(tmp_path).find(DEVICE) is not None
    office.erasure.expire(NOW + timedelta(days=5))
    assert Reports(tmp_path).find(DEVICE) is None
