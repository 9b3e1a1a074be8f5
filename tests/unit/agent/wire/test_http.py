"""The HTTP door: whatever the other end does, an Answer or NoAnswer comes out, and in time."""

import gc
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from agent.config import BackendSettings
from agent.errors import ConfigError
from agent.status.troubles import Trouble
from agent.wire.http import ANSWER_LIMIT_BYTES, Backend, Limits, NoAnswer
from agent.wire.tus import Answer
from tests.support.network import FaultProxy, Line
from tests.support.rawserver import RawServer, head, raw_server, whole
from tests.support.sending import QUICK
from tests.support.waiting import until

IMPATIENT = Limits(connect_s=2.0, read_s=10.0, progress_s=0.3, attempt_s=0.8)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    with raw_server(tmp_path) as running:
        yield running


@pytest.fixture
def backend(server: RawServer) -> Iterator[Backend]:
    with closing(open_backend(server)) as opened:
        yield opened


@pytest.fixture
def impatient(server: RawServer) -> Iterator[Backend]:
    """A backend that is given up soon."""
    with closing(open_backend(server, IMPATIENT)) as opened:
        yield opened


def open_backend(server: RawServer, limits: Limits = QUICK, url: str | None = None) -> Backend:
    settings = BackendSettings(url or server.base_url, (), server.ca_file)
    return Backend(settings, limits)


def post(backend: Backend, content: bytes = b"x") -> Answer:
    with backend.attempt():
        return backend.create(len(content), "capture_id eA==", content)


def failure(backend: Backend, content: bytes = b"x") -> NoAnswer:
    with pytest.raises(NoAnswer) as raised:
        post(backend, content)
    return raised.value


def duration_s(backend: Backend, content: bytes = b"x") -> float:
    """Return the time until the client reports that there is no answer, s."""
    start_s = time.monotonic()
    failure(backend, content)
    return time.monotonic() - start_s


# --- one session


