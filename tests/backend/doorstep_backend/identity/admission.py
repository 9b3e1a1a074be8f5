"""Which device or technician asks: by the TLS certificate, looked up for every single request."""

import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doorstep_backend.api import is_for_systems
from doorstep_backend.identity.clients import ClientCertificate, ClientKind, Clients
from doorstep_backend.identity.closings import EndKind
from doorstep_backend.identity.known import CertificateState, CertificateUse, IssuedCertificate
from doorstep_backend.identity.register import Register
from doorstep_backend.identity.shown import Shown, serial_by_tls
from doorstep_backend.pages import PREFIX, is_for_people
from doorstep_backend.wire.asking import in_thread
from doorstep_backend.wire.connections import prove
from doorstep_backend.wire.places import MOST_OF_CERTIFICATE

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

EST: Final = "/.well-known/est"
"""Source: RFC 7030 section 3.2.2."""

RENEWAL: Final = f"{EST}/simplereenroll"
"""The one thing that an expired certificate is good for."""

_OPEN: Final = frozenset({f"{EST}/cacerts", f"{EST}/simpleenroll"})
"""Without a certificate: to get one."""

FOR_CLIENTS: Final = ("/fleet/status", "/metrics")
"""Beginnings of other systems' paths: a device's certificate opens none of them."""

FOR_TECHNICIANS: Final = re.compile(r"/files(/.*)?|/receipts|/retire|/fleet")
"""All that a technician's certificate opens: to deliver, and to end a device; `/fleet` is the
document that says who signs receipts."""

NO_CERTIFICATE: Final = "no certificate: not enrolled here; run `doorstep enrol`"
UNKNOWN: Final = "certificate unknown: not issued here; enrol with a token"
REVOKED: Final = "certificate revoked: ask to be let in, then enrol again"
RETIRED: Final = "certificate revoked: this device was retired on {}"
GONE: Final = "certificate revoked: the office closed this device on {}; ask there"
SUPERSEDED: Final = "certificate superseded: is this a copy? Tell the office"
EXPIRED: Final = "certificate expired on {}: good for renewal only"
"""Short, so that a device's status shows them whole."""

FOR_CLIENTS_ONLY: Final = "no client's certificate: `clients add NAME --out FILE` makes one"
CLIENT_REVOKED: Final = "client's certificate revoked: ask the office"
CLIENT_EXPIRED: Final = "client's certificate expired on {}: `clients add` makes the next one"
A_CLIENTS: Final = "a client's certificate: it opens /fleet/status and /metrics only"

TECHNICIAN_REVOKED: Final = "technician's certificate revoked: ask the office"
TECHNICIAN_EXPIRED: Final = (
    "technician's certificate expired on {}: `technicians add` makes the next one"
)
A_TECHNICIANS: Final = "a technician's certificate: it delivers records and retires devices only"


def objection(known: IssuedCertificate | None, now: datetime, path: str) -> str | None:
    """Return why a request with this certificate is refused; None if it is not. Pure."""
    if known is None or known.use is not CertificateUse.TLS:
        return UNKNOWN
    if known.state is CertificateState.REVOKED:
        return REVOKED
    if known.state is CertificateState.SUPERSEDED:
        return SUPERSEDED
    if now > known.until and path != RENEWAL:
        return EXPIRED.format(f"{known.until:%Y-%m-%d}")
    return None


def client_objection(client: ClientCertificate | None, now: datetime) -> str | None:
    """Return why this certificate does not let a client in; None if it does. Pure."""
    if client is None or client.kind is not ClientKind.CLIENT:
        return FOR_CLIENTS_ONLY
    if client.revoked:
        return CLIENT_REVOKED
    return CLIENT_EXPIRED.format(f"{client.until:%Y-%m-%d}") if now > client.until else None


def other_objection(other: ClientCertificate, now: datetime, path: str) -> str | None:
    """Return why a client that is no device is refused; None for a technician. Pure."""
    if other.kind is not ClientKind.TECHNICIAN:
        return A_CLIENTS
    if other.revoked:
        return TECHNICIAN_REVOKED
    if now > other.until:
        return TECHNICIAN_EXPIRED.format(f"{other.until:%Y-%m-%d}")
    return None if FOR_TECHNICIANS.fullmatch(path) else A_TECHNICIANS


