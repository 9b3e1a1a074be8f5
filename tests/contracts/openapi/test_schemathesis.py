"""Both servers and the office, asked what their documents allow and what they do not."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from agent.record import signing
from doorstep_backend.identity.register import Register
from doorstep_backend.office import demo
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store
from tests.contracts.openapi.documents import BACKEND, OFFICE, REPOSITORY, SERVE
from tests.contracts.openapi.hooks import BEGUN, CONTENT, RECEIVED, own_name
from tests.contracts.openapi.queued import queued
from tests.support.backend import running_backend
from tests.support.enrolment import enrolled
from tests.support.factory import RecordMaker
from tests.support.served import served
from tests.support.wire import record, speaking_to

pytestmark = pytest.mark.slow

SETTINGS: Final = Path(__file__).with_name("schemathesis.toml")

HOLLOW: Final = "missing_auth,missing_test_data,missing_deserializer,unsupported_regex"
"""Its warnings that something was asked for in vain, or not looked at: failures here."""

COMMAND: Final = Path(sys.executable).with_name("schemathesis")


def asked_by_schemathesis(
    document: Path, url: str, ca_file: Path, *more: str | Path, **env: str
) -> None:
    """Raises AssertionError, with what it printed, for what is not as the document says."""
    words: list[str | Path] = [COMMAND, "--config-file", SETTINGS, "run", document]
    words += ["--url", url, "--no-color", "--warnings", HOLLOW, "--tls-verify", ca_file]
    ran = subprocess.run(
        [*words, *more],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    summary = ran.stdout.strip().rpartition("\n")[2]
    is_whole = ran.returncode == 0 and "WARNINGS" not in ran.stdout
    assert is_whole, f"{summary}\n{ran.stdout}{ran.stderr}"


def test_the_backend_answers_its_devices_as_its_document_says(tmp_path: Path) -> None:
    maker = RecordMaker(device_id="van-0042")
    with running_backend(tmp_path / "backend", identity=True, switches=False) as backend:
        van = enrolled(backend, tmp_path, maker.device_id, maker.key)
        with speaking_to(backend.base_url, backend.ca_file, van.files) as wire:
            content = record(maker, RECEIVED)
            assert wire.post(RECEIVED, content, content).status_code == 201
            assert wire.post(BEGUN, CONTENT).status_code == 201
        office = open_office(Store(backend.data))
        demo.settle(office)
        demo.send_out(office, van.device_id, datetime.now(UTC))
        key_file = tmp_path / "signing.pem"
        key_file.write_bytes(signing.private_pem(maker.key))
        backend.command("devices", "names", van.device_id, own_name(van.device_id))
        token = Register(backend.data).let_in(van.device_id)

        asked_by_schemathesis(
            BACKEND,
            backend.base_url,
            backend.ca_file,
            *by_certificate(van.files),
            "--auth",
            f"{van.device_id}:{token}",
            DOORSTEP_DEVICE=van.device_id,
            DOORSTEP_KEY=str(key_file),
        )


def test_serve_answers_who_may_ask_as_its_document_says(tmp_path: Path) -> None:
    with served(tmp_path) as device, queued(tmp_path):
        both = device.client_file

        asked_by_schemathesis(SERVE, device.url, device.ca_file, *by_certificate((both, both)))


def test_the_office_answers_other_systems_as_its_document_says(tmp_path: Path) -> None:
    with running_backend(tmp_path / "backend", identity=True, switches=False) as backend:
        demo.settle(open_office(Store(backend.data)))
        Register(backend.data).let_in("van-0042")
        scopes = "orders:write,routes:write,outcomes:read"
        token = backend.command("tokens", "add", "erp", "--scope", scopes).strip()

        asked_by_schemathesis(
            OFFICE,
            backend.base_url,
            backend.ca_file,
            "--header",
            f"Authorization: Bearer {token}",
        )


def by_certificate(identity: tuple[Path, Path]) -> list[str | Path]:
    certificate, key = identity
    return ["--request-cert", certificate, "--request-cert-key", key]
