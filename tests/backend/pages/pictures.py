"""The photos themselves: each look is allowed anew, written down, and only then sent."""

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from tests.backend.office.access import Agent, Dispatch, Viewer
from tests.backend.office.model import Office
from tests.backend.office.photos import Photo
from tests.backend.pages import PREFIX
from tests.backend.pages.door import NOT_HERE, Door, Visit
from tests.backend.pages.sessions import Sessions

TO_BIND: Final = "to find the order it is of"
"""Why dispatch looks."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo on a page, and the address from which this session can load it for a while.

    Attributes:
        address: None when what came is no picture that can be shown.
        sha256: of the original, for a dispute; None when nothing of it is here.
        zone: in which its times are told.
    """

    photo: Photo
    address: str | None
    sha256: str | None
    zone: ZoneInfo


class Pictures:
    """Gives photos addresses, and answers them."""

    def __init__(self, office: Office, sessions: Sessions) -> None:
        self._office = office
        self._sessions = sessions

    def routes(self, door: Door) -> list[Route]:
        return [door.signed_in("/photos/{address}", self.picture)]

    def shown(self, visit: Visit[Viewer], photo: Photo) -> Shown:
        address, capture_id = None, photo.capture_id
        if self._office.filing.can_be_shown(capture_id):
            name = self._sessions.photo_address(visit.cookie, capture_id, visit.now)
            address = f"{PREFIX}/photos/{name}"
        sha256 = self._office.filing.original_sha256(capture_id)
        return Shown(photo, address, sha256, self._office.zone_of(photo.number))

    def of_order(self, visit: Visit[Viewer], number: str) -> list[Shown]:
        return [self.shown(visit, photo) for photo in self._office.filing.photos_of(number)]

    async def picture(self, visit: Visit[Viewer]) -> Response:
        """The customer's copy, without place and device; 404 for everything that is not theirs."""
        capture_id = self._sessions.photo_at(visit.cookie, visit.path["address"], visit.now)
        access = self._office.access
        if capture_id is None or not access.may_see(visit.viewer, capture_id, visit.now):
            raise HTTPException(404, NOT_HERE)
        try:
            copy = self._office.filing.customer_copy(capture_id)
        except (LookupError, ValueError) as error:  # erased meanwhile, or no picture
            raise HTTPException(404, NOT_HERE) from error
        access.log(visit.viewer, capture_id, self._why(visit.viewer, capture_id), visit.now)
        return Response(copy, media_type="image/jpeg")

    def _why(self, viewer: Viewer, capture_id: str) -> str:
        photo = self._office.filing.photo(capture_id)
        if isinstance(viewer, Agent) and photo is not None and photo.number is not None:
            return self._office.access.why(viewer, photo.number)
        return TO_BIND if isinstance(viewer, Dispatch) else ""
