"""The fleet as numbers: who is among them, and what is left out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent import __version__
from agent.status.metrics import HELP
from agent.status.troubles import Trouble
from doorstep_backend.engines.opening import open_database
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.office.model import open_office
from doorstep_backend.reports.fleet import Device, FleetReports
from doorstep_backend.reports.numbers import FLEET_HELP, exposition
from doorstep_backend.reports.routes import FleetRoutes
from doorstep_backend.reports.store import Reports
from doorstep_backend.reports.troubles import Noticed
from doorstep_backend.wire.filing_backlog import BacklogSize, FilingBacklog
from doorstep_backend.wire.store import Store
from tests.backend.reports.samples import DEVICE, NOW, report, waits
from tests.support.engines import only_sqlite


def device(**changes: Any) -> Device:
    usual: dict[str, Any] = {
        "device_id": DEVICE,
        "state": DeviceState.IN,
        "report": report(),
        "unreadable": None,
        "needs": (),
        "notes": (),
    }
    return Device(**{**usual, **changes})


def lines(*devices: Device) -> list[str]:
    text = exposition(devices, BacklogSize(0, None), 0.0, {}).decode()
    return [one for one in text.splitlines() if not one.startswith("#")][2:]


def test_backlogs_of_filing_and_erasing_name_no_device() -> None:
    nothing, waiting = (
        dict(one.split() for one in exposition([], *has).decode().splitlines() if one[0] != "#")
        for has in ((BacklogSize(0, None), 0.0, None), (BacklogSize(7, NOW), 90.5, None))
    )

    assert nothing == {"doorstep_unfiled_records": "0.0", "doorstep_erasure_overdue_seconds": "0.0"}
    assert waiting.keys() == {*nothing, "doorstep_oldest_unfiled_timestamp_seconds"}
    assert float(waiting["doorstep_unfiled_records"]) == 7
    assert float(waiting["doorstep_oldest_unfiled_timestamp_seconds"]) == NOW.timestamp()
    assert float(waiting["doorstep_erasure_overdue_seconds"]) == 90.5


@only_sqlite
def test_figure_of_a_locked_table_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A locked table loses only its own figure; the devices' figures stay."""
    office = open_office(Store(tmp_path))
    database = open_database(tmp_path, "backend", patience_s=0.1)
    routes = FleetRoutes(FleetReports(tmp_path), Reports(tmp_path), FilingBacklog(database), office)

    with ThreadPoolExecutor(1) as another, database.exclusive_transaction():
        backlog, overdue_s, refusals = another.submit(routes._of_no_device, NOW).result()  # noqa: SLF001 - /metrics asks it

    assert (backlog, overdue_s) == (None, 0.0)
    assert set((refusals or {}).values()) == {0}
    assert "event=away" in caplog.text
    assert exposition([], backlog, None, None) == b""


def test_numbers_have_refusals_by_reason_and_no_device() -> None:
    found = exposition([device()], None, None, {"no_position": 4, "camera_fault": 0}).decode()

    assert [one for one in found.splitlines() if one.startswith("doorstep_presses")] == [
        'doorstep_presses_without_photo{reason="no_position"} 4.0',
        'doorstep_presses_without_photo{reason="camera_fault"} 0.0',
    ]


def test_a_device_with_which_all_is_well_has_few() -> None:
    names = [one.partition("{")[0] for one in lines(device())]

    assert names == [
        "doorstep_device_state",
        "doorstep_report_timestamp_seconds",
        "doorstep_waiting_records",
        "doorstep_tls_end_timestamp_seconds",
        "doorstep_left_seconds",
        "doorstep_mean_watts",
        "doorstep_info",
    ]


def test_need_that_the_backend_noticed_is_counted_like_a_devices() -> None:
    found = lines(device(report=report(needs=["full"]), needs=(Noticed.SILENT, Trouble.FULL)))

    needs = [one for one in found if one.startswith("doorstep_needs")]
    assert needs == [
        f'doorstep_needs{{device="{DEVICE}",need="silent"}} 1.0',
        f'doorstep_needs{{device="{DEVICE}",need="full"}} 1.0',
    ]


def test_noughts_and_whether_it_is_quiet_are_left_out() -> None:
    quiet = "\n".join(lines(device()))
    said = report(bench_mode=True, queue=waits(2, NOW - timedelta(hours=3), refused=4))
    telling = "\n".join(lines(device(report=said)))

    for name in ("refused_records", "bench_mode", "oldest", "waits_why", "quiet", "ready"):
        assert name not in quiet
    assert f'doorstep_refused_records{{device="{DEVICE}"}} 4.0' in telling
    assert f'doorstep_bench_mode{{device="{DEVICE}"}} 1.0' in telling
    assert f'doorstep_waits_why{{device="{DEVICE}",why="no_network"}} 1.0' in telling


def test_revoked_device_has_only_its_state_and_a_gone_device_no_figure() -> None:
    out = device(state=DeviceState.REVOKED, needs=(Noticed.REVOKED,))

    assert lines(out, device(device_id="van-gone", state=DeviceState.GONE)) == [
        f'doorstep_device_state{{device="{DEVICE}",state="revoked"}} 1.0',
        f'doorstep_needs{{device="{DEVICE}",need="revoked"}} 1.0',
    ]


def test_device_that_never_reported_is_counted() -> None:
    found = lines(device(report=None, needs=(Noticed.NEVER_REPORTED,)))

    assert f'doorstep_device_state{{device="{DEVICE}",state="in"}} 1.0' in found
    assert len(found) == 2


@pytest.mark.parametrize(
    ("agent", "label"),
    [
        (__version__, __version__),
        ("2026.11.7", "older"),
        ("2999.1.0", "newer"),
        ("", "unknown"),
        ("2026.12.0-x", "unknown"),
        ("२०२६.12.0", "unknown"),
    ],
)
def test_numbers_tell_a_release_by_a_closed_list(agent: str, label: str) -> None:
    """Prometheus keeps a series for each value that a label ever had."""
    found = lines(device(report=report(agent=agent)))

    assert found[-1] == f'doorstep_info{{agent="{label}",device="{DEVICE}"}} 1.0'


def test_numbers_leave_out_why_a_record_waits_if_the_reason_is_unknown() -> None:
    """Any word is kept in a report, since the device may be newer; a label has known words only."""
    found = lines(device(report=report(queue=waits(1, NOW, why="made_up"))))

    assert f'doorstep_waiting_records{{device="{DEVICE}"}} 1.0' in found
    assert not [one for one in found if "waits_why" in one]


def test_no_device_puts_a_line_of_its_own_into_the_numbers() -> None:
    said = report(agent='1"} 1\ndoorstep_needs{device="x",need="full"} 1')

    assert not [one for one in lines(device(report=said)) if one.startswith("doorstep_needs")]


def test_a_name_means_the_same_at_a_device_and_here() -> None:
    for name in FLEET_HELP.keys() & HELP.keys():
        assert FLEET_HELP[name] == HELP[name]
