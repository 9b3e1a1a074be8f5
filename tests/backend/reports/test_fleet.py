"""What the backend adds: one device at a time, and all of them from its database."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.record import signing
from agent.status.troubles import WAITS_BY_ITSELF, Trouble
from doorstep_backend import keys
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.reports.fleet import Device, Fleet, Registered, seen
from doorstep_backend.reports.read import Report
from doorstep_backend.reports.store import Reports
from doorstep_backend.reports.troubles import NEEDS, NOTES, NOTICED_TOLD, SILENT, Noticed, told
from tests.backend.reports.samples import DEVICE, NOW, report, waits

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
    assert set(NOTICED_TOLD) == set(Noticed)
    assert {str(one) for one in Noticed}.isdisjoint(str(one) for one in Trouble)
    assert set(NEEDS) == (set(Noticed) - NOTES) | (set(Trouble) - WAITS_BY_ITSELF)
    for need in NEEDS:
        assert told(need).what
        assert told(need).remedy
        assert told(need).where


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
def test_what_a_person_must_do_something_about(
    known: Registered, said: Report | None, unreadable: str | None, needs: tuple[object, ...]
) -> None:
    assert seen(known, said, unreadable, NOW).needs == needs


def test_bench_mode_is_a_note_and_no_need() -> None:
    found = seen(registered(), report(bench_mode=True), None, NOW)

    assert (found.needs, found.notes) == ((), (Noticed.BENCH_MODE,))


class Office:
    """A register and reports over one folder."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.of(keys.certificates(folder / "ca").folder)
        self.register, self.reports = Register(folder), Reports(folder)
        self.fleet = Fleet(folder)

    def enrol(self, device_id: str) -> signing.PrivateKey:
        self.register.let_in(device_id)
        key = signing.new_key()
        self.certificate(device_id, key)
        return key

    def certificate(self, device_id: str, key: signing.PrivateKey) -> None:
        public = key.public_key()
        issue = self.authority.tls
        known = self.register.renew(device_id, public, NOW, lambda: issue(device_id, public, NOW))
        self.register.note_first_use(known, NOW)

    def devices(self, now: datetime = NOW, after: str = "") -> dict[str, Device]:
        found = self.fleet.devices(now, self.reports.unreadable(), after)
        return {one.device_id: one for one in found}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_device_that_never_reported_is_in_the_fleet(office: Office) -> None:
    office.enrol("van-2")
    office.register.let_in("van-1")
    office.enrol("van-3")
    office.reports.note(report("van-3", queue=waits(2, NOW)))

    found = office.devices()

    assert list(found) == ["van-1", "van-2", "van-3"]
    assert found["van-1"].needs == found["van-2"].needs == (Noticed.NEVER_REPORTED,)
    assert found["van-3"].needs == ()
    assert found["van-3"].report == office.reports.find("van-3")
    assert list(office.devices(after="van-1")) == ["van-2", "van-3"]
    assert list(office.devices(after="van-3")) == []


def test_a_certificate_that_ended_is_known_by_the_register(office: Office) -> None:
    """The device cannot say it any more: it is not let in."""
    office.enrol(DEVICE)
    office.reports.note(report(at=NOW + YEAR + timedelta(days=2)))

    assert office.devices()[DEVICE].needs == ()
    later = office.devices(NOW + YEAR + timedelta(days=2))[DEVICE]
    assert later.needs == (Noticed.CERTIFICATE_ENDED,)


def test_a_clone_is_told_until_the_office_shut_the_device_out(office: Office) -> None:
    office.enrol(DEVICE)
    first = office.register.devices()[0].certificates[0]
    office.certificate(DEVICE, signing.new_key())
    office.reports.note(report())
    office.register.note_clone(first, NOW)

    assert office.devices()[DEVICE].needs == (Noticed.CLONE,)
    office.register.shut_out(DEVICE, DeviceState.REVOKED)
    assert office.devices()[DEVICE].needs == (Noticed.REVOKED,)
    office.enrol(DEVICE)
    assert office.devices()[DEVICE].needs == ()