def test_environment_changes_nothing(
    server: RawServer, backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """REQUESTS_CA_BUNDLE would override the configured trust, a proxy or netrc add to it."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/etc/passwd")
    server.script = lambda _: whole(204)

    assert post(backend).status == 204
    assert "authorization" not in server.requests[0].headers


def test_configured_ca_replaces_all_others(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither the environment's certificates nor those of requests are trusted beside it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(server.ca_file))
    (tmp_path / "other").mkdir()

    with (
        raw_server(tmp_path / "other") as other,
        closing(open_backend(other, url=server.base_url)) as backend,
    ):
        error = failure(backend)

    assert re.search("certificate does not verify.*clock", str(error))
    assert error.blocked_reason is Trouble.CERTIFICATE
    assert server.requests == []


def test_system_certificates_count_without_a_configured_ca(server: RawServer) -> None:
    with closing(Backend(BackendSettings(server.base_url, ()), QUICK)) as backend:
        assert "certificate does not verify" in str(failure(backend))


def test_name_in_the_certificate_must_be_the_backends(server: RawServer) -> None:
    url = server.base_url.replace("127.0.0.1", "localhost")

    with closing(open_backend(server, url=url)) as backend:
        assert "certificate does not verify" in str(failure(backend))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_unreadable_ca_is_a_configuration_error(tmp_path: Path, content: str | None) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)

    with pytest.raises(ConfigError, match=r"backend\.ca: .*ca\.pem: cannot be read"):
        Backend(BackendSettings("https://127.0.0.1", (), ca))


def test_answers_leave_nothing_behind(server: RawServer, backend: Backend) -> None:
    """A captive portal's cookie is not carried to the backend."""
    server.script = lambda _: whole(200, Set_Cookie="portal=1; Path=/")

    post(backend)
    post(backend)

    assert "cookie" not in server.requests[1].headers
    assert server.requests[1].headers["user-agent"].startswith("doorstep/")
    assert server.requests[1].headers["accept-encoding"] == "identity"


def test_redirects_stay_where_they_are(server: RawServer, backend: Backend) -> None:
    """Neither followed nor read to their end, nor decoded: requests does all three."""
    server.script = lambda _: endless(head(302, Location="https://\xff\xfe.example/"))

    assert post(backend).status == 302
    assert len(server.requests) == 1


def test_question_by_head_keeps_the_connection(server: RawServer, backend: Backend) -> None:
    """No body is expected: the Content-Length is a GET's. Source: RFC 9110 section 9.3.2."""
    server.script = lambda _: [head(200, Content_Length=500)]
    with backend.attempt():
        asked = backend.offset(f"{backend.base}/files/x")

    server.script = lambda _: whole(204)
    assert (asked.status, post(backend).status) == (200, 204)
    assert server.connections == 1


def test_peer_learns_at_once_that_a_connection_is_over(server: RawServer, backend: Backend) -> None:
    """The stall limit's own handle on the socket does not keep it open."""
    server.script = lambda _: whole(200, Connection="close")

    post(backend)

    assert until(lambda: server.ended, within_s=2) == 1


# --- limits


def endless(first: bytes, piece: bytes = bytes(16_384)) -> Iterator[bytes]:
    yield first
    while True:
        yield piece


def drip(content: bytes) -> Iterator[bytes]:
    for index in range(len(content)):
        yield content[index : index + 1]
        time.sleep(0.1)


def test_endless_body_is_cut_off(server: RawServer, backend: Backend) -> None:
    server.script = lambda _: endless(head(200))

    assert len(post(backend).body) == ANSWER_LIMIT_BYTES


@pytest.mark.parametrize("piece", [b"A: b\r\n", b"x" * 1000, b"HTTP/1.1 100 \r\n\r\n"])
def test_endless_head_is_no_answer(server: RawServer, impatient: Backend, piece: bytes) -> None:
    server.script = lambda _: endless(b"HTTP/1.1 200 OK\r\n" if piece[:1] != b"H" else b"", piece)

    assert duration_s(impatient) < 2


def test_compressed_answer_is_not_unpacked(server: RawServer, backend: Backend) -> None:
    server.script = lambda _: whole(200, b"\x1f\x8b garbage", Content_Encoding="gzip")

    assert post(backend).body == b"\x1f\x8b garbage"


def test_dripping_head_is_ended_by_the_stall_limit(server: RawServer, impatient: Backend) -> None:
    """No read of it ever times out."""
    server.script = lambda _: drip(head(200, X="y" * 100))

    assert 0.2 < duration_s(impatient) < 0.7


def test_dripping_body_is_ended_with_the_attempt(server: RawServer, impatient: Backend) -> None:
    server.script = lambda _: drip_after(head(200, Content_Length=500))

    assert 0.7 < duration_s(impatient) < 3.0  # all of it takes 4 s


def drip_after(first: bytes) -> Iterator[bytes]:
    yield first
    yield from drip(b"x" * 40)


def drip_once(seconds: float) -> Iterator[bytes]:
    time.sleep(seconds)
    yield from whole(200)


def test_stall_ends_the_attempt_and_not_the_next(server: RawServer, impatient: Backend) -> None:
    server.script = lambda _: drip_once(0.8)
    with impatient.attempt():
        for _ in range(2):
            with pytest.raises(NoAnswer, match=r"no byte went out or came in for 0\.3 s"):
                impatient.offset(f"{impatient.base}/files/x")
    assert len(server.requests) == 1

    server.script = lambda _: whole(204)
    assert post(impatient).status == 204


def test_peer_that_takes_nothing_is_ended(server: RawServer) -> None:
    port = int(server.base_url.rpartition(":")[2])
    with FaultProxy(("127.0.0.1", port)) as proxy:
        proxy.up = Line(silent_after_bytes=5000)
        url = f"https://127.0.0.1:{proxy.port}"

        with closing(open_backend(server, IMPATIENT, url)) as backend:
            assert duration_s(backend, bytes(8_000_000)) < 1.5


def test_peer_that_never_shakes_hands_is_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        settings = BackendSettings(f"https://127.0.0.1:{deaf.getsockname()[1]}", ())

        with closing(Backend(settings, IMPATIENT)) as backend:
            start_s = time.monotonic()
            assert failure(backend).blocked_reason is Trouble.NO_NETWORK
            assert time.monotonic() - start_s < 0.7


@pytest.mark.slow
def test_slow_line_that_moves_is_not_ended(server: RawServer) -> None:
    """Pieces count as sent when they are sent, not when the kernel has taken megabytes."""
    server.script = lambda _: whole(204)
    port = int(server.base_url.rpartition(":")[2])
    with FaultProxy(("127.0.0.1", port)) as proxy:
        proxy.up = Line(rate_bytes_per_s=4_000_000)
        limits = Limits(connect_s=2.0, read_s=0.5, progress_s=0.5, attempt_s=20.0)

        with closing(open_backend(server, limits, f"https://127.0.0.1:{proxy.port}")) as backend:
            assert post(backend, bytes(8_000_000)).status == 204


def test_interrupt_ends_what_runs_and_what_comes(server: RawServer, backend: Backend) -> None:
    server.script = lambda _: drip_once(0.8)
    stopping = threading.Timer(0.1, backend.interrupt)
    stopping.start()

    assert duration_s(backend) < 0.7
    assert duration_s(backend) < 0.1
    stopping.join()


# --- garbage


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x00" * 100,
        b"\xff\xfe\xfd",
        b"<html>hello</html>\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 -20 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"SSH-2.0-OpenSSH\r\n",
    ],
)
def test_garbage_is_no_answer(server: RawServer, backend: Backend, garbage: bytes) -> None:
    """A socket that urllib3 keeps of an answer that it refuses would be a warning, so a failure."""
    server.script = lambda _: closing_after(garbage)
    gc.freeze()  # so that the collection looks at this test's objects alone

    assert 0 < len(str(failure(backend))) < 300
    gc.collect()
    gc.unfreeze()
    server.script = lambda _: whole(204)
    assert post(backend).status == 204


