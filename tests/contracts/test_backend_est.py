"""Enrolment and renewal over real HTTPS: which certificate a device gets, and which it does not."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agent.record import signing
from tests.support.backend import Backend
from tests.support.enrolment import (
    EST,
    EnrolledDevice,
    ask,
    asked,
    certificate_in,
    expired,
    kept,
    let_in,
)
from tests.support.wire import speaking_to

# --- without a certificate


def test_device_without_a_certificate_can_only_enrol(guarded: Backend) -> None:
    assert ask(guarded, "cacerts").status_code == 200
    for method, path in [
        ("GET", "/fleet"),
        ("GET", "/manifest"),
        ("POST", "/files"),
        ("HEAD", f"/files/{uuid4()}"),
        ("PATCH", f"/files/{uuid4()}"),
        ("POST", "/receipts"),
        ("GET", "/nothing"),
        ("POST", f"{EST}/simplereenroll"),
        ("POST", f"{EST}/evidence/simpleenroll"),
        ("POST", f"{EST}/serve/simpleenroll"),
    ]:
        with speaking_to(guarded.base_url, guarded.ca_file) as wire:
            answer = wire.session.request(method, guarded.base_url + path, timeout=10)
        assert answer.status_code == 403, path
        assert method == "HEAD" or answer.text.startswith("no certificate: "), path


# --- enrolment by token


def test_a_lost_answer_burns_no_token_and_another_key_is_refused(guarded: Backend) -> None:
    device_id, token = let_in(guarded)
    body, other = (asked(device_id, signing.new_key()) for _ in range(2))
    guarded.set_switches(lose_answer=True, times=1)
    with pytest.raises(OSError, match="Connection"):
        ask(guarded, "simpleenroll", body, auth=(device_id, token))

    first, again, refused = (
        ask(guarded, "simpleenroll", one, auth=(device_id, token)) for one in (body, body, other)
    )

    assert certificate_in(first) == certificate_in(again)
    assert first.headers["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    assert max(len(line) for line in first.text.splitlines()) <= 76
    assert refused.status_code == 403
    assert refused.text.startswith("this token was used, with another key")


@pytest.mark.parametrize("wrong", ["token", "device", "nothing", "garbage"])
def test_a_wrong_token_is_401_and_burns_nothing(guarded: Backend, wrong: str) -> None:
    device_id, token = let_in(guarded)
    body = asked(device_id, signing.new_key())
    ways: dict[str, dict[str, Any]] = {
        "token": {"auth": (device_id, "guess")},
        "device": {"auth": ("van-0", token)},
        "nothing": {},
        "garbage": {"headers": {"Content-Type": "application/pkcs10", "Authorization": "Basic ü"}},
    }

    answer = ask(guarded, "simpleenroll", body, **ways[wrong])

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="doorstep"'
    assert ask(guarded, "simpleenroll", body, auth=(device_id, token)).ok


def test_nobody_asks_in_anothers_name(guarded: Backend, van: EnrolledDevice) -> None:
    """At enrolment and at renewal; a token is not used up by it."""
    device_id, token = let_in(guarded)
    key = signing.new_key()
    body = asked("van-0", key)

    enrolment = ask(guarded, "simpleenroll", body, auth=(device_id, token))
    renewal = ask(guarded, "simplereenroll", body, cert=van.identity.files)

    for one, answer in ((device_id, enrolment), (van.device_id, renewal)):
        assert answer.status_code == 400
        assert answer.text == f"the common name must be {one}, the device that asks\n"
    assert ask(guarded, "simpleenroll", asked(device_id, key), auth=(device_id, token)).ok


# --- renewal


def test_the_old_certificate_ends_with_the_first_use_of_the_new_one(van: EnrolledDevice) -> None:
    open_wire = van.wire()
    assert open_wire.get("/fleet").ok

    new = van.renewed()
    assert van.get().ok
    assert van.get(identity=new).ok

    old = open_wire.get("/fleet")
    assert old.status_code == 403
    assert old.text.startswith("certificate superseded: ")
    assert f"{van.device_id}; in; CLONE ALARM" in van.backend.command("devices", "list")


def test_an_expired_certificate_is_said_so_and_renews(guarded: Backend, tmp_path: Path) -> None:
    old = expired(guarded, tmp_path)
    key = signing.new_key()

    with speaking_to(guarded.base_url, guarded.ca_file, old.files) as wire:
        refused = wire.get("/fleet")
        told = wire.head(str(uuid4()))
    answer = ask(guarded, "simplereenroll", asked(old.device_id, key), cert=old.files)
    new = kept(tmp_path, old.device_id, certificate_in(answer), key)

    ended = old.certificate.not_valid_after_utc
    assert refused.status_code == told.status_code == 403
    assert refused.text.startswith(f"certificate expired on {ended:%Y-%m-%d}: ")
    with speaking_to(guarded.base_url, guarded.ca_file, new.files) as wire:
        assert wire.get("/fleet").ok
    again = ask(guarded, "simplereenroll", asked(old.device_id, key), cert=old.files)
    assert again.status_code == 403
    assert again.text.startswith("certificate superseded: ")
