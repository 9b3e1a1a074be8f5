"""Who may look at the fleet: a certificate each, and nothing else of them opens anything."""

from datetime import timedelta

import pytest

from doorstep_backend.identity.admission import (
    CLIENT_EXPIRED,
    CLIENT_REVOKED,
    FOR_CLIENTS_ONLY,
    TECHNICIAN_EXPIRED,
    TECHNICIAN_REVOKED,
    client_objection,
    other_objection,
)
from doorstep_backend.identity.clients import Kind, NameTakenError
from tests.backend.issuing import Issuer
from tests.support.demo_office import NOON


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
    """Also once the client was revoked."""
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
    ada = issuer.client("ada", Kind.TECHNICIAN)
    hers = ["/files", "/files/x", "/receipts", "/retire", "/fleet"]
    others = ["/manifest", "/filesystem", "/fleet/x", "/", "/.well-known/est/simplereenroll"]

    open_to_her = [path for path in hers + others if other_objection(ada, NOON, path) is None]

    assert open_to_her == hers
    later = NOON + timedelta(days=90, seconds=1)
    assert other_objection(ada, later, "/files") == TECHNICIAN_EXPIRED.format("2027-03-01")
    assert client_objection(ada, NOON) == FOR_CLIENTS_ONLY


def test_revoking_a_technician_ends_no_client(issuer: Issuer) -> None:
    board, ada = issuer.client("board"), issuer.client("ada", Kind.TECHNICIAN)

    issuer.clients.revoke("ada", Kind.TECHNICIAN)
    with pytest.raises(LookupError, match="no technician board"):
        issuer.clients.revoke("board", Kind.TECHNICIAN)

    client, technician = (issuer.clients.find(int(one.serial, 16)) for one in (board, ada))
    assert client_objection(client, NOON) is None
    assert technician is not None
    assert other_objection(technician, NOON, "/files") == TECHNICIAN_REVOKED
