"""Lines that break, restarts, and the switches and counts that other tests build on."""

import socket
import ssl
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from doorstep_backend.wire.store import Store
from tests.support.backend import Backend, running_backend
from tests.support.factory import RecordMaker, new_id
from tests.support.people import browser
from tests.support.waiting import until
from tests.support.wire import (
    PHOTO,
    Wire,
    announce,
    begun_post,
    proven,
    record,
    speaking_to,
)

# --- lines that break


def begun(backend: Backend, capture_id: str, content: bytes, sent_bytes: int) -> ssl.SSLSocket:
    announced = announce(capture_id, content)
    return begun_post(backend.port, backend.ca_file, announced, content[:sent_bytes])


@pytest.mark.parametrize("sent_bytes", [0, 1, 65_537, 200_000])
def test_cut_post_keeps_what_arrived(
    wire: Wire, backend: Backend, capture_id: str, content: bytes, sent_bytes: int
) -> None:
    """HEAD tells the exact offset, and a PATCH from there completes the upload."""
    with begun(backend, capture_id, content, sent_bytes) as line:
        line.shutdown(socket.SHUT_WR)
        read_to_the_end(line)

    stands(wire, capture_id, sent_bytes)
    answer = wire.patch(capture_id, sent_bytes, content[sent_bytes:])

    assert answer.status_code == 204
    assert "Doorstep-Receipt" in answer.headers


