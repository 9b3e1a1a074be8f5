"""The interface for other systems: GET /fleet/status as JSON, GET /metrics for Prometheus."""

import asyncio
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.models import rfc3339
from agent.status.metrics import CONTENT_TYPE
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office.model import Office
from doorstep_backend.reports import numbers
from doorstep_backend.reports.asked import NotAskedRightError, StatusQuery
from doorstep_backend.reports.fleet import Device, FleetReports
from doorstep_backend.reports.store import Reports
from doorstep_backend.reports.troubles import Need, trouble_text
from doorstep_backend.wire.filing_backlog import BacklogSize, FilingBacklog
from doorstep_backend.wire.outage import note_away

STATUS: Final = "/fleet/status"
METRICS: Final = "/metrics"

KEPT_S: Final = 10.0
"""Time for which an answer to /metrics is repeated: Prometheus asks each minute or less often."""

T = TypeVar("T")

HEADERS: Final = {"Cache-Control": "no-store"}


class FleetRoutes:
    """Both routes; admission decides who may use them.

    Whatever takes longer with more devices is done in a thread, so that devices are served.
    """

    def __init__(
        self, fleet: FleetReports, reports: Reports, filing_backlog: FilingBacklog, office: Office
    ) -> None:
        self._fleet = fleet
        self._filing_backlog = filing_backlog
        self._office = office
        self._reports = reports
        self._one_at_a_time = asyncio.Lock()
        self._made: tuple[float, bytes] = (-KEPT_S, b"")

    def routes(self) -> list[Route]:
        """Return the routes of STATUS and METRICS."""
        return [
            Route(STATUS, self.status, methods=["GET"]),
            Route(METRICS, self.metrics, methods=["GET"]),
        ]

    async def status(self, request: Request) -> Response:
        """Answer with a page of devices by id; 400 for parameters that are wrong."""
        try:
            asked = StatusQuery.read(request.query_params.multi_items())
        except NotAskedRightError as error:
            return _json({"error": str(error)}, 400)
        devices = self._devices(await self._now(), asked.after)

        def answer() -> Response:
            with closing(devices):  # here: its database is the thread's that has begun with it
                return _json(page(devices, asked))

        return await asyncio.to_thread(answer)

    async def metrics(self, _request: Request) -> Response:
        """Answer with all devices; made at most every ten seconds, however many ask."""
        async with self._one_at_a_time:
            if time.monotonic() - self._made[0] >= KEPT_S:
                now = await self._now()
                devices = self._devices(now)

                def made() -> bytes:
                    return numbers.exposition(devices, *self._of_no_device(now))

                self._made = time.monotonic(), await asyncio.to_thread(made)
        return Response(self._made[1], headers=HEADERS, media_type=CONTENT_TYPE)

    async def _now(self) -> datetime:
        return await asyncio.to_thread(self._reports.now)

    def _of_no_device(
        self, now: datetime
    ) -> tuple[BacklogSize | None, float | None, Mapping[str, int] | None]:
        return (
            _known(self._filing_backlog.backlog),
            _known(lambda: self._office.erasure.overdue_s(now)),
            _known(lambda: self._office.refusals.of_fleet(now)),
        )

    def _devices(self, now: datetime, after: str = "") -> Generator[Device]:
        return self._fleet.devices(now, self._reports.unreadable(), after)


def _known(ask: Callable[[], T]) -> T | None:
    """Return the answer, or None during an outage, so that the rest can be sent."""
    try:
        return ask()
    except Unavailable as error:
        note_away(error)
        return None


def page(devices: Iterator[Device], asked: StatusQuery) -> dict[str, Any]:
    """Return the answer: devices from the cursor on, and the next cursor."""
    fitting = (one for one in devices if asked.fits(one))
    shown = list(islice(fitting, asked.limit + 1))
    rest = shown[asked.limit :]
    del shown[asked.limit :]
    return {
        "devices": [_device(one) for one in shown],
        "next": shown[-1].device_id if rest else None,
    }


def _device(device: Device) -> dict[str, Any]:
    said = device.report
    return {
        "id": device.device_id,
        "state": device.state,
        "received_at": None if said is None else rfc3339(said.received_at),
        "unreadable": device.unreadable,
        "needs": [_need(one) for one in device.needs],
        "notes": [_need(one) for one in device.notes],
        "status": None if said is None else said.document,
    }


def _need(need: Need) -> dict[str, str]:
    words = trouble_text(need)
    return {"need": need, "what": words.what, "remedy": words.remedy, "where": words.where}


def _json(answer: dict[str, Any], status: int = 200) -> Response:
    text = json.dumps(answer, separators=(",", ":"))
    return Response(text, status, HEADERS, "application/json")