def status_or_none(backend: Backend) -> int:
    """The status that was read; 100, which is never one, for NoAnswer."""
    try:
        return post(backend).status
    except NoAnswer:
        return 100


def closing_after(garbage: bytes) -> Iterator[bytes]:
    yield garbage
    raise ConnectionAbortedError("the script is over")


@pytest.mark.parametrize(
    "odd",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 \xff\xfe\r\nX: \xff\r\nno colon\r\n: empty\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nold",
        b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 204 OK\r\nContent-Length: 50\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nSet-Cookie: \xff=\x01\r\n\r\n",
    ],
)
def test_odd_answers_are_answers_or_none(server: RawServer, backend: Backend, odd: bytes) -> None:
    server.script = lambda _: closing_after(odd)

    assert 100 <= status_or_none(backend) <= 999
    server.script = lambda _: whole(204)
    assert post(backend).status == 204


def test_answer_after_a_1xx_is_not_taken_for_the_next(server: RawServer, backend: Backend) -> None:
    """Later bytes on that connection answer an earlier request, so they are not read."""
    server.script = lambda _: [head(103)]
    assert post(backend).status == 103

    server.script = lambda _: whole(404)
    assert post(backend).status == 404
    assert server.connections == 2


def test_missing_backend_is_reported_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"

    with closing(Backend(BackendSettings(url, ()), QUICK)) as backend:
        error = failure(backend)

    assert str(error) == "the connection failed: Connection refused"
    assert error.blocked_reason is Trouble.NO_NETWORK


def test_unknown_name_is_reported_in_words() -> None:
    with closing(Backend(BackendSettings("https://backend.invalid", ()), QUICK)) as backend:
        error = failure(backend)

    assert "name is not found" in str(error)
    assert error.blocked_reason is Trouble.NO_NETWORK


@pytest.mark.parametrize(
    ("says", "words", "blocked_reason"),
    [
        (b"HTTP/1.1 302 Found\r\n\r\n", "the connection failed: ", Trouble.NO_ANSWER),
        (bytes(50), "the connection failed: ", Trouble.NO_ANSWER),
        (b"", "the connection was cut", Trouble.NO_NETWORK),
    ],
)
def test_answer_without_tls_is_no_answer_and_a_cut_no_network(
    says: bytes, words: str, blocked_reason: Trouble
) -> None:
    """A captive portal answers on the backend's port, but not as a TLS server does."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        pool.submit(say_once, listener, says)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        with closing(Backend(BackendSettings(url, ()), QUICK)) as backend:
            error = failure(backend)

    assert str(error).startswith(words)
    assert error.blocked_reason is blocked_reason


def say_once(listener: socket.socket, says: bytes) -> None:
    listener.settimeout(5)
    line, _ = listener.accept()
    with line:
        line.recv(4096)
        line.sendall(says)
