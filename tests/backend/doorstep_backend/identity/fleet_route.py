"""GET /fleet: the keys that each device must trust, signed by the fleet key."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.wire.asking import in_thread
from doorstep_backend.wire.manifest import signed_answer


class FleetRoute:
    """The one route; a document that a command just made is the next answer."""

    def __init__(self, documents: FleetDocuments) -> None:
        self._documents = documents

    def routes(self) -> list[Route]:
        """Return the route of GET /fleet."""
        return [Route("/fleet", self.answer, methods=["GET"])]

    async def answer(self, request: Request) -> Response:
        """Answer 200 with the JWS, or 304 when the device has it."""
        held = request.headers.get("If-None-Match", "").strip().removeprefix("W/")
        return signed_answer(request, await in_thread(self._documents.served, held))
