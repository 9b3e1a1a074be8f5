"""Enrolment over Secure Transport (RFC 7030, RFC 8951): how a device gets its certificates."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.record.signing import PublicKey
from doorstep_backend.identity import request as pkcs10
from doorstep_backend.identity.admission import EST, RENEWAL, device_of
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.basic import basic, unauthorised
from doorstep_backend.identity.clients import Clients
from doorstep_backend.identity.names import Names
from doorstep_backend.identity.register import (
    OtherKeyError,
    Register,
    ShutOutError,
    TokenUsedError,
    TooManyError,
)
from doorstep_backend.keys import Certificates
from doorstep_backend.wire.asking import in_thread

MAX_REQUEST_BYTES: Final = 16_384
"""Longest request for a certificate that is read; one for a P-256 key has some 500."""

REQUEST_TYPE: Final = "application/pkcs10"
"""Source: RFC 7030 section 4.2.1."""

ANSWER_TYPE: Final = "application/pkcs7-mime; smime-type=certs-only"
"""Source: RFC 7030 section 4.2.3."""

WRONG_TOKEN: Final = "wrong device or token"  # noqa: S105 - an error text
TOKEN_USED: Final = "this token was used, with another key or long ago"  # noqa: S105 - an error text
"""A device adds what is to be done: both are answers to a person at a terminal."""
OTHER_KEY: Final = (
    "this device has another signing key; if that one is lost, ask the office to allow it one new "
    "key (`devices add --new-signing-key`)"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The register, authority, names and clients of a backend with certificates."""

    register: Register
    authority: Authority
    names: Names
    clients: Clients

    @classmethod
    def of(cls, folder: Path, ca: Certificates) -> Self:
        """Return the identity of a backend's folder; the CA of `ca` signs its certificates."""
        authority, names = Authority.of(ca.folder), Names(folder, ca.chain_file)
        return cls(Register(folder), authority, names, Clients(folder))


class EstRoutes:
    """The routes below /.well-known/est; admission.py has looked at certificates before them.

    Over mutual TLS some clients know re-enrolment only, as strongSwan's `pki`: for a signing key
    both are the same.
    """

    def __init__(self, identity: Identity) -> None:
        self._register = identity.register
        self._authority = identity.authority
        self._names = identity.names

    def routes(self) -> list[Route]:
        """Return the routes below EST."""
        return [
            Route(f"{EST}/cacerts", self.cacerts, methods=["GET"]),
            Route(f"{EST}/simpleenroll", self.enrol, methods=["POST"]),
            Route(f"{EST}/evidence/simpleenroll", self.vouch, methods=["POST"]),
            Route(f"{EST}/evidence/simplereenroll", self.vouch, methods=["POST"]),
            Route(f"{EST}/serve/simpleenroll", self.serve, methods=["POST"]),
            Route(f"{EST}/serve/simplereenroll", self.serve, methods=["POST"]),
            Route(RENEWAL, self.renew, methods=["POST"]),
        ]

    async def cacerts(self, _request: Request) -> Response:
        """Return the certificate of the fleet's CA. Source: RFC 7030 section 4.1."""
        return _certificates(self._authority.certificate, "application/pkcs7-mime")

    async def enrol(self, request: Request) -> Response:
        """Return a TLS certificate for a one-time token; the same again for the same key.

        Raises:
            HTTPException: 401: the token is wrong. 403: it was used. 400, 413, 415: the request is
                wrong.
        """
        device_id, token = basic(request)
        body = await _body(request)  # first: the token may be another when that has come
        if not await in_thread(self._register.is_token, device_id, token):
            raise unauthorised(WRONG_TOKEN)
        key, now = _key(body, device_id), await in_thread(self._register.now)
        issue = self._tls(device_id, key, now)
        try:
            known = await in_thread(self._register.enrol, device_id, key, now, issue)
        except TokenUsedError as error:
            raise HTTPException(403, TOKEN_USED) from error
        return _certificates(known.x509)

    async def renew(self, request: Request) -> Response:
        """Return the next TLS certificate of the device that asks.

        Raises:
            HTTPException: 403: it was shut out. 429: too many in a day. 400, 413, 415: the request
                is wrong.
        """
        device_id = _certified(request)
        key, now = _key(await _body(request), device_id), await in_thread(self._register.now)
        issue = self._tls(device_id, key, now)
        with _told_why_not():
            known = await in_thread(self._register.renew, device_id, key, now, issue)
        return _certificates(known.x509)

    async def vouch(self, request: Request) -> Response:
        """Return an evidence certificate for the signing key of the device that asks.

        Raises:
            HTTPException: 403: it has another key, or was shut out. 400, 413, 415: the request is
                wrong.
        """
        device_id = _certified(request)
        key, now = _key(await _body(request), device_id), await in_thread(self._register.now)
        with _told_why_not():
            issue = partial(self._authority.evidence, device_id, key)
            known = await in_thread(self._register.vouch, device_id, key, now, issue)
        return _certificates(known.x509)

    async def serve(self, request: Request) -> Response:
        """Return a certificate for a server of the device, under names that the office gave it."""
        device_id, body = _certified(request), await _body(request)
        key, now = _key(body, device_id), await in_thread(self._register.now)
        wanted = _names(body)
        if (words := await in_thread(self._names.objection, device_id, wanted)) is not None:
            raise HTTPException(403, words)
        issue = partial(self._authority.serve, device_id, key, wanted, now)
        with _told_why_not():
            known = await in_thread(self._register.serve, device_id, key, wanted, now, issue)
        return _certificates(known.x509)

    def _tls(self, device_id: str, key: PublicKey, now: datetime) -> Callable[[], x509.Certificate]:
        return lambda: self._authority.tls(device_id, key, now)


@contextmanager
def _told_why_not() -> Iterator[None]:
    try:
        yield
    except TooManyError as error:
        raise HTTPException(429, str(error)) from error
    except OtherKeyError as error:
        raise HTTPException(403, OTHER_KEY) from error
    except ShutOutError as error:
        raise HTTPException(403, str(error)) from error


def _certified(request: Request) -> str:
    device_id = device_of(request.scope)
    assert device_id is not None, "admission.py lets nobody through without a certificate"
    return device_id


def _key(body: bytes, device_id: str) -> PublicKey:
    try:
        return pkcs10.read(body, device_id)
    except pkcs10.BadRequestError as error:
        raise HTTPException(400, str(error)) from error


def _names(body: bytes) -> frozenset[str]:
    try:
        return pkcs10.names(body)
    except pkcs10.BadRequestError as error:
        raise HTTPException(400, str(error)) from error


async def _body(request: Request) -> bytes:
    if request.headers.get("Content-Type", "").partition(";")[0].strip() != REQUEST_TYPE:
        raise HTTPException(415, f"Content-Type must be {REQUEST_TYPE}")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            raise HTTPException(413, f"a request has at most {MAX_REQUEST_BYTES} bytes")
    return body


def _certificates(one: x509.Certificate, media_type: str = ANSWER_TYPE) -> Response:
    """Make a certs-only CMS message; clients from before RFC 8951 need the transfer encoding."""
    der = pkcs7.serialize_certificates([one], Encoding.DER)
    headers = {"Content-Type": media_type, "Content-Transfer-Encoding": "base64"}
    return Response(base64.encodebytes(der), headers=headers)
