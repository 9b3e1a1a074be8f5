"""The troubles that the backend adds: for one device, and for all of its database."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.status.troubles import WAITS_BY_ITSELF, Trouble
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.reports.fleet import Device, FleetReports, Registered, device_with_troubles
from doorstep_backend.reports.read import StatusReport
from doorstep_backend.reports.store import Reports
from doorstep_backend.reports.troubles import (
    NEEDS,
    NOTES,
    NOTICED_TEXTS,
    SILENT,
    Noticed,
    trouble_text,
)
from tests.backend.issuing import Issuer
from tests.backend.reports.samples import DEVICE, NOW, report

YEAR = timedelta(days=365)


def registered(**changes: Any) -> Registered:
    usual: dict[str, Any] = {
        "device_id": DEVICE,
        "state": DeviceState.IN,
        "enrolled": True,
        "tls_until": NOW + YEAR,
        "cloned": False,
    }
    return Registered(**{**usual, **changes})


def test_every_need_has_words_and_none_stands_twice() -> None:
    assert set(NOTICED_TEXTS) == set(Noticed)
    assert {str(one) for one in Noticed}.isdisjoint(str(one) for one in Trouble)
    assert set(NEEDS) == (set(Noticed) - NOTES) | (set(Trouble) - WAITS_BY_ITSELF)
    for need in NEEDS:
        assert trouble_text(need).what
        assert trouble_text(need).remedy
        assert trouble_text(need).where


@pytest.mark.parametrize(
    ("known", "said", "unreadable", "needs"),
    [
        (registered(), report(), None, ()),
        (registered(), report(needs=["refused"]), None, (Trouble.REFUSED,)),
        (registered(), None, None, (Noticed.NEVER_REPORTED,)),
        (registered(), None, "cut", (Noticed.UNREADABLE,)),
        (registered(), report(), "cut", (Noticed.UNREADABLE,)),
        (registered(), report(at=NOW - SILENT), None, ()),
        (registered(), report(at=NOW - SILENT - timedelta(hours=1)), None, (Noticed.SILENT,)),
        (registered(), report(needs=["gremlins"]), None, (Noticed.NEWER,)),
        (registered(cloned=True), report(), None, (Noticed.CLONE,)),
        (registered(tls_until=NOW - YEAR), report(), None, (Noticed.CERTIFICATE_ENDED,)),
        (registered(tls_until=None), report(), None, (Noticed.CERTIFICATE_ENDED,)),
        (registered(enrolled=False, tls_until=None), None, None, (Noticed.NEVER_REPORTED,)),
        (registered(state=DeviceState.REVOKED), report(needs=["full"]), None, (Noticed.REVOKED,)),
        (registered(state=DeviceState.GONE), report(needs=["full"]), None, ()),
        (
            registered(cloned=True),
            report(needs=["waits_long", "damaged"]),
            None,
            (Noticed.CLONE, Trouble.DAMAGED, Trouble.WAITS_LONG),
        ),
    ],
)
def test_needs_name_each_trouble_that_a_person_must_fix(
    known: Registered, said: StatusReport | None, unreadable: str | None, needs: tuple[object, ...]
) -> None:
    assert device_with_troubles(known, said, unreadable, NOW).needs == needs


def test_bench_mode_is_a_note_and_no_need() -> None:
    found = device_with_troubles(registered(), report(bench_mode=True), None, NOW)

    assert (found.needs, found.notes) == ((), (Noticed.BENCH_MODE,))


@pytest.fixture
def reports(tmp_path: Path) -> Reports:
    return Reports(tmp_path)


@pytest.fixture
def devices(tmp_path: Path) -> Callable[..., dict[str, Device]]:
    """Read the fleet: what each device needs by now."""
    fleet = FleetReports(tmp_path)

    def read(now: datetime = NOW, after: str = "") -> dict[str, Device]:
        return {one.device_id: one for one in fleet.devices(now, {}, after)}

    return read


def enrol(issuer: Issuer, *device_ids: str) -> None:
    for one in device_ids:
        issuer.register.let_in(one)
        issuer.register.note_first_use(issuer.renew(now=NOW, device_id=one), NOW)


def test_a_certificate_that_ended_is_known_by_the_register(
    issuer: Issuer, reports: Reports, devices: Callable[..., dict[str, Device]]
) -> None:
    """The device cannot say it any more: it is not let in."""
    later = NOW + YEAR + timedelta(days=2)
    enrol(issuer, DEVICE)
    reports.note(report(at=later))

    assert devices()[DEVICE].needs == ()
    assert devices(later)[DEVICE].needs == (Noticed.CERTIFICATE_ENDED,)


def test_clone_is_a_need_until_the_office_revokes_the_device(
    issuer: Issuer, reports: Reports, devices: Callable[..., dict[str, Device]]
) -> None:
    enrol(issuer, DEVICE, DEVICE)
    reports.note(report())
    issuer.register.note_clone(issuer.register.certificates(DEVICE)[0], NOW)

    assert devices()[DEVICE].needs == (Noticed.CLONE,)
    issuer.register.shut_out(DEVICE, DeviceState.REVOKED)
    assert devices()[DEVICE].needs == (Noticed.REVOKED,)
    enrol(issuer, DEVICE)
    assert devices()[DEVICE].needs == ()
