"""Who may look at the fleet: a certificate each, and nothing else of them opens anything."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.admission import (
    CLIENT_EXPIRED,
    CLIENT_REVOKED,
    FOR_CLIENTS_ONLY,
    TECHNICIAN_EXPIRED,
    TECHNICIAN_REVOKED,
    client_objection,
    is_for_clients,
    other_objection,
)
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.clients import Client, Clients, Kind, NameTakenError
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register

NOON: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)


class Office:
    def __init__(self, folder: Path, authority: Authority) -> None:
        self.register, self.clients = Register(folder), Clients(folder)
        self.authority = authority

    def add(self, name: str, now: datetime = NOON) -> Client | None:
        made = self.authority.client(name, signing.new_key().public_key(), now)
        self.clients.add(name, made)
        return self.clients.find(made.serial_number)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.of(keys.certificates(tmp_path_factory.mktemp("ca")).folder)


@pytest.fixture
def office(tmp_path: Path, authority: Authority) -> Office:
    return Office(tmp_path, authority)


def test_a_live_certificate_lets_in_for_ninety_days(office: Office) -> None:
    client = office.add("puller")

    assert client_objection(client, NOON + timedelta(days=90)) is None
    later = NOON + timedelta(days=90, seconds=1)
    assert client_objection(client, later) == CLIENT_EXPIRED.format("2027-03-01")
    assert client_objection(None, NOON) == FOR_CLIENTS_ONLY


def test_a_revoked_client_is_out_with_all_its_certificates(office: Office) -> None:
    before, other = [office.add("puller"), office.add("puller")], office.add("board")

    office.clients.revoke("puller")
    after = office.add("puller")

    states = [one and office.clients.find(int(one.serial, 16)) for one in [*before, other, after]]
    said = [client_objection(one, NOON) for one in states]
    assert said == [CLIENT_REVOKED, CLIENT_REVOKED, None, None]
    with pytest.raises(LookupError, match="no client nobody"):
        office.clients.revoke("nobody")


def test_no_client_is_called_as_a_device(office: Office) -> None:
    """Devices name clients by that alone: a device's certificate would be the client's."""
    office.register.let_in("van-7")
    office.register.shut_out("van-7", DeviceState.GONE)

    with pytest.raises(NameTakenError, match="the device van-7 is called so"):
        office.add("VAN-7")

    assert office.clients.listed() == []


def test_no_device_is_called_as_a_client(office: Office) -> None:
    office.add("puller")
    office.clients.revoke("puller")

    with pytest.raises(NameTakenError, match="a client is called so"):
        office.register.let_in("Puller")

    assert office.register.devices() == []


def test_a_client_is_no_device(office: Office) -> None:
    client = office.add("puller")

    assert client is not None
    assert office.register.find(int(client.serial, 16)) is None


@pytest.mark.parametrize(
    ("path", "is_theirs"),
    [
        ("/fleet/status", True),
        ("/metrics", True),
        ("/fleet/status\n", True),  # Starlette's route takes it
        ("/metrics/", True),
        ("/fleet", False),
        ("/files/metrics", False),
    ],
)
def test_where_clients_ask_no_device_does(path: str, *, is_theirs: bool) -> None:
    assert is_for_clients(path) is is_theirs


def test_a_technicians_certificate_lets_in_for_ninety_days_where_it_belongs(
    office: Office,
) -> None:
    made = office.authority.client("ada", signing.new_key().public_key(), NOON)
    office.clients.add("ada", made, Kind.TECHNICIAN)
    ada = office.clients.find(made.serial_number)
    assert ada is not None

    open_to_her = [
        path
        for path in (
            "/files",
            "/files/x",
            "/receipts",
            "/retire",
            "/fleet",
            "/manifest",
            "/filesystem",
            "/fleet/x",
            "/",
            "/.well-known/est/simplereenroll",
        )
        if other_objection(ada, NOON, path) is None
    ]

    assert open_to_her == ["/files", "/files/x", "/receipts", "/retire", "/fleet"]
    later = NOON + timedelta(days=90, seconds=1)
    assert other_objection(ada, later, "/files") == TECHNICIAN_EXPIRED.format("2027-03-01")
    assert client_objection(ada, NOON) == FOR_CLIENTS_ONLY


def test_revoking_a_technician_ends_no_client(office: Office) -> None:
    board = office.add("board")
    made = office.authority.client("ada", signing.new_key().public_key(), NOON)
    office.clients.add("ada", made, Kind.TECHNICIAN)

    office.clients.revoke("ada", Kind.TECHNICIAN)
    with pytest.raises(LookupError, match="no technician board"):
        office.clients.revoke("board", Kind.TECHNICIAN)

    ada = office.clients.find(made.serial_number)
    assert ada is not None
    assert other_objection(ada, NOON, "/files") == TECHNICIAN_REVOKED
    assert board is not None
    assert client_objection(office.clients.find(int(board.serial, 16)), NOON) is None
