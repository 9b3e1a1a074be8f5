"""The photos themselves: each view is permitted, logged, and only then sent."""

import logging
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from doorstep_backend.copies.kept import Copies
from doorstep_backend.copies.making import NotMade
from doorstep_backend.copies.shows import Shows
from doorstep_backend.office.access import (
    CustomerService,
    Dispatch,
    Viewer,
    may_read_label,
    viewer_name,
)
from doorstep_backend.office.cases import REASONS
from doorstep_backend.office.model import Office
from doorstep_backend.office.photos import Photo
from doorstep_backend.pages import PREFIX, words
from doorstep_backend.pages.auth import NOT_HERE, Auth, Visit
from doorstep_backend.pages.sessions import Sessions
from doorstep_backend.wire.asking import in_page_thread

TO_BIND: Final = "to find the order it is of"
"""Why dispatch looks."""

_SAID: Final = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360">
<rect width="640" height="360" fill="#ddd"/><text x="320" y="185" text-anchor="middle"
font-family="sans-serif" font-size="20" fill="#222">{}</text></svg>"""
"""In the photo's place on a page that is there already."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo on a page, and the address from which this session can load it for a while.

    Attributes:
        address: None when it cannot be shown.
        wrong: why not, in a sentence; empty when it can.
        sha256: of the original, for a dispute; None when nothing of it is here.
        zone: in which its times are told.
    """

    photo: Photo
    address: str | None
    wrong: str
    sha256: str | None
    zone: ZoneInfo


class Pictures:
    """The addresses of photos, and their answers."""

    def __init__(self, office: Office, sessions: Sessions, copies: Copies) -> None:
        self._office = office
        self._sessions = sessions
        self._copies = copies

    def routes(self, auth: Auth) -> list[Route]:
        """Return the route of the pictures."""
        return [auth.signed_in("/photos/{address}", self.picture)]

    def shown(self, visit: Visit[Viewer], photo: Photo) -> Shown:
        """Return a photo with an address that this session can open, or why it is not shown."""
        address, wrong, capture_id = None, "", photo.capture_id
        original = self._office.filing.original(capture_id)
        if not original.can_be_shown:
            wrong = words.NOT_KEPT if original.sha256 is None else words.NO_PICTURE
        elif not self._copies.can_be_made:
            wrong = words.NOT_BLURRED
        else:
            name = self._sessions.photo_address(visit.cookie, capture_id, visit.now)
            address = f"{PREFIX}/photos/{name}"
        wrong = visit.language.gettext(wrong)
        return Shown(photo, address, wrong, original.sha256, self._office.zone_of(photo.number))

    def of_order(self, visit: Visit[Viewer], number: str) -> list[Shown]:
        """Return the photos of an order, each as `shown` has it; by time of arrival."""
        return [self.shown(visit, photo) for photo in self._office.filing.photos_of(number)]

    async def picture(self, visit: Visit[Viewer]) -> Response:
        """Return the copy for this viewer; 404 for everything that is not theirs.

        The permission is checked again when the copy is made: that takes a while.
        """
        shows = Shows.LABEL if may_read_label(visit.viewer) else Shows.NO_LABEL
        capture_id = await in_page_thread(self._asked_for, visit)
        try:
            copy = await self._copies.copy(capture_id, shows)
        except (LookupError, ValueError) as error:  # erased meanwhile, or no picture
            raise HTTPException(404, NOT_HERE) from error
        except NotMade as error:
            log.error("photo=not_shown why=%s", error)  # noqa: TRY400 - its sentence says it all
            said = _SAID.format(visit.language.gettext(words.NOT_BLURRED))
            return Response(said, 503, media_type="image/svg+xml")
        await in_page_thread(self._log_look, visit)
        return Response(copy, media_type="image/jpeg")

    def _log_look(self, visit: Visit[Viewer]) -> None:
        capture_id = self._asked_for(visit)
        why = self._why(visit, capture_id)
        self._office.access.log(visit.viewer, capture_id, why, visit.now)

    def _asked_for(self, visit: Visit[Viewer]) -> str:
        capture_id = self._sessions.photo_at(visit.cookie, visit.path["address"], visit.now)
        may_see = self._office.access.may_see
        if capture_id is None or not may_see(visit.viewer, capture_id, visit.now):
            raise HTTPException(404, NOT_HERE)
        return capture_id

    def _why(self, visit: Visit[Viewer], capture_id: str) -> str:
        viewer = visit.viewer
        if isinstance(viewer, Dispatch):
            who = viewer_name(viewer)
            case = self._office.cases.open_for(who, capture_id, visit.now)
            return TO_BIND if case is None else REASONS.get(case.reason, words.IN_REPORT)
        photo = self._office.filing.photo(capture_id)
        if isinstance(viewer, CustomerService) and photo is not None and photo.number is not None:
            return self._office.access.why(viewer, photo.number)
        return ""
