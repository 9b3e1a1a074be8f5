"""What a device is told that is not let in, and how often its certificate is read."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from starlette.types import Message, Receive, Scope, Send

from agent.status.fitting import TEXT_LIMIT_BYTES
from doorstep_backend.identity.admission import (
    EXPIRED,
    NO_CERTIFICATE,
    REVOKED,
    SUPERSEDED,
    UNKNOWN,
    Admission,
)
from tests.backend.issuing import VAN, Issuer


@pytest.mark.parametrize(
    "words", [NO_CERTIFICATE, UNKNOWN, REVOKED, SUPERSEDED, EXPIRED.format("2027-11-26")]
)
def test_it_is_read_whole_in_the_devices_status(words: str) -> None:
    """Which cuts the middle out of longer texts."""
    told = json.dumps(f'PATCH was answered 403 "{words}"')

    assert len(told) <= TEXT_LIMIT_BYTES


def test_the_certificate_of_a_request_is_read_once_also_where_it_has_a_body(issuer: Issuer) -> None:
    """Behind a proxy it is verified each time, and the end of a body asks again who it is."""
    issuer.register.let_in(VAN)
    serial = int(issuer.enrol(now=datetime.now(UTC)).serial, 16)
    read: list[Scope] = []
    pieces = iter([b"first", b"second", b""])

    def shown(scope: Scope) -> int:
        read.append(scope)
        return serial

    async def receive() -> Message:
        piece = next(pieces)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(_message: Message) -> None: ...

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        bodies.append("whole")

    bodies: list[str] = []
    asked: Scope = {"type": "http", "path": "/files", "state": {}, "headers": []}
    asyncio.run(Admission(app, issuer.register, issuer.clients, shown)(asked, receive, send))

    assert asked["state"]["device"] == "van-7"
    assert bodies == ["whole"]
    assert len(read) == 1


@pytest.mark.parametrize("path", ["/", "/pages", "/pages/"])
def test_a_person_needs_no_certificate_to_come_to_the_pages(issuer: Issuer, path: str) -> None:
    """A customer types the bare address, and is not told to enrol."""
    passed: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        passed.append(scope)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None: ...

    asked: Scope = {"type": "http", "path": path, "state": {}, "headers": []}
    admission = Admission(app, issuer.register, issuer.clients, lambda _scope: None)
    asyncio.run(admission(asked, receive, send))

    assert passed == [asked]
