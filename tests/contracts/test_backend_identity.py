"""Mutual TLS over real HTTPS: who is in, whose a record is, and the words that say why not."""

import socket
import ssl
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from agent.record import signing
from doorstep_backend.identity.admission import CLIENT_REVOKED, TECHNICIAN_REVOKED
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.clients import ClientKind
from tests.support.authority import new_authority
from tests.support.backend import Backend, running_backend
from tests.support.enrolment import (
    EnrolledDevice,
    ask,
    asked,
    certificate_in,
    enrolled,
    kept,
    technician,
)
from tests.support.factory import RecordMaker, new_id
from tests.support.waiting import until
from tests.support.wire import announce, begun_post, record, speaking_to

# --- revocation


def test_a_revoked_device_is_out_on_an_open_connection(van: EnrolledDevice) -> None:
    wire = van.wire()
    assert van.send(wire).status_code == 201

    van.backend.command("devices", "revoke", van.device_id)

    answer = van.send(wire)
    assert answer.status_code == 403
    assert answer.text.startswith("certificate revoked: ")
    renewal = ask(
        van.backend,
        "simplereenroll",
        asked(van.device_id, signing.new_key()),
        cert=van.identity.files,
    )
    assert renewal.status_code == 403


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        (ClientKind.TECHNICIAN, "/fleet", TECHNICIAN_REVOKED),
        (ClientKind.CLIENT, "/metrics", CLIENT_REVOKED),
    ],
)
def test_a_revoked_person_or_system_is_out_on_an_open_connection(
    guarded: Backend, tmp_path: Path, kind: ClientKind, path: str, words: str
) -> None:
    name = f"{kind}-{uuid4()}"
    own = technician(guarded, tmp_path, name, kind)
    with speaking_to(guarded.base_url, guarded.ca_file, (own, own)) as wire:
        assert wire.get(path).status_code == 200

        guarded.command(f"{kind}s", "revoke", name)

        answer = wire.get(path)
    assert (answer.status_code, answer.text.strip()) == (403, words)


# --- sessions


def connected(
    van: EnrolledDevice, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", van.backend.port), timeout=10)
    return context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)


def told(line: ssl.SSLSocket) -> bytes:
    line.sendall(b"GET /fleet HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    return b"".join(iter(lambda: line.recv(65_536), b""))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_resumes_and_a_revoked_device_is_out_on_it(
    van: EnrolledDevice, version: ssl.TLSVersion
) -> None:
    """TLS verifies nothing again: the backend asks the database."""
    context = ssl.create_default_context(cafile=str(van.backend.ca_file))
    context.load_cert_chain(*van.identity.files)
    context.maximum_version = version
    with closing(connected(van, context)) as line:
        told(line)
        session = line.session

    with closing(connected(van, context, session)) as line:
        assert line.session_reused
        assert told(line).startswith(b"HTTP/1.1 200 ")
    van.backend.command("devices", "revoke", van.device_id)
    with closing(connected(van, context, session)) as line:
        assert line.session_reused
        answer = told(line)

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"certificate revoked: " in answer


# --- foreign certificates


def test_a_foreign_certificate_gets_the_alert_and_no_silence(van: EnrolledDevice) -> None:
    """The alert went unsent: the peer saw a line that was cut, as by a bad network."""
    key = signing.new_key()
    made = new_authority().issue(key.public_key(), van.device_id)

    with pytest.raises(OSError, match=r"(?i)alert unknown ca"):
        van.get(identity=kept(van.folder, van.device_id, made, key))


def test_a_certificate_of_the_ca_that_nobody_issued_is_unknown(
    van: EnrolledDevice, tmp_path: Path
) -> None:
    """The certificate may be of another database, or older than a restore of this one."""
    key, authority = signing.new_key(), Authority.of(van.backend.data / "ca")
    made = authority.tls(van.device_id, key.public_key(), datetime.now(UTC))

    answer = van.get(identity=kept(tmp_path, van.device_id, made, key))

    assert answer.status_code == 403
    assert answer.text.startswith("certificate unknown: ")


def test_an_evidence_certificate_opens_no_connection(van: EnrolledDevice, tmp_path: Path) -> None:
    answer = ask(
        van.backend,
        "evidence/simpleenroll",
        asked(van.device_id, van.maker.key),
        cert=van.identity.files,
    )
    made = kept(tmp_path, van.device_id, certificate_in(answer), van.maker.key)

    with pytest.raises(OSError, match=r"(?i)alert unsupported certificate"):
        van.get(identity=made)


# --- whose record it is


