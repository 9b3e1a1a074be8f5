"""Requests of a stranger on the network, and the backend's limits."""

import os
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from doorstep_backend.pages.accounts import Account
from tests.support.backend import Backend, run_to_end, running_backend
from tests.support.factory import RecordMaker, new_id
from tests.support.people import browser, sign_in
from tests.support.wire import Wire, record, speaking_to
from tests.support.wire import tls_line as connected_by_tls

MB = 1_000_000


def plain_line(backend: Backend, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", backend.port), 10, (source, 0))


def tls_line(backend: Backend, source: str = "127.0.0.1") -> ssl.SSLSocket:
    return connected_by_tls(backend.port, backend.ca_file, source=source)


def head(request_line: str, **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    return "\r\n".join([f"{request_line} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def status(line: socket.socket) -> int:
    """Return the status of the answer on this connection."""
    answer = bytearray()
    while b"\r\n" not in answer:
        chunk = line.recv(4096)
        assert chunk, "ended without an answer"
        answer += chunk
    return int(answer.split(b" ")[1])


# --- POST /receipts


def test_id_that_comes_a_hundred_times_is_looked_at_once(wire: Wire, backend: Backend) -> None:
    """A refused record is judged again at each request: 32 MB each time."""
    capture_id = new_id()
    wire.post(capture_id, b"no record", b"no record")
    before = backend.log().count(f"verdict=damaged capture_id={capture_id}")

    answer = wire.receipts(*[capture_id] * 100)

    assert (answer.status_code, list(answer.json())) == (200, [capture_id])
    assert backend.log().count(f"verdict=damaged capture_id={capture_id}") == before + 1


@pytest.mark.parametrize(
    "announced", [{"Content_Length": "300000000"}, {"Transfer_Encoding": "chunked"}]
)
def test_a_question_of_300_mb_is_413_and_is_not_read(
    backend: Backend, announced: dict[str, str]
) -> None:
    """Answered after 16 KiB; then it is cut off, long before its end."""
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with tls_line(backend) as line:
        line.sendall(head("POST /receipts", **announced) + piece)

        assert status(line) == 413

        assert sent_on(line, piece, 300 * MB) < 20 * MB


def sent_on(line: socket.socket, piece: bytes, most: int) -> int:
    """Return the number of bytes sent until the other side ends it, or `most`."""
    sent = 0
    with suppress(OSError):
        while sent < most:
            line.sendall(piece)
            sent += len(piece)
    return sent


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 16_000,
        b'{"capture_ids":' + b"[" * 16_000,
        b'{"capture_ids": ["a"], "capture_ids": []}',
        b"[]",
        b"null",
        b'"capture_ids"',
        b"{}",
        b'{"capture_ids": null}',
        b'{"capture_ids": "71c344a4-afa0-4039-9d15-c737886a3e43"}',
        b'{"capture_ids": {"71c344a4-afa0-4039-9d15-c737886a3e43": 1}}',
        b'{"capture_ids": [1]}',
        b'{"capture_ids": [["71c344a4-afa0-4039-9d15-c737886a3e43"]]}',
        b'{"capture_ids": [null]}',
        b'{"capture_ids": ["\\ud800"]}',
        b'{"capture_ids": ["' + b"7" * 5000 + b'"]}',
        b'{"capture_ids": [' + b"7" * 5000 + b"]}",
        b"\xff\xfe",
        b"\x00",
        b"",
    ],
)
def test_a_question_of_another_shape_is_400(wire: Wire, body: bytes) -> None:
    answer = wire.session.post(f"{wire.base_url}/receipts", data=body, timeout=10)

    assert answer.status_code == 400


# --- files


def test_kept_files_are_their_owners_alone(tmp_path: Path, maker: RecordMaker) -> None:
    """At any umask of the user who starts it; the log is the starter's."""
    before = os.umask(0o022)
    try:
        with (
            running_backend(tmp_path / "backend") as backend,
            speaking_to(backend.base_url, backend.ca_file) as wire,
        ):
            content = record(maker, capture_id := new_id())
            wire.post(capture_id, content, content)
            wire.post(new_id(), content)
            kept = [backend.data, *backend.data.rglob("*")]
            modes = {str(path): path.stat().st_mode & 0o777 for path in kept}
    finally:
        os.umask(before)

    modes.pop(str(backend.data / "backend.log"))
    assert len(modes) > 15
    assert {path: oct(mode) for path, mode in modes.items() if mode not in {0o600, 0o700}} == {}


# --- accounts


@pytest.mark.slow
def test_an_account_is_made_changed_and_ended_while_the_backend_serves(alone: Backend) -> None:
    """Each change ends its sessions at the next page."""

    def command(*words: str, password: str = "") -> str:
        ran = run_to_end(alone.data, *words, given=password)
        return ran.stdout or f"{ran.returncode}: {ran.stderr}"

    def signed_in(password: str) -> Callable[[], bool]:
        """Sign in; returns what asks whether it still holds."""
        session = kept.enter_context(browser(alone))
        sign_in(session, alone.base_url, alone.base_url, Account("agent", "18", password))
        url = f"{alone.base_url}/pages/service"
        return lambda: session.get(url, allow_redirects=False, timeout=10).status_code == 200

    with ExitStack() as kept:
        assert command("account", "agent", "18", password="walnut\n").startswith("1: a password is")
        assert not signed_in("walnut")()
        assert "account 18: agent" in command("account", "agent", "18", password="walnut-17\n")
        first = signed_in("walnut-17")
        assert first()
        assert "new password" in command("account", "agent", "18", password="heron-1234\n")
        second = signed_in("heron-1234")
        assert (first(), second()) == (False, True)
        assert "removed" in command("remove-account", "18")
        assert not second()
        assert command("remove-account", "18").startswith("1: there is no account 18")


# --- headers


def test_every_answer_asks_for_https_for_a_year(wire: Wire, backend: Backend) -> None:
    ask = wire.session.request
    answers = [
        wire.head(new_id()),
        wire.receipts(new_id()),
        wire.post(new_id(), b"no record", b"no record"),
        ask("GET", f"{backend.base_url}/manifest", timeout=10),
        ask("GET", f"{backend.base_url}/nowhere", timeout=10),
        ask("DELETE", f"{backend.base_url}/files", timeout=10),
        ask("GET", f"{backend.base_url}/pages/sign-in", timeout=10),
    ]

    said = {answer.headers.get("Strict-Transport-Security") for answer in answers}
    assert said == {"max-age=31536000"}


# --- odd requests


@pytest.mark.parametrize(
    "odd",
    [
        "PRI * HTTP/2.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET //x/pages HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /pages/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET https://y/pages/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: " + "a" * 100_000,
    ],
)
def test_an_odd_request_is_no_servers_error(backend: Backend, odd: str) -> None:
    with tls_line(backend) as line:
        with suppress(OSError):  # it may be refused before all of it is sent
            line.sendall(odd.encode())

        assert 400 <= status(line) < 500


def test_a_body_with_two_lengths_ends_its_connection(backend: Backend) -> None:
    """Bytes that a proxy took for the body could be another client's next request here."""
    both = {"Content_Length": "5", "Transfer_Encoding": "chunked"}
    smuggled = head("POST /receipts", Content_Length="2") + b"{}"
    with tls_line(backend) as line:
        line.sendall(head("POST /receipts", **both) + b"0\r\n\r\n" + smuggled)
        answers = b"".join(iter(partial(line.recv, 4096), b""))

    assert answers.count(b"HTTP/1.1 ") == 1


def test_each_request_has_its_own_limits_also_when_it_comes_with_the_end_of_the_last(
    backend: Backend,
) -> None:
    """Each is answered early, and the rest of its 5 MB thrown away; together they are too much."""
    one = head("POST /nowhere", Content_Length="5000000") + bytes(5_000_000)
    with tls_line(backend) as line:
        line.sendall(one * 3 + head("GET /nowhere", Connection="close"))
        answers = b"".join(iter(partial(line.recv, 4096), b""))

    assert answers.count(b"HTTP/1.1 404") == 4


# --- connections


@pytest.mark.parametrize("line", [plain_line, tls_line])
def test_four_addresses_that_take_all_connections_shut_no_device_out(
    alone: Backend, maker: RecordMaker, line: Callable[[Backend, str], socket.socket]
) -> None:
    """Before TLS and after it: who waits longest makes room."""
    with ExitStack() as crowd:
        for number in range(440):
            with suppress(OSError):
                crowd.enter_context(line(alone, f"127.0.0.{2 + number % 4}"))
        with speaking_to(alone.base_url, alone.ca_file) as wire:
            content = record(maker, capture_id := new_id())

            assert wire.post(capture_id, content, content).status_code == 201


def test_strangers_do_not_make_the_log_grow(alone: Backend) -> None:
    """A garbled request, one to upgrade, a cut body, and what is no TLS at all."""
    upgrade = head("GET /pages/", Connection="upgrade", Upgrade="websocket")
    cut = head("POST /receipts", Content_Length="1000") + b"{"
    before = len(alone.log())

    for sent in (b"garbage\r\n\r\n", upgrade, cut, head("GET /pages/", X="a" * 20_000)):
        for _ in range(30):
            with tls_line(alone) as line:
                line.sendall(sent)
                line.unwrap() if sent is cut else line.recv(1)
    for _ in range(30):
        with plain_line(alone) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.recv(1)

    assert len(alone.log()) - before < 2000
