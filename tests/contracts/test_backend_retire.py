"""The end of a device over the wire: who may bring it about, and what is answered."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.record import signing
from doorstep_backend.identity.register import Register
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.store import Store
from tests.support.enrolment import PKCS10, EnrolledDevice, asked, enrolled
from tests.support.wire import Wire


def retire(wire: Wire, device_id: object) -> Any:
    return wire.session.post(f"{wire.base_url}/retire", json={"device_id": device_id}, timeout=10)


def on_the_road(van: EnrolledDevice) -> Office:
    """The office that gave the van the demo's route; the backend is shared, and settled once."""
    office = open_office(Store(van.backend.data))
    if office.ledger.execute("SELECT 1 FROM customers").fetchone() is None:
        demo.settle(office)
    demo.send_out(office, van.device_id, datetime.now(UTC))
    return office


def test_a_device_retires_itself_and_learns_what_was_received(van: EnrolledDevice) -> None:
    wire, before = van.wire(), datetime.now(UTC)
    for lost in (False, True, False, False):
        van.send(wire) if not lost else van.maker.make()

    answer = retire(wire, van.device_id)

    assert answer.status_code == 200
    told = answer.json()
    end = {"chain": van.maker.chain, "last_seq": 4, "received": 3, "missing": 1, "gaps": [[2, 2]]}
    assert told["device_id"] == van.device_id
    assert told["chains"] == [end]
    assert datetime.fromisoformat(told["retired_at"]).date() >= before.date()


def test_once_more_says_that_it_is_done_already(van: EnrolledDevice) -> None:
    """The first answer may have been lost: that is no wrong revocation."""
    retire(van.wire(), van.device_id)

    again = retire(van.wire(), van.device_id)

    assert again.status_code == 403
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert again.text == f"certificate revoked: this device was retired on {today}\n"
    assert van.get().status_code == 403


def test_revoked_device_is_not_called_retired(van: EnrolledDevice) -> None:
    van.backend.command("devices", "revoke", van.device_id)
    revoked = retire(van.wire(), van.device_id)
    van.backend.command("devices", "gone", van.device_id)
    gone = retire(van.wire(), van.device_id)

    assert [revoked.status_code, gone.status_code] == [403, 403]
    assert "retired" not in revoked.text + gone.text


def test_a_device_retires_no_other(van: EnrolledDevice, tmp_path: Path) -> None:
    other = enrolled(van.backend, tmp_path, f"{van.device_id}-b")

    answer = retire(van.wire(), other.device_id)

    assert answer.status_code == 403
    assert "itself only" in answer.text
    assert van.get(identity=other).status_code == 200


def test_a_technician_retires_any_device_and_is_answered_the_same_twice(
    van: EnrolledDevice, ada: Wire
) -> None:
    van.send(van.wire())

    first, second = retire(ada, van.device_id), retire(ada, van.device_id)

    assert [first.status_code, second.status_code] == [200, 200]
    assert first.json() == second.json()
    assert van.get().status_code == 403
    assert retire(ada, "van-nobody").status_code == 404
    assert retire(ada, 7).status_code == 400


@pytest.mark.parametrize("what", ["simplereenroll", "evidence/simpleenroll"])
def test_a_request_that_was_let_in_before_gets_no_certificate_after(
    van: EnrolledDevice, what: str
) -> None:
    """A thief of the card begins a request before the revocation, and ends it later."""
    key = van.maker.key if what.startswith("evidence") else signing.new_key()
    body = asked(van.device_id, key)

    def ended() -> None:
        van.backend.command("devices", "gone", van.device_id)

    wire = van.wire()
    answer = wire.session.post(
        f"{wire.base_url}/.well-known/est/{what}",
        data=_slowly(body, ended),
        headers=PKCS10,
        timeout=10,
    )

    assert answer.status_code == 403
    assert answer.text.startswith("certificate revoked: the office closed this device on ")


def test_a_technician_who_was_revoked_ends_no_device_by_a_request_of_before(
    van: EnrolledDevice, ada: Wire
) -> None:
    def revoked() -> None:
        assert isinstance(ada.session.cert, tuple)
        van.backend.command("technicians", "revoke", Path(ada.session.cert[0]).stem)

    body = json.dumps({"device_id": van.device_id}).encode()
    answer = ada.session.post(f"{ada.base_url}/retire", data=_slowly(body, revoked), timeout=10)

    assert answer.status_code == 403
    assert answer.text == "technician's certificate revoked: ask the office\n"
    assert van.get().status_code == 200


def _slowly(body: bytes, between: Callable[[], None]) -> Iterator[bytes]:
    yield body[:20]
    time.sleep(0.5)
    between()
    yield body[20:]


def test_its_token_and_its_route_end_too(van: EnrolledDevice) -> None:
    office, register = on_the_road(van), Register(van.backend.data)
    token = register.let_in(van.device_id)
    assert office.orders.on_route(demo.ROUTE)

    retire(van.wire(), van.device_id)

    assert not register.is_token(van.device_id, token)
    row = "SELECT route FROM assignments WHERE device_id = ?"
    assert office.ledger.execute(row, (van.device_id,)).fetchone()["route"] is None


def test_gone_hands_the_route_on_and_says_where_the_chain_ended(
    van: EnrolledDevice, tmp_path: Path
) -> None:
    office, other = on_the_road(van), enrolled(van.backend, tmp_path, f"{van.device_id}-b")
    van.send(van.wire())

    with pytest.raises(ValueError, match="van-nobody is not let in"):
        van.backend.command("devices", "gone", van.device_id, "--to", "van-nobody")
    with pytest.raises(ValueError, match="is the device that ends"):
        van.backend.command("devices", "gone", van.device_id, "--to", van.device_id)
    told = van.backend.command("devices", "gone", van.device_id, "--to", other.device_id)

    assert "gone since " in told
    assert f"handed on to {other.device_id}" in told
    assert f"chain {van.maker.chain}, seq 1; 0 missing below; closed at seq 1" in told
    row = office.ledger.execute("SELECT device_id FROM assignments WHERE route NOTNULL").fetchone()
    assert row["device_id"] == other.device_id
