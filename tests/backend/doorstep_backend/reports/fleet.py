"""Every device as the backend sees it: what the register knows, and what it said last."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from agent.models import from_rfc3339
from doorstep_backend.engines.opening import open_database
from doorstep_backend.engines.sql import Row
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.reports.read import StatusReport
from doorstep_backend.reports.store import report
from doorstep_backend.reports.troubles import NEEDS, NOTES, SILENT, Need, Noticed

_DEVICES: Final = """SELECT e.device_id AS id, e.state, r.*,
        (SELECT max(until) FROM certificates c WHERE c.device_id = e.device_id
            AND c.label = 'tls' AND c.state = 'live') AS until,
        EXISTS (SELECT 1 FROM certificates c WHERE c.device_id = e.device_id
            AND c.label = 'tls') AS enrolled,
        EXISTS (SELECT 1 FROM certificates c WHERE c.device_id = e.device_id
            AND c.state = 'superseded' AND c.cloned_at IS NOT NULL) AS cloned
    FROM enrolled e LEFT JOIN reports r ON r.device_id = e.device_id
    WHERE {} ORDER BY e.device_id LIMIT ?"""

DEVICES_PER_QUERY: Final = 500
"""Devices of one query: a page of fifty reads no ten thousand, and no query delays the others."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The part of the register about one device.

    Attributes:
        enrolled: whether it ever got a TLS certificate.
        tls_until: when the last live one ends.
        cloned: whether a superseded one was used since the office last shut the device out.
    """

    device_id: str
    state: DeviceState
    enrolled: bool
    tls_until: datetime | None
    cloned: bool


@dataclass(frozen=True, slots=True)
class Device:
    """A device, and what is wrong with it.

    Attributes:
        unreadable: why its last header could not be read.
        needs: what a person must do something about, worst first.
        notes: what is worth knowing besides.
    """

    device_id: str
    state: DeviceState
    report: StatusReport | None
    unreadable: str | None
    needs: tuple[Need, ...]
    notes: tuple[Noticed, ...]


class FleetReports:
    """A reader of the tables of the register and of the reports, which must exist.

    A connection of its own, so that pages of the fleet hold up no device. Any thread may ask.
    """

    def __init__(self, folder: Path) -> None:
        self._db = open_database(folder, "backend")

    def devices(
        self, now: datetime, unreadable: Mapping[str, str], after: str = ""
    ) -> Generator[Device]:
        """Yield devices by id, beginning after this id, also gone ones, each as it is when read.

        Args:
            unreadable: as `Reports.unreadable` returns it.
        """
        while True:
            found = self._read("e.device_id > ?", after, now, unreadable)
            yield from found
            if len(found) < DEVICES_PER_QUERY:
                return
            after = found[-1].device_id

    def find(self, device_id: str, now: datetime, unreadable: Mapping[str, str]) -> Device | None:
        """Return one device; None if it was never let in."""
        return next(iter(self._read("e.device_id = ?", device_id, now, unreadable)), None)

    def _read(
        self, which: str, value: str, now: datetime, unreadable: Mapping[str, str]
    ) -> list[Device]:
        rows = self._db.execute(_DEVICES.format(which), (value, DEVICES_PER_QUERY))
        return [
            device_with_troubles(_registered(row), _report_of(row), unreadable.get(row["id"]), now)
            for row in rows
        ]


def device_with_troubles(
    registered: Registered, said: StatusReport | None, unreadable: str | None, now: datetime
) -> Device:
    """Return what is wrong with one device. Pure.

    Nobody asks how one is that is gone; of one that is shut out only that.
    """
    found: set[Need] = set()
    match registered.state:
        case DeviceState.IN:
            found |= set(_noticed(registered, said, unreadable, now))
            found |= set(said.needs if said else ())
        case DeviceState.REVOKED:
            found.add(Noticed.REVOKED)
    return Device(
        registered.device_id,
        registered.state,
        said,
        unreadable,
        tuple(sorted(found - NOTES, key=NEEDS.index)),
        tuple(one for one in Noticed if one in NOTES and one in found),
    )


def _noticed(
    registered: Registered, said: StatusReport | None, unreadable: str | None, now: datetime
) -> Iterator[Noticed]:
    if registered.cloned:
        yield Noticed.CLONE
    if registered.enrolled and (registered.tls_until is None or registered.tls_until < now):
        yield Noticed.CERTIFICATE_ENDED
    if unreadable is not None:
        yield Noticed.UNREADABLE
    if said is None:
        if unreadable is None:
            yield Noticed.NEVER_REPORTED
        return
    if now - said.received_at > SILENT:
        yield Noticed.SILENT
    if said.unknown_needs:
        yield Noticed.NEWER
    if said.bench_mode:
        yield Noticed.BENCH_MODE


def _report_of(row: Row) -> StatusReport | None:
    return None if row["device_id"] is None else report(row)


def _registered(row: Row) -> Registered:
    until = None if row["until"] is None else from_rfc3339(row["until"])
    return Registered(
        row["id"], DeviceState(row["state"]), bool(row["enrolled"]), until, bool(row["cloned"])
    )
