"""A device that enrols with the reference backend, sends, is revoked, and is let in again."""

import time
from pathlib import Path
from uuid import uuid4

import pytest

from agent.models import rfc3339
from agent.record import certificates, signing
from agent.trust.store import TrustStore
from tests.support.backend import Backend, running_backend
from tests.support.device import Device
from tests.support.enrolment import enrolled, expired, let_in, required
from tests.support.wire import speaking_to

pytestmark = pytest.mark.slow


def device(backend: Backend, folder: Path, device_id: str, fleet_key: Path | None = None) -> Device:
    tables = required(backend)
    if fleet_key is not None:
        tables["identity"] = {**tables["identity"], "fleet_key": str(fleet_key)}
    return Device(folder, device={"id": device_id}, **tables)


def enrol(backend: Backend, van: Device, *words: str, token: str = "") -> tuple[int, str]:
    ended = van.run("enrol", backend.base_url, *words, input=token)
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout + ended.stderr


def test_device_enrols_and_sends_over_one_connection(guarded: Backend, tmp_path: Path) -> None:
    device_id, token = let_in(guarded)
    van = device(guarded, tmp_path / "van", device_id)
    began_s = time.monotonic()

    code, said = enrol(guarded, van, token=token)

    took_s = time.monotonic() - began_s
    assert code == 0, said
    assert took_s < 5, said
    for _ in range(3):
        assert van.run("capture", "--once").returncode in {0, 4}
    before = guarded.counts()
    sent = van.run("sync", "--once")
    after = guarded.counts()
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert after.handshakes - before.handshakes <= 2
    assert after.by_method.get("POST /files", 0) - before.by_method.get("POST /files", 0) == 4
    text = TrustStore(van.layout).certificate("evidence")
    assert text is not None
    assert certificates.ends(certificates.read_pem(text)[0]).year == 9999


def test_device_gets_a_certificate_of_serve_for_the_names_that_the_office_gave_it(
    guarded: Backend, tmp_path: Path
) -> None:
    """Enrolled before the office gave the names: sync gets it by itself, and capture keeps it."""
    device_id, token = let_in(guarded)
    names = [f"{device_id}.vans.example", "127.8.0.7"]
    van = Device(
        tmp_path / "van", device={"id": device_id}, serve={"names": names}, **required(guarded)
    )
    trust = TrustStore(van.layout)

    code, said = enrol(guarded, van, token=token)
    assert code == 65
    assert 'serve/simpleenroll was answered 403 "127.8.0.7: this device was not given' in said
    guarded.command("devices", "names", device_id, *names)
    try:
        van.start("capture")
        van.start("sync")
        van.await_that(lambda: trust.certificate("serve") is not None)
        told = van.ask("capture", {"status": True})
    finally:
        van.stop_all()

    text = trust.certificate("serve")
    assert text is not None
    found = certificates.read_pem(text)[0]
    key = signing.read_private_key(van.layout.serve_keys / "key.pem")
    assert certificates.is_for(found, key.public_key())
    assert certificates.names_of(found) == set(names)
    assert told is not None
    assert told["serve_until"] == rfc3339(certificates.ends(found))
    before = trust.certificate("serve"), trust.request("serve")
    code, said = enrol(guarded, van)
    assert code == 0, said
    assert (trust.certificate("serve"), trust.request("serve")) == before


def test_revoked_on_the_road_its_records_wait_until_it_is_let_in_again(
    guarded: Backend, tmp_path: Path
) -> None:
    device_id, token = let_in(guarded)
    van = device(guarded, tmp_path / "van", device_id)
    assert enrol(guarded, van, token=token)[0] == 0
    guarded.command("devices", "revoke", device_id)
    van.run("capture", "--once")

    sent = van.run("sync", "--once")

    assert sent.returncode == 75
    assert "certificate revoked" in sent.stdout
    code, said = enrol(guarded, van)
    assert code == 65
    assert "certificate revoked" in said
    token = guarded.command("devices", "add", device_id).split()[-1]
    code, said = enrol(guarded, van, token=token)
    assert code == 0, said
    assert van.run("sync", "--once").returncode == 0
    assert {item["state"] for item in van.queue()} == {"DELIVERED"}


def test_certificate_that_ended_in_sleep_is_renewed_by_the_running_device(
    guarded: Backend, tmp_path: Path
) -> None:
    """The daemons alone: a new TLS certificate, one for evidence, and what waited is sent."""
    asleep = expired(guarded, tmp_path)
    van = device(guarded, tmp_path / "van", asleep.device_id)
    van.layout.make()
    own = asleep.into(van.layout.sync_keys)
    other = enrolled(guarded, tmp_path, f"van-{uuid4()}")
    with speaking_to(guarded.base_url, guarded.ca_file, other.files) as wire:
        document = wire.get("/fleet").text
    trust = TrustStore(van.layout)
    trust.keep_fleet((document,))
    before = own.read_bytes()
    try:
        van.start("capture")
        van.start("sync")
        van.press()
        van.await_that(
            lambda: own.read_bytes() != before and trust.certificate("evidence") is not None
        )
        van.await_that(lambda: {item["state"] for item in van.queue()} == {"DELIVERED"}, 60)
        status = van.run("status").stdout
    finally:
        van.stop_all()

    assert "identity  certificates: TLS until 20" in status
    assert "evidence until 9999-12-31" in status
    assert "event=renewed what=tls until=" in van.log("sync")
    assert "event=renewed what=evidence until=9999-12-31" in van.log("sync")


def test_device_that_slept_while_the_fleet_key_changed_is_led_on(tmp_path: Path) -> None:
    """By `enrol` as by sync: each document that comes is one that follows from the one kept."""
    with running_backend(tmp_path / "backend", identity=True) as backend:
        device_id, token = let_in(backend)
        fleet_key = tmp_path / "fleet-key.pem"
        fleet_key.write_bytes(backend.fleet_key_file.read_bytes())
        van = device(backend, tmp_path / "van", device_id, fleet_key)
        assert enrol(backend, van, token=token)[0] == 0
        for words in (["rotate", "--fleet-key"], ["publish"], ["rotate"]):
            backend.command("fleet", *words)
        van.run("capture", "--once")

        ended = enrol(backend, van)
        kept = len(TrustStore(van.layout).fleet())
        again = enrol(backend, van)
        last = enrol(backend, van)
        sent = van.run("sync", "--once")

    assert [code for code, _ in (ended, again, last)] == [0, 0, 0], (ended, again, last)
    assert (kept, len(TrustStore(van.layout).fleet())) == (1, 2)
    assert "fleet document    is there, and is the newest" in last[1]
    assert sent.returncode == 0, sent.stdout + sent.stderr