def test_an_upload_belongs_to_the_device_that_began_it(van: EnrolledDevice, tmp_path: Path) -> None:
    other = enrolled(van.backend, tmp_path, f"van-{uuid4()}")
    capture_id = new_id()
    content = record(van.maker, capture_id)
    van.wire().post(capture_id, content)

    with speaking_to(van.backend.base_url, van.backend.ca_file, other.files) as wire:
        statuses = [
            wire.head(capture_id).status_code,
            wire.patch(capture_id, 0, content).status_code,
            wire.post(capture_id, content, content).status_code,
        ]
        asked_for = wire.receipts(capture_id).json()

    assert statuses == [403, 403, 409]
    assert asked_for == {capture_id: None}
    assert van.wire().patch(capture_id, 0, content).status_code == 204


def test_another_device_does_not_even_cut_the_upload(van: EnrolledDevice, tmp_path: Path) -> None:
    """HEAD ends a request that still writes: only the owner's may."""
    other = enrolled(van.backend, tmp_path, f"van-{uuid4()}")
    capture_id = new_id()
    content = record(van.maker, capture_id)
    head = announce(capture_id, content)
    with begun_post(
        van.backend.port, van.backend.ca_file, head, content[:1000], van.identity.files
    ) as line:
        with speaking_to(van.backend.base_url, van.backend.ca_file, other.files) as wire:
            until(lambda: wire.head(capture_id).status_code != 404)  # it is being begun
            assert wire.head(capture_id).status_code == 403
        line.sendall(content[1000:])

        assert line.recv(100).startswith(b"HTTP/1.1 201 ")


def test_a_key_without_an_evidence_certificate_gets_403_and_no_refusal(
    guarded: Backend, tmp_path: Path
) -> None:
    """A signed refusal would let the device give the record up; it pauses, and keeps it."""
    maker = RecordMaker(device_id=f"van-{uuid4()}")
    identity = enrolled(guarded, tmp_path, maker.device_id)
    capture_id = new_id()
    content = record(maker, capture_id)

    with speaking_to(guarded.base_url, guarded.ca_file, identity.files) as wire:
        answers = [wire.post(capture_id, content, content), wire.receipts(capture_id)]
        offset = wire.head(capture_id).headers["Upload-Offset"]

        assert [answer.status_code for answer in answers] == [403, 403]
        assert all("no evidence certificate of" in answer.text for answer in answers)
        assert "Doorstep-Refusal" not in answers[0].headers
        assert offset == str(len(content))
        request = asked(maker.device_id, maker.key)
        assert ask(guarded, "evidence/simpleenroll", request, cert=identity.files).ok
        assert "receipt" in wire.receipts(capture_id).json()[capture_id]


def test_the_receipt_of_one_is_not_withheld_for_another(van: EnrolledDevice) -> None:
    wire = van.wire()
    stranger = RecordMaker(device_id=van.device_id)
    ids = [new_id(), new_id()]
    for maker, capture_id in zip((van.maker, stranger), ids, strict=True):
        content = record(maker, capture_id)
        wire.post(capture_id, content, content)

    answer = wire.receipts(*ids)

    assert answer.status_code == 200
    assert "receipt" in answer.json()[ids[0]]
    assert answer.json()[ids[1]] is None


def test_a_record_of_another_device_is_not_taken_in(van: EnrolledDevice) -> None:
    """Also not where its key has a certificate for that device."""
    maker = RecordMaker(device_id=f"van-{uuid4()}")
    enrolled(van.backend, van.folder, maker.device_id, maker.key)

    answer = van.send(van.wire(), maker)

    assert answer.status_code == 403
    assert "Doorstep-Refusal" not in answer.headers
    assert maker.device_id in answer.text


def test_a_second_signing_key_is_refused_until_the_office_says_that_there_is_one(
    van: EnrolledDevice,
) -> None:
    """An attacker who controls sync has the TLS key: it must not suffice to sign as the device."""
    body = asked(van.device_id, signing.new_key())
    refused = []

    refused.append(ask(van.backend, "evidence/simpleenroll", body, cert=van.identity.files))
    van.backend.command("devices", "add", van.device_id)
    refused.append(ask(van.backend, "evidence/simpleenroll", body, cert=van.identity.files))
    van.backend.command("devices", "add", "--new-signing-key", van.device_id)
    answer = ask(van.backend, "evidence/simpleenroll", body, cert=van.identity.files)

    assert [one.status_code for one in refused] == [403, 403]
    assert refused[0].text.startswith("this device has another signing key")
    assert answer.status_code == 200


def test_nobody_needs_a_certificate_without_identity(tmp_path: Path) -> None:
    with running_backend(tmp_path) as backend:
        with speaking_to(backend.base_url, backend.ca_file) as wire:
            answer = wire.get("/fleet")
        words = f"openssl s_client -connect 127.0.0.1:{backend.port}".split()
        shown = subprocess.run(words, input="", capture_output=True, text=True, check=False)

    assert answer.status_code == 200
    assert "No client certificate CA names sent" in shown.stdout
