"""Dispatch's page of presses without a photo: by device and day, with what to do about each reason.

Nothing on it is finer than a day, and nothing ranks drivers: rows come by device or by day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from agent.models import DEVICE_ID
from doorstep_backend.office.access import Dispatch
from doorstep_backend.office.model import Office
from doorstep_backend.office.refusals import RefusalCount
from doorstep_backend.office.remedies import REMEDIES
from doorstep_backend.pages import words
from doorstep_backend.pages.auth import Auth, Render, Visit, fields
from doorstep_backend.pages.fleet import LONGEST_ID
from doorstep_backend.reports.asked import NotAskedRightError


@dataclass(frozen=True, slots=True)
class RefusalQuery:
    """The parameters of the page.

    Attributes:
        day: the day whose devices are listed; None with a device.
        device: a device whose days are listed; empty for the devices of a day.
        text: a part of the devices' ids; empty for any.
        reason: one of REMEDIES; empty for any.
        after: the device after which the list begins.
    """

    day: date | None
    device: str = ""
    text: str = ""
    reason: str = ""
    after: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str], days: Sequence[date]) -> "RefusalQuery":
        """Read a query's fields, ignoring others. Raises NotAskedRightError."""
        reason, device = given.get("reason", ""), given.get("device", "")
        if reason and reason not in REMEDIES:
            raise NotAskedRightError("There is no such reason.")
        if device and not DEVICE_ID.fullmatch(device):
            raise NotAskedRightError("A device cannot have this name.")
        if device:
            return cls(None, device=device, reason=reason)
        named = {str(day): day for day in days}
        if given.get("day", str(days[0])) not in named:
            raise NotAskedRightError("This day is not listed: the page has the last days only.")
        day = named[given.get("day", str(days[0]))]
        text, after = given.get("text", "").strip(), given.get("after", "")
        return cls(day, text=text[:LONGEST_ID], reason=reason, after=after[:LONGEST_ID])

    def query(self, **changes: Any) -> str:
        """Return the query for a link, with changes; what is empty is left out."""
        asked = replace(self, **changes)
        told = {name: getattr(asked, name) for name in ("day", "device", "text", "reason", "after")}
        return urlencode({name: what for name, what in told.items() if what})


class RefusalPages:
    """The page; it needs no identity, as it counts records."""

    def __init__(self, office: Office, render: Render) -> None:
        self._office = office
        self._render = render

    def routes(self, auth: Auth) -> list[Route]:
        """Return the route of the page."""
        return [auth.page("/refusals", Dispatch, self.overview)]

    def overview(self, visit: Visit[Dispatch]) -> Response:
        """Show the devices of a day, or the days of a device. Raise 400 for wrong parameters."""
        days = self._office.refusals.days(visit.now)
        try:
            asked = RefusalQuery.read(fields(visit.query), days)
        except NotAskedRightError as error:
            raise HTTPException(400, str(error)) from error
        counts, after = self._counts(visit, asked)
        return self._render(
            visit,
            "refusals.html",
            asked=asked,
            counts=counts,
            after=after,
            days=days,
            day_in_words=words.day,
            remedies=REMEDIES,
            here=[one for one in REMEDIES if any(one in count.reasons for count in counts)],
            zone=self._office.settings.zone.key,
            longest_id=LONGEST_ID,
        )

    def _counts(
        self, visit: Visit[Dispatch], asked: RefusalQuery
    ) -> tuple[Sequence[RefusalCount], str]:
        refusals = self._office.refusals
        if asked.day is None:
            return refusals.of_device(asked.device, visit.now, asked.reason), ""
        found = refusals.of_day(asked.day, after=asked.after, text=asked.text, reason=asked.reason)
        return found.counts, found.after
