"""Admission: the certificates that let a caller in, the addresses, and the refusals."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from starlette.types import Message, Receive, Scope, Send

from agent.status.fitting import TEXT_LIMIT_BYTES
from doorstep_backend.identity.admission import (
    CLIENT_EXPIRED,
    CLIENT_REVOKED,
    EXPIRED,
    FOR_CLIENTS_ONLY,
    NO_CERTIFICATE,
    REVOKED,
    SUPERSEDED,
    TECHNICIAN_EXPIRED,
    TECHNICIAN_REVOKED,
    UNKNOWN,
    Admission,
    client_objection,
    other_objection,
)
from doorstep_backend.identity.clients import ClientKind, NameTakenError
from tests.backend.issuing import VAN, Issuer
from tests.support.demo_office import NOON


@pytest.mark.parametrize(
    "words", [NO_CERTIFICATE, UNKNOWN, REVOKED, SUPERSEDED, EXPIRED.format("2027-11-26")]
)
def test_refusal_fits_whole_into_the_devices_status(words: str) -> None:
    """The status cuts the middle out of longer texts."""
    told = json.dumps(f'PATCH was answered 403 "{words}"')

    assert len(told) <= TEXT_LIMIT_BYTES


class Line:
    """A connection and its protocol, for which a request proves who asks."""

    def __init__(self) -> None:
        self.protocol = self
        self.owners: list[str] = []

    def note_proof(self, _state: object, owner: str, _most: int) -> None:
        self.owners.append(owner)


def test_the_certificate_of_a_request_is_read_once_also_where_it_has_a_body(issuer: Issuer) -> None:
    """Each request behind a proxy verifies its certificate, which the end of a body needs again."""
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
    line = Line()
    asked: Scope = {"type": "http", "path": "/files", "state": {"connection": line}, "headers": []}
    asyncio.run(Admission(app, issuer.register, issuer.clients, shown)(asked, receive, send))

    assert asked["state"]["device"] == "van-7"
    assert bodies == ["whole"]
    assert len(read) == 1
    assert line.owners == ["van-7"]


@pytest.mark.parametrize("path", ["/", "/pages", "/pages/"])
def test_a_person_needs_no_certificate_to_come_to_the_pages(issuer: Issuer, path: str) -> None:
    """A customer types the bare address, and must not be asked to enrol."""
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


def test_a_live_certificate_lets_in_for_ninety_days(issuer: Issuer) -> None:
    client = issuer.client("puller")

    assert client_objection(client, NOON + timedelta(days=90)) is None
    later = NOON + timedelta(days=90, seconds=1)
    assert client_objection(client, later) == CLIENT_EXPIRED.format("2027-03-01")
    assert client_objection(None, NOON) == FOR_CLIENTS_ONLY


def test_a_revoked_client_is_out_with_all_its_certificates(issuer: Issuer) -> None:
    before, other = [issuer.client("puller"), issuer.client("puller")], issuer.client("board")

    issuer.clients.revoke("puller")
    after = issuer.client("puller")

    states = [issuer.clients.find(int(one.serial, 16)) for one in [*before, other, after]]
    said = [client_objection(one, NOON) for one in states]
    assert said == [CLIENT_REVOKED, CLIENT_REVOKED, None, None]
    with pytest.raises(LookupError, match="no client nobody"):
        issuer.clients.revoke("nobody")


def test_no_device_is_called_as_a_client(issuer: Issuer) -> None:
    """The name of a revoked client stays taken, too."""
    issuer.client("puller")
    issuer.clients.revoke("puller")

    with pytest.raises(NameTakenError, match="a client is called so"):
        issuer.register.let_in("Puller")


def test_a_client_is_no_device(issuer: Issuer) -> None:
    client = issuer.client("puller")

    assert issuer.register.find(int(client.serial, 16)) is None


def test_a_technicians_certificate_lets_in_for_ninety_days_where_it_belongs(
    issuer: Issuer,
) -> None:
    ada = issuer.client("ada", ClientKind.TECHNICIAN)
    hers = ["/files", "/files/x", "/receipts", "/retire", "/fleet"]
    others = ["/manifest", "/filesystem", "/fleet/x", "/", "/.well-known/est/simplereenroll"]

    open_to_her = [path for path in hers + others if other_objection(ada, NOON, path) is None]

    assert open_to_her == hers
    later = NOON + timedelta(days=90, seconds=1)
    assert other_objection(ada, later, "/files") == TECHNICIAN_EXPIRED.format("2027-03-01")
    assert client_objection(ada, NOON) == FOR_CLIENTS_ONLY


def test_revocation_of_a_technician_spares_clients(issuer: Issuer) -> None:
    board, ada = issuer.client("board"), issuer.client("ada", ClientKind.TECHNICIAN)

    issuer.clients.revoke("ada", ClientKind.TECHNICIAN)
    with pytest.raises(LookupError, match="no technician board"):
        issuer.clients.revoke("board", ClientKind.TECHNICIAN)

    client, technician = (issuer.clients.find(int(one.serial, 16)) for one in (board, ada))
    assert client_objection(client, NOON) is None
    assert technician is not None
    assert other_objection(technician, NOON, "/files") == TECHNICIAN_REVOKED