def is_for_clients(path: str) -> bool:
    """Return whether this is a path where other systems ask. Pure.

    By how it begins: Starlette's routes also match a path that ends in a line break.
    """
    return path.startswith(FOR_CLIENTS)


class Admission:
    """ASGI middleware: 403 with words, or the device's id or technician's name in the state.

    Who signed the certificate, and that the device holds its key, is verified (shown.py); a resumed
    session was verified when it began. Everything else is in the register, and asked anew.
    """

    def __init__(
        self,
        app: ASGIApp,
        register: Register,
        clients: Clients,
        shown: Shown = serial_by_tls,
        now: Clock | None = None,
    ) -> None:
        self._app = app
        self._register = register
        self._clients = clients
        self._shown = shown
        self._now = now or register.now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if its certificate is let in, or none is needed; else answer 403."""
        if _is_open(scope):
            await self._app(scope, receive, send)
            return
        serial = self._shown(scope)  # once for each request: a certificate is read for it
        refused = await in_thread(self._refused, scope, serial)
        if refused is None and serial is not None:
            owner = device_of(scope) or f"certificate {serial}"  # each renewal is one more
            prove(scope, owner, MOST_OF_CERTIFICATE)
            await self._app(scope, self._asked_again(serial, receive), send)
        else:
            await PlainTextResponse(f"{refused}\n", 403)(scope, receive, send)

    def _refused(self, scope: Scope, serial: int | None) -> str | None:
        of_clients, now = is_for_clients(scope["path"]), self._now()
        if serial is None:
            return FOR_CLIENTS_ONLY if of_clients else NO_CERTIFICATE
        if of_clients:
            return client_objection(self._clients.find(serial), now)
        known = self._register.find(serial)
        if known is None and (other := self._clients.find(serial)) is not None:
            scope["state"]["technician"] = other.name
            return other_objection(other, now, scope["path"])
        refused = objection(known, now, scope["path"])
        if known is not None:
            self._note(known, refused, now)
            scope["state"]["device"] = known.device_id
            if refused is REVOKED:
                return self._why_revoked(known.device_id)
        return refused

    def _asked_again(self, serial: int, receive: Receive) -> Receive:
        """Check again at the end of a body: a sender may have been shut out meanwhile."""

        async def received() -> Message:
            message = await receive()
            is_end = message["type"] == "http.request" and not message.get("more_body", False)
            if is_end and (words := await in_thread(self._shut_out_since, serial)) is not None:
                raise HTTPException(403, words)
            return message

        return received

    def _shut_out_since(self, serial: int) -> str | None:
        """Return why this client was shut out meanwhile; a superseded certificate is no reason."""
        if (known := self._register.find(serial)) is not None:
            is_out = known.state is CertificateState.REVOKED
            return self._why_revoked(known.device_id) if is_out else None
        other = self._clients.find(serial)
        return TECHNICIAN_REVOKED if other is not None and other.revoked else None

    def _why_revoked(self, device_id: str) -> str:
        """Return the reason; a device that retired itself learns that it is done."""
        ended = self._register.device_end(device_id)
        if ended is None:
            return REVOKED
        words = RETIRED if ended.how is EndKind.RETIRED else GONE
        return words.format(f"{ended.at:%Y-%m-%d}")

    def _note(self, known: IssuedCertificate, refused: str | None, now: datetime) -> None:
        if refused is None and known.first_used_at is None:
            self._register.note_first_use(known, now)
        if refused is SUPERSEDED and known.cloned_at is None:
            log.warning("event=clone device_id=%s serial=%s", known.device_id, known.serial)
            self._register.note_clone(known, now)


class BenchAdmission:
    """ASGI middleware of a backend without identity: each request of a device counts as proven."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if not _is_open(scope):
            prove(scope, "")
        await self._app(scope, receive, send)


def device_of(scope: Any) -> str | None:
    """Return the device that asks, by its certificate; None without identity."""
    found: str | None = scope["state"].get("device")
    return found


def technician_of(scope: Any) -> str | None:
    """Return the technician who asks, by the certificate; None for a device."""
    found: str | None = scope["state"].get("technician")
    return found


def _is_open(scope: Scope) -> bool:
    path = scope["path"] if scope["type"] == "http" else PREFIX
    return path in _OPEN or is_for_people(path) or is_for_systems(path)
