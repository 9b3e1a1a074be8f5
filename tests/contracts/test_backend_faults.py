"""Lines that break, restarts, and the switches and counts that other tests build on."""

import hashlib
import socket
import ssl
import stat
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from agent.errors import NotGenuine
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend, running_backend
from tests.support.engines import received_bytes
from tests.support.factory import RecordMaker, new_id
from tests.support.network import FaultProxy, Line
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


@pytest.mark.parametrize("sent_bytes", [0, 1, 1000, 65_537, 200_000])
def test_cut_post_keeps_what_arrived(
    wire: Wire, backend: Backend, maker: RecordMaker, sent_bytes: int
) -> None:
    """HEAD tells the exact offset, and a PATCH from there completes the upload."""
    capture_id = new_id()
    content = record(maker, capture_id)
    with begun(backend, capture_id, content, sent_bytes) as line:
        line.shutdown(socket.SHUT_WR)
        read_to_the_end(line)

    stands(wire, capture_id, sent_bytes)
    answer = wire.patch(capture_id, sent_bytes, content[sent_bytes:])

    assert answer.status_code == 204
    assert "Doorstep-Receipt" in answer.headers


def test_what_came_before_a_cut_is_kept_though_nobody_had_asked_for_it(
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
def test_who_comes_second_at_an_offset_changes_nothing(
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
    """What is answered."""
    line.settimeout(10)
    line.sendall(rest)
    return line.recv(65_536).decode()


def stands(wire: Wire, capture_id: str, offset: int) -> None:
    """Once the backend has begun it, and seen that the line was cut, or a second later."""
    until(lambda: wire.head(capture_id).headers.get("Upload-Offset") == str(offset))


def test_silent_line_keeps_its_bytes(wire: Wire, backend: Backend, maker: RecordMaker) -> None:
    """A line that fell silent behind a relay is found out by HEAD on another connection."""
    capture_id = new_id()
    content = record(maker, capture_id)
    with FaultProxy(("127.0.0.1", backend.port)) as proxy:
        proxy.up = Line(silent_after_bytes=50_000)
        announced = announce(capture_id, content)
        with begun_post(proxy.port, backend.ca_file, announced, content[:100_000]):
            until(lambda: proxy.relayed_bytes["up"] == 50_000)
            offset = until(lambda: received_bytes(backend.data, capture_id))

    assert 30_000 < offset < 50_000
    assert wire.patch(capture_id, offset, content[offset:]).status_code == 204


def test_all_bytes_but_no_answer_is_completed_on_request(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    """Cut after the last byte: HEAD says complete, /receipts takes the record in."""
    capture_id = new_id()
    content = record(maker, capture_id)
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
            assert wire.post(forged, forgery, forgery).status_code == 422


def test_private_keys_are_the_owners_alone(backend: Backend) -> None:
    secret = ["ca/ca-key.pem", "ca/server-key.pem", "keys/receipt.pem"]

    modes = {stat.S_IMODE((backend.data / name).stat().st_mode) for name in secret}

    assert modes == {0o600}


def test_backend_without_switches_has_none(tmp_path: Path) -> None:
    with running_backend(tmp_path, switches=False) as backend:
        with pytest.raises(ValueError, match="404"):
            backend.set_switches(portal=True)
        with pytest.raises(ValueError, match="404"):
            backend.counts()


# --- switches


@pytest.mark.parametrize("status", [200, 204, 301, 304, 401, 404, 418, 423, 460, 500, 503, 599])
def test_any_status_can_be_forced(
    wire: Wire, backend: Backend, maker: RecordMaker, status: int
) -> None:
    """Answered after the body was read, so that the device sees it; nothing is stored."""
    capture_id = new_id()
    content = record(maker, capture_id)
    backend.set_switches(status=status, headers={"Retry-After": "7"}, times=1)

    answer = wire.post(capture_id, content, content)

    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")
    assert wire.head(capture_id).status_code == 404


@pytest.mark.parametrize("status", [101, 103, 199])
def test_interim_status_can_come_as_the_final_one(
    wire: Wire, backend: Backend, status: int
) -> None:
    backend.set_switches(status=status)

    assert wire.post(new_id(), b"content", b"content").status_code == status


def test_switch_concerns_chosen_methods_for_a_number_of_requests(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    capture_id = new_id()
    content = record(maker, capture_id)
    backend.set_switches(status=503, times=2, methods=["HEAD"])

    statuses = [wire.post(capture_id, content).status_code]
    statuses += [wire.head(capture_id).status_code for _ in range(3)]

    assert statuses == [201, 503, 503, 200]


def test_portal_answers_everything_with_html(wire: Wire, backend: Backend) -> None:
    """The bodies it swallows are counted: they crossed the air too."""
    backend.set_switches(portal=True)
    before = backend.counts().body_bytes

    answers = [wire.post(new_id(), PHOTO, PHOTO), wire.head(new_id()), wire.receipts(new_id())]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert {answer.headers["Content-Type"] for answer in answers} == {"text/html; charset=utf-8"}
    assert backend.counts().body_bytes - before > len(PHOTO)


def test_full_backend_answers_507_and_still_tells_offsets(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    capture_id = new_id()
    content = record(maker, capture_id)
    wire.post(capture_id, content)
    backend.set_switches(full=True)

    answers = [wire.post(new_id(), content, content), wire.patch(capture_id, 0, content)]

    assert [answer.status_code for answer in answers] == [507, 507]
    assert wire.head(capture_id).headers["Upload-Offset"] == "0"


def test_cut_keeps_exactly_the_bytes_before_it(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    """The line ends in a reset, as a lost one does: no TLS close, no answer."""
    capture_id = new_id()
    content = record(maker, capture_id)
    backend.set_switches(cut_after_bytes=100_001, times=1)
    line = begun(backend, capture_id, content, 100_001)
    with socket.socket(fileno=line.detach()) as below_tls, pytest.raises(ConnectionResetError):
        read_to_the_end(below_tls)

    stands(wire, capture_id, 100_001)


def test_silence_keeps_the_connection_and_answers_nothing(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    capture_id = new_id()
    content = record(maker, capture_id)
    backend.set_switches(silent_after_bytes=5, times=1)
    line = begun(backend, capture_id, content, 1000)
    line.settimeout(0.3)

    with pytest.raises(TimeoutError):
        line.recv(1)

    stands(wire, capture_id, 5)
    line.close()


def test_lost_answer_leaves_the_record_received(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    capture_id = new_id()
    content = record(maker, capture_id)
    backend.set_switches(lose_answer=True, times=1)
    with pytest.raises(requests.ConnectionError):
        wire.post(capture_id, content, content)

    assert Store(backend.data).received(capture_id) == content
    assert "receipt" in wire.receipts(capture_id).json()[capture_id]


def test_truncated_answer_ends_before_its_length(wire: Wire, backend: Backend) -> None:
    backend.set_switches(truncate_answer=True)

    with pytest.raises(requests.RequestException):
        wire.receipts(new_id())


def test_endless_answer_goes_on(wire: Wire, backend: Backend) -> None:
    backend.set_switches(endless_answer=True)
    url = f"{backend.base_url}/receipts"

    with wire.session.post(url, json={}, stream=True, timeout=10) as answer:
        read_bytes = sum(len(chunk) for chunk in islice(answer.iter_content(65_536), 50))

    assert read_bytes > 1_000_000


def test_delay_comes_before_the_answer(wire: Wire, backend: Backend) -> None:
    backend.set_switches(delay_s=0.2)

    assert wire.head(new_id()).elapsed.total_seconds() >= 0.2


def test_forget_loses_partial_and_finished_uploads(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    done, partial = new_id(), new_id()
    content = record(maker, done)
    wire.post(done, content, content)
    wire.post(partial, content)
    backend.set_switches(forget=True)

    assert [wire.head(one).status_code for one in (done, partial)] == [404, 404]
    assert wire.receipts(done).json() == {done: None}
    assert wire.post(done, content, content).status_code == 201


def test_receipt_can_be_missing_from_the_answer(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    capture_id = new_id()
    content = record(maker, capture_id)
    backend.set_switches(receipt="none")

    answer = wire.post(capture_id, content, content)

    assert answer.status_code == 201
    assert "Doorstep-Receipt" not in answer.headers
    assert "receipt" in wire.receipts(capture_id).json()[capture_id]


@pytest.mark.parametrize(
    ("mode", "wrong"), [("other_id", "capture_id"), ("other_digest", "sha256")]
)
def test_receipt_can_be_for_something_else(
    wire: Wire, backend: Backend, maker: RecordMaker, mode: str, wrong: str
) -> None:
    """Signed with the right key, as a replayed receipt is."""
    capture_id = new_id()
    content = record(maker, capture_id)
    backend.set_switches(receipt=mode)

    jws = wire.post(capture_id, content, content).headers["Doorstep-Receipt"]

    right = {"capture_id": capture_id, "sha256": announced_digest(content)}
    told = wire.receipts(capture_id).json()[capture_id]["receipt"]
    for one in (jws, told):
        assert proven(backend.receipt_key_file, one)[wrong] != right[wrong]


def announced_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("mode", ["other_key", "garbage"])
def test_receipt_can_be_one_that_does_not_verify(
    wire: Wire, backend: Backend, maker: RecordMaker, mode: str
) -> None:
    capture_id = new_id()
    content = record(maker, capture_id)
    backend.set_switches(receipt=mode)

    jws = wire.post(capture_id, content, content).headers["Doorstep-Receipt"]

    with pytest.raises(NotGenuine):
        proven(backend.receipt_key_file, jws)


def test_receipts_can_be_unknown(wire: Wire, backend: Backend, maker: RecordMaker) -> None:
    capture_id = new_id()
    content = record(maker, capture_id)
    wire.post(capture_id, content, content)
    backend.set_switches(receipts_null=True)

    assert wire.receipts(capture_id).json() == {capture_id: None}


def test_people_and_probes_are_spared_the_faults_and_counts(backend: Backend) -> None:
    backend.set_switches(portal=True)
    before = backend.counts()

    with requests.Session() as session:
        session.trust_env, session.verify = False, str(backend.ca_file)
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


def test_counts_are_the_devices_alone(tmp_path: Path, maker: RecordMaker) -> None:
    """One session is one handshake, whatever the test itself asks on its own connections."""
    capture_id = new_id()
    content = record(maker, capture_id)
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
