"""POST /retire: a device ends for good, by itself or in the hands of a technician."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorstep_backend.identity.admission import device_of, technician_of
from doorstep_backend.identity.closings import ITSELF, EndKind
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.wire.asking import in_thread
from doorstep_backend.wire.questions import json_object

EXPECTED: Final = 'expected {"device_id": "..."}'
ITSELF_ONLY: Final = "a device retires itself only, and its certificate says another id"
NO_DEVICE: Final = "the register has no such device"


class RetireRoute:
    """The one route; again it answers the same."""

    def __init__(self, ending: DeviceEnding) -> None:
        self._ending = ending

    def routes(self) -> list[Route]:
        """Return the route of POST /retire."""
        return [Route("/retire", self.answer, methods=["POST"])]

    async def answer(self, request: Request) -> Response:
        """End a device; return the chains that came of it. Raise HTTPException (400, 403, 404)."""
        device_id = (await json_object(request)).get("device_id")
        if not isinstance(device_id, str):
            raise HTTPException(400, EXPECTED)
        technician = technician_of(request.scope)
        if technician is None and device_id != device_of(request.scope):
            raise HTTPException(403, ITSELF_ONLY)
        by, now = technician or ITSELF, await in_thread(self._ending.register.now)
        try:
            ended = await self._ending.while_serving(device_id, EndKind.RETIRED, by, now)
        except LookupError as error:
            raise HTTPException(404, NO_DEVICE) from error
        return JSONResponse(ended.answer())