def test_bytes_before_a_cut_are_kept_though_nobody_had_asked_for_them(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    """As where the database is slow: the cut is seen before what came is read."""
    capture_id = new_id()
    backend.set_switches(delay_s=0.3, times=1)
    with begun(backend, capture_id, record(maker, capture_id), 1000) as line:
        line.shutdown(socket.SHUT_WR)
        read_to_the_end(line)

    stands(wire, capture_id, 1000)


def read_to_the_end(line: socket.socket) -> None:
    while line.recv(65_536):
        pass


@pytest.mark.parametrize(("photo", "told"), [(PHOTO, "201"), (PHOTO * 5, "409")])
def test_second_client_at_an_offset_changes_nothing(
    wire: Wire, backend: Backend, maker: RecordMaker, photo: bytes, told: str
) -> None:
    """HEAD and PATCH go on while an old request dangles; a whole record has the same receipt."""
    capture_id = new_id()
    content = record(maker, capture_id, photo)
    with begun(backend, capture_id, content, 0) as line:
        until(lambda: wire.head(capture_id).status_code == 200)

        receipt = wire.patch(capture_id, 0, content).headers["Doorstep-Receipt"]
        answer = rest_sent(line, content).lower()

    assert answer.startswith(f"http/1.1 {told} ")
    assert f"upload-offset: {len(content)}\r\n" in answer
    assert (receipt.lower() in answer) == (told == "201")
    assert Store(backend.data).received(capture_id) == content
    assert wire.receipts(capture_id).json()[capture_id] == {"receipt": receipt}


def rest_sent(line: ssl.SSLSocket, rest: bytes) -> str:
    """The expected answers."""
    line.settimeout(10)
    line.sendall(rest)
    return line.recv(65_536).decode()


def stands(wire: Wire, capture_id: str, offset: int) -> None:
    """Once the backend has begun it, and seen that the line was cut, or a second later."""
    until(lambda: wire.head(capture_id).headers.get("Upload-Offset") == str(offset))


def test_all_bytes_but_no_answer_is_completed_on_request(
    wire: Wire, backend: Backend, capture_id: str, content: bytes
) -> None:
    """Cut after the last byte: HEAD says complete, /receipts takes the record in."""
    backend.set_switches(cut_after_bytes=len(content), times=1)
    with pytest.raises(requests.ConnectionError):
        wire.post(capture_id, content, content)
    stands(wire, capture_id, len(content))

    found = wire.receipts(capture_id).json()

    assert proven(backend.receipt_key_file, found[capture_id]["receipt"])["bytes"] == len(content)


# --- restarts


def test_everything_survives_kill_9(tmp_path: Path, maker: RecordMaker) -> None:
    """CA, receipt key, partial uploads, receipts and pins are the same afterwards."""
    done, partial, forged = new_id(), new_id(), new_id()
    content, unfinished = record(maker, done), record(maker, partial)
    forgery = record(RecordMaker(device_id=maker.device_id), forged)
    with running_backend(tmp_path) as backend:
        with speaking_to(backend.base_url, backend.ca_file) as wire:
            receipt = wire.post(done, content, content).headers["Doorstep-Receipt"]
            wire.post(partial, unfinished)
            wire.patch(partial, 0, unfinished[:1234])
        backend.kill()
        backend.start()

        with speaking_to(backend.base_url, backend.ca_file) as wire:
            assert wire.receipts(done).json()[done] == {"receipt": receipt}
            assert wire.head(partial).headers["Upload-Offset"] == "1234"
            assert wire.patch(partial, 1234, unfinished[1234:]).status_code == 204
            refused = wire.post(forged, forgery, forgery).headers["Doorstep-Refusal"]
            assert proven(backend.receipt_key_file, refused)["reason"] == "unknown_key"


# --- switches


@pytest.mark.parametrize("status", [101, 199, 200, 304, 401, 503, 599])
def test_any_status_can_be_forced(
    wire: Wire, backend: Backend, capture_id: str, content: bytes, status: int
) -> None:
    """The answer comes after the body was read, so that the device sees it; nothing is stored."""
    backend.set_switches(status=status, headers={"Retry-After": "7"}, times=1)

    answer = wire.post(capture_id, content, content)

    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == ("7" if status >= 200 else None)
    wire.session.close()  # the server ends a connection after a status below 200
    assert wire.head(capture_id).status_code == 404


def test_answer_can_end_too_early_or_never(wire: Wire, backend: Backend) -> None:
    url = f"{wire.base_url}/receipts"
    backend.set_switches(truncate_answer=True)
    with pytest.raises(requests.RequestException):
        wire.receipts(new_id())

    backend.set_switches(endless_answer=True)
    with wire.session.post(url, json={}, stream=True, timeout=10) as answer:
        read_bytes = sum(len(chunk) for chunk in islice(answer.iter_content(65_536), 50))

    assert read_bytes > 1_000_000


def test_switch_concerns_chosen_methods_for_a_number_of_requests(
    wire: Wire, backend: Backend, capture_id: str, content: bytes
) -> None:
    backend.set_switches(status=503, times=2, methods=["HEAD"])

    statuses = [wire.post(capture_id, content).status_code]
    statuses += [wire.head(capture_id).status_code for _ in range(3)]

    assert statuses == [201, 503, 503, 200]


def test_delay_comes_before_the_answer(wire: Wire, backend: Backend) -> None:
    backend.set_switches(delay_s=0.2)

    assert wire.head(new_id()).elapsed.total_seconds() >= 0.2


def test_people_and_probes_are_spared_the_faults_and_counts(backend: Backend) -> None:
    backend.set_switches(portal=True)
    before = backend.counts()

    with browser(backend) as session:
        paths = ("/pages/sign-in", "/healthz")
        person, probe = [session.get(backend.base_url + one, timeout=10).text for one in paths]
        assert "Sign in" in person
        assert probe == "ok\n"
        assert backend.counts() == before
        assert "accept our terms" in session.get(f"{backend.base_url}/manifest", timeout=10).text


@pytest.mark.parametrize("switches", [{"portall": True}, {"receipt": "wrong"}])
def test_switch_that_does_not_exist_is_an_error(backend: Backend, switches: dict[str, Any]) -> None:
    """A misspelt switch would make a test pass that tests nothing."""
    with pytest.raises(ValueError, match="400"):
        backend.set_switches(**switches)


# --- counts


def test_counts_are_the_devices_alone(tmp_path: Path, capture_id: str, content: bytes) -> None:
    """A session is one handshake; the test's own connections do not count."""
    with (
        running_backend(tmp_path) as backend,
        speaking_to(backend.base_url, backend.ca_file) as wire,
    ):
        wire.post(capture_id, content, content)
        backend.counts()
        wire.head(capture_id)

        counted = backend.counts()

    assert counted.requests == 2
    assert counted.handshakes == 1
    assert counted.body_bytes == len(content)
    assert counted.by_method == {"POST /files": 1, "HEAD /files": 1}
