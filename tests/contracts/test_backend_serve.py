"""The certificate for a device's own server, and other systems, over real mutual TLS."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agent.record import signing
from doorstep_backend.identity.admission import A_CLIENTS, FOR_CLIENTS_ONLY
from doorstep_backend.identity.clients import ClientKind
from doorstep_backend.identity.names import names_in
from tests.support.backend import Backend
from tests.support.enrolment import (
    EST,
    EnrolledDevice,
    ask,
    asked,
    certificate_in,
    kept,
    technician,
)
from tests.support.wire import speaking_to

LABEL = "serve/simpleenroll"


def named(van: EnrolledDevice) -> tuple[str, str]:
    """Two names that only this device has."""
    names = (f"{van.device_id}.vans.example", f"10.{'.'.join(map(str, os.urandom(3)))}")
    van.backend.command("devices", "names", van.device_id, *names)
    return names


def serve(
    van: EnrolledDevice, key: signing.PrivateKey, names: Sequence[str], label: str = LABEL
) -> Any:
    body = asked(van.device_id, key, names)
    return ask(van.backend, label, body, cert=van.identity.files)


# --- the label


def test_certificate_has_the_names_that_were_given_and_asked_for(van: EnrolledDevice) -> None:
    names, key = named(van), signing.new_key()

    made = [certificate_in(serve(van, key, names)) for _ in range(2)]
    again = certificate_in(serve(van, key, names, "serve/simplereenroll"))

    assert names_in(made[0]) == set(names)
    assert made[0] == made[1] == again
    assert f"serves as {', '.join(sorted(names))} until " in van.backend.command("devices", "list")


def test_openssl_takes_it_for_a_server_under_its_names_and_for_no_client(
    van: EnrolledDevice,
) -> None:
    names, key = named(van), signing.new_key()
    made = kept(van.folder, van.device_id, certificate_in(serve(van, key, names)), key)

    def verified(*words: str) -> bool:
        told = ["openssl", "verify", "-CAfile", str(van.backend.ca_file), *words]
        return not subprocess.run(
            [*told, str(made.certificate_file)], capture_output=True, check=False
        ).returncode

    server = ("-purpose", "sslserver")
    assert verified(*server, "-verify_hostname", names[0])
    assert verified(*server, "-verify_ip", names[1])
    assert not verified(*server, "-verify_hostname", "localhost")
    assert not verified(*server, "-verify_ip", "127.0.0.1")
    assert not verified("-purpose", "sslclient")


# --- other systems


def test_a_client_is_let_in_where_clients_ask_and_nowhere_else(
    guarded: Backend, tmp_path: Path
) -> None:
    file = technician(guarded, tmp_path, f"puller-{uuid4()}", ClientKind.CLIENT)
    others = ("/fleet", "/manifest", f"/files/{uuid4()}", "/receipts", "/nothing", f"{EST}/{LABEL}")

    with speaking_to(guarded.base_url, guarded.ca_file, (file, file)) as wire:
        assert [wire.get(path).status_code for path in ("/fleet/status", "/metrics")] == [200, 200]
        answers = [wire.get(path) for path in others]

    assert {(answer.status_code, answer.text.strip()) for answer in answers} == {(403, A_CLIENTS)}


@pytest.mark.parametrize("path", ["/fleet/status", "/metrics", "/metrics%0A", "/metrics/"])
def test_a_device_or_nobody_is_not_let_in_there(van: EnrolledDevice, path: str) -> None:
    with speaking_to(van.backend.base_url, van.backend.ca_file) as nobody:
        answers = [van.get(path), nobody.get(path)]

    for answer in answers:
        assert (answer.status_code, answer.text.strip()) == (403, FOR_CLIENTS_ONLY)
