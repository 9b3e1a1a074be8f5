"""Enrolment and renewal over real HTTPS: which certificate a device gets, and which it does not."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509

from agent.record import signing
from tests.support.backend import Backend
from tests.support.enrolment import (
    EST,
    Van,
    ask,
    asked,
    certificate_in,
    expired,
    kept,
    let_in,
)
from tests.support.wire import speaking_to

# --- without a certificate


def test_without_a_certificate_a_device_can_only_enrol(guarded: Backend) -> None:
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
    ]:
        with speaking_to(guarded.base_url, guarded.ca_file) as wire:
            answer = wire.session.request(method, guarded.base_url + path, timeout=10)
        assert answer.status_code == 403, path
        assert method == "HEAD" or answer.text.startswith("no certificate: "), path


def test_peoples_pages_need_no_certificate(guarded: Backend) -> None:
    with speaking_to(guarded.base_url, guarded.ca_file) as wire:
        assert wire.session.get(f"{guarded.base_url}/pages/", timeout=10).status_code == 200


def test_cacerts_are_what_the_fleet_trusts(guarded: Backend) -> None:
    answer = ask(guarded, "cacerts")

    assert answer.headers["Content-Type"] == "application/pkcs7-mime"
    found = certificate_in(answer)
    assert found == x509.load_pem_x509_certificate(guarded.ca_file.read_bytes())


# --- enrolment by token


def test_a_lost_answer_burns_no_token(guarded: Backend) -> None:
    device_id, token = let_in(guarded)
    body = asked(device_id, signing.new_key())
    guarded.set_switches(lose_answer=True, times=1)
    with pytest.raises(OSError, match="Connection"):
        ask(guarded, "simpleenroll", body, auth=(device_id, token))

    first = ask(guarded, "simpleenroll", body, auth=(device_id, token))
    again = ask(guarded, "simpleenroll", body, auth=(device_id, token))

    assert certificate_in(first) == certificate_in(again)
    assert first.headers["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    assert max(len(line) for line in first.text.splitlines()) <= 76


def test_another_key_on_a_used_token_is_refused(guarded: Backend) -> None:
    device_id, token = let_in(guarded)
    assert ask(
        guarded, "simpleenroll", asked(device_id, signing.new_key()), auth=(device_id, token)
    ).ok

    answer = ask(
        guarded, "simpleenroll", asked(device_id, signing.new_key()), auth=(device_id, token)
    )

    assert answer.status_code == 403
    assert answer.text.startswith("this token was used, with another key")


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


def test_a_request_for_another_device_burns_nothing(guarded: Backend) -> None:
    device_id, token = let_in(guarded)
    key = signing.new_key()

    answer = ask(guarded, "simpleenroll", asked("van-0", key), auth=(device_id, token))

    assert (answer.status_code, answer.text) == (
        400,
        f"the common name must be {device_id}, the device that asks\n",
    )
    assert ask(guarded, "simpleenroll", asked(device_id, key), auth=(device_id, token)).ok


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"A" * 20_000, {"Content-Type": "application/pkcs10"}, 413),
        (b"nonsense", {"Content-Type": "application/pkcs10"}, 400),
        (b"", {"Content-Type": "application/pkcs10"}, 400),
        (b"nonsense", {"Content-Type": "text/plain"}, 415),
    ],
)
def test_what_is_no_request_is_refused_with_words(
    guarded: Backend, body: bytes, headers: dict[str, str], status: int
) -> None:
    device_id, token = let_in(guarded)

    answer = ask(guarded, "simpleenroll", body, headers=headers, auth=(device_id, token))

    assert answer.status_code == status
    assert answer.text.strip()


# --- renewal


def test_the_old_certificate_ends_with_the_first_use_of_the_new_one(van: Van) -> None:
    open_wire = van.wire()
    assert open_wire.session.get(f"{van.backend.base_url}/fleet", timeout=10).ok

    new = van.renewed()
    assert van.get().ok
    assert van.get(identity=new).ok

    old = open_wire.session.get(f"{van.backend.base_url}/fleet", timeout=10)
    assert old.status_code == 403
    assert old.text.startswith("certificate superseded: ")
    assert f"{van.device_id}; in; CLONE ALARM" in van.backend.command("devices", "list")


def test_a_renewal_whose_answer_was_lost_gets_the_same_certificate(van: Van) -> None:
    key = signing.new_key()
    body = asked(van.device_id, key)

    answers = [ask(van.backend, "simplereenroll", body, cert=van.identity.files) for _ in range(2)]

    assert certificate_in(answers[0]) == certificate_in(answers[1])


def test_nobody_renews_in_anothers_name(van: Van) -> None:
    body = asked("van-0", signing.new_key())

    answer = ask(van.backend, "simplereenroll", body, cert=van.identity.files)

    assert answer.status_code == 400
    assert van.device_id in answer.text


def test_an_expired_certificate_is_said_so_and_renews(guarded: Backend, tmp_path: Path) -> None:
    old = expired(guarded, tmp_path)
    key = signing.new_key()

    with speaking_to(guarded.base_url, guarded.ca_file, old.files) as wire:
        refused = wire.session.get(f"{guarded.base_url}/fleet", timeout=10)
        told = wire.head(str(uuid4()))
    answer = ask(guarded, "simplereenroll", asked(old.device_id, key), cert=old.files)
    new = kept(tmp_path, old.device_id, certificate_in(answer), key)

    ended = old.certificate.not_valid_after_utc
    assert refused.status_code == told.status_code == 403
    assert refused.text.startswith(f"certificate expired on {ended:%Y-%m-%d}: ")
    with speaking_to(guarded.base_url, guarded.ca_file, new.files) as wire:
        assert wire.session.get(f"{guarded.base_url}/fleet", timeout=10).ok
    again = ask(guarded, "simplereenroll", asked(old.device_id, key), cert=old.files)
    assert again.status_code == 403
    assert again.text.startswith("certificate superseded: ")
