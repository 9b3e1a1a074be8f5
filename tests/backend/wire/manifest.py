"""GET /manifest: a device fetches its own route, signed."""

import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.record import signing
from agent.rule.manifest import TYPE
from tests.backend.office.routes import Routes

log = logging.getLogger(__name__)

DEVICE: Final = "Doorstep-Device"
"""Request header in which a device names itself, by its device_id.

Not in the path or query, which proxies log. It proves nothing: until TLS is mutual, whoever
reaches the backend and knows a device's id can read that device's manifest.
"""

MEDIA_TYPE: Final = "application/jose"
"""Of a compact JWS. Source: RFC 7515 section 9.2.1."""

NO_ROUTE: Final = "no route is assigned to this device today; ask dispatch"
"""Why a device is answered 404; the same for one that nobody knows."""


class ManifestRoute:
    """The one route; `now` is the clock that tells whether a route has ended."""

    def __init__(
        self,
        routes: Routes,
        key: signing.PrivateKey,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._routes = routes
        self._key = key
        self._now = now

    def routes(self) -> list[Route]:
        return [Route("/manifest", self.answer, methods=["GET"])]

    async def answer(self, request: Request) -> Response:
        """200 with the JWS, 304 when the device has it, 404 without a route, 400 without a name."""
        device_id = request.headers.get(DEVICE, "")
        if not device_id:
            raise HTTPException(400, f"{DEVICE} must name the device that asks")
        issued = self._routes.manifest(device_id, self._now(), self._sign)
        if issued is None:
            raise HTTPException(404, NO_ROUTE)
        tag = f'"{hashlib.sha256(issued.token.encode()).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": DEVICE}
        if _has(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(issued.token, headers=headers, media_type=MEDIA_TYPE)

    def _sign(self, payload: dict[str, Any]) -> str:
        log.info("manifest=changed version=%d stops=%d", payload["version"], len(payload["stops"]))
        return sign(payload, self._key)


def sign(payload: dict[str, Any], key: signing.PrivateKey) -> str:
    """Sign a manifest; its header says that it is one, so that no receipt passes for it."""
    return signing.sign(payload, key, typ=TYPE)


def _has(request: Request, tag: str) -> bool:
    """Whether If-None-Match names `tag`. Source: RFC 9110 section 13.1.2, weak comparison."""
    given = request.headers.get("If-None-Match", "")
    return tag in [one.strip().removeprefix("W/") for one in given.split(",")]
