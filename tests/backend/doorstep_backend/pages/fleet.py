"""Dispatch's pages of the fleet: which devices need a person and why, and what waits on the others.

They have no place, no code and no stop, and times to the hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from doorstep_backend.identity.closings import ChainEnd, DeviceEnd
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.office.access import Dispatch
from doorstep_backend.pages import fleet_words
from doorstep_backend.pages.auth import NOT_HERE, Auth, Render, Visit, fields
from doorstep_backend.pages.fleet_list import (
    ALL,
    Brief,
    FleetListQuery,
    Summary,
    brief,
    page,
    summary,
)
from doorstep_backend.reports.asked import NotAskedRightError
from doorstep_backend.reports.fleet import Device, FleetReports
from doorstep_backend.reports.store import Reports
from doorstep_backend.reports.troubles import NEEDS, trouble_text
from doorstep_backend.wire.asking import in_page_thread
from doorstep_backend.wire.rescued import Rescues

LOOKS: Final = 2
"""Readers of all devices at the same time; the next person waits, and no device does."""

LONGEST_ID: Final = 63
"""Characters of a device's id (agent/config.py)."""


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device in the list; `heading` is of the group that begins with it, else empty."""

    device: Device
    heading: str


class FleetPages:
    """The list and a page for each device."""

    def __init__(
        self, fleet: FleetReports, reports: Reports, ending: DeviceEnding, render: Render
    ) -> None:
        self._fleet = fleet
        self._reports = reports
        self._ending = ending
        self._rescues = Rescues(ending.office.store)
        self._render = render
        self._looks = CapacityLimiter(LOOKS)

    def routes(self, auth: Auth) -> list[Route]:
        """Return the routes of these pages."""
        return [
            auth.page("/fleet", Dispatch, self.overview),
            auth.page("/fleet/{device_id}", Dispatch, self.device),
        ]

    async def summary(self, now: datetime) -> Summary:
        """Count the whole fleet."""
        return summary(await self._briefs(now))

    async def overview(self, visit: Visit[Dispatch]) -> Response:
        """Show the list of devices. Raise 400 for parameters that are wrong."""
        try:
            wanted = FleetListQuery.read(fields(visit.query))
        except NotAskedRightError as error:
            raise HTTPException(400, str(error)) from error
        return await in_page_thread(self._overview, visit, wanted, await self._briefs(visit.now))

    def _overview(
        self, visit: Visit[Dispatch], wanted: FleetListQuery, briefs: Sequence[Brief]
    ) -> Response:
        found = page(briefs, wanted)
        return self._render(
            visit,
            "fleet.html",
            asked=wanted,
            page=found,
            rows=self._rows(found.devices, wanted, visit.now),
            summary=summary(briefs),
            all=ALL,
            groups=fleet_words.GROUPS,
            needs={need: trouble_text(need) for need in NEEDS},
            sorts=fleet_words.SORTS,
            longest_id=LONGEST_ID,
        )

    async def device(self, visit: Visit[Dispatch]) -> Response:
        """Show one device. Raise 404 for one that was never let in."""
        device_id = visit.path["device_id"]
        ended = await in_page_thread(self._ending.register.device_end, device_id)
        ends = await self._ending.chains_in_a_thread(device_id) if ended else ()
        return await in_page_thread(self._device, visit, ended, ends)

    def _device(
        self, visit: Visit[Dispatch], ended: DeviceEnd | None, ends: Sequence[ChainEnd]
    ) -> Response:
        device_id, unreadable = visit.path["device_id"], self._reports.unreadable()
        device = self._fleet.find(device_id, visit.now, unreadable)
        if device is None:
            raise HTTPException(404, NOT_HERE)
        certificates = self._ending.register.certificates(device_id)
        return self._render(
            visit,
            "device.html",
            device=device,
            needs=[trouble_text(need) for need in device.needs],
            notes=[trouble_text(note) for note in device.notes],
            why=fleet_words.why_waits(device),
            facts=[
                *fleet_words.facts(device, certificates, visit.now),
                *fleet_words.ended(ended, ends, self._rescues.of_device(device_id)),
            ],
            said=[*fleet_words.said(device)],
        )

    async def _briefs(self, now: datetime) -> list[Brief]:
        """Read the devices in a thread, query by query: ten thousand take their time."""
        unreadable = self._reports.unreadable()
        return await to_thread.run_sync(
            lambda: [brief(one) for one in self._fleet.devices(now, unreadable)],
            limiter=self._looks,
        )

    def _rows(
        self, briefs: Sequence[Brief], asked: FleetListQuery, now: datetime
    ) -> list[DeviceRow]:
        """Return rows under the headings of their groups, if the list is in their order."""
        unreadable, rows, group = self._reports.unreadable(), [], None
        for one in briefs:
            device = self._fleet.find(one.device_id, now, unreadable)
            begins = asked.is_in_groups and one.group is not group
            group = one.group
            if device is not None:
                rows.append(DeviceRow(device, fleet_words.GROUPS[group] if begins else ""))
        return rows
