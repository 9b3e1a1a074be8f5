"""GET /manifest: a device fetches its own route, signed."""

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.record import signing
from agent.rule.manifest import TYPE
from doorstep_backend.identity.admission import device_of
from doorstep_backend.identity.basic import basic
from doorstep_backend.office.delivery_routes import DeliveryRoutes
from doorstep_backend.wire.asking import in_thread

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/jose"
"""Media type of a compact JWS. Source: RFC 7515 section 9.2.1."""

NO_ROUTE: Final = "no route is assigned to this device today; ask dispatch"
"""Why a device is answered 404; the same for one that nobody knows."""


class ManifestRoute:
    """The one route; `now` is the clock that tells whether a route has ended."""

    def __init__(
        self,
        routes: DeliveryRoutes,
        key: Callable[[], signing.PrivateKey],
        now: Callable[[], datetime],
    ) -> None:
        self._routes = routes
        self._key = key
        self._now = now

    def routes(self) -> list[Route]:
        """Return the route of GET /manifest."""
        return [Route("/manifest", self.answer, methods=["GET"])]

    async def answer(self, request: Request) -> Response:
        """Answer 200 with the JWS, 304 if it is known, 404 without a route, 401 without a name.

        Without certificates a device names itself by HTTP Basic, with an empty password: not in the
        path or query, which proxies log. That proves nothing: anybody who knows its id reads it.
        """
        device_id = device_of(request.scope) or basic(request)[0]
        key = await in_thread(self._key)

        def signed(payload: dict[str, Any]) -> str:
            stops = len(payload["stops"])
            log.info("manifest=changed version=%d stops=%d", payload["version"], stops)
            return sign(payload, key)

        kid = signing.thumbprint(key.public_key())
        now = await in_thread(self._now)
        issued = await in_thread(self._routes.manifest, device_id, now, signed, kid)
        if issued is None:
            raise HTTPException(404, NO_ROUTE)
        return signed_answer(request, issued.token)


def sign(payload: dict[str, Any], key: signing.PrivateKey) -> str:
    """Sign a manifest; its header says that it is one, so that no receipt passes for it."""
    return signing.sign(payload, key, typ=TYPE)


def signed_answer(request: Request, token: str) -> Response:
    """Return a signed document, or 304 if If-None-Match says that the device has it."""
    tag = tag_of(token)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(token, headers=headers, media_type=MEDIA_TYPE)


def tag_of(token: str) -> str:
    """Return the ETag of a signed document, its SHA-256: a device names its document by it."""
    return f'"{hashlib.sha256(token.encode()).hexdigest()}"'


def _has(request: Request, tag: str) -> bool:
    """Return whether If-None-Match names `tag`, weakly. Source: RFC 9110 section 13.1.2."""
    given = request.headers.get("If-None-Match", "")
    return tag in [one.strip().removeprefix("W/") for one in given.split(",")]
