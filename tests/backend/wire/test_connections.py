"""Limits of silent and slow connections: the pure rules, and once through a real server."""

import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from doorstep_backend.wire import connection_timeouts, connections, loglines, loop
from doorstep_backend.wire.connection_timeouts import ConnectionTimeouts, Phase
from doorstep_backend.wire.listener import ConnectionLimits, Listener
from tests.support.live_pages import Live, live_pages

FORM = b"POST /pages/sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nwho="
HALF_A_HEAD = b"GET /pages/sign-in HTTP/1.1\r\nHost"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Live]:
    """Run a backend whose limits of 15 and 60 s are half a second."""
    monkeypatch.setattr(connection_timeouts, "HEAD_S", 0.5)
    monkeypatch.setattr(connection_timeouts, "BODY_S", 0.5)
    monkeypatch.setattr(loop, "HANDSHAKE_S", 0.5)
    monkeypatch.setattr(connections, "LOOK_S", 0.05)
    with live_pages(tmp_path) as live:
        yield live


def plain_line(live: Live) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(live.url.rpartition(":")[2])), timeout=5)


def tls_line(live: Live) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(live.ca_file))
    return context.wrap_socket(plain_line(live), server_hostname="127.0.0.1")


def is_ended(line: socket.socket) -> bool:
    """Return True if the other side ends it within the 5 s of its timeout."""
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_a_connection_that_says_nothing_is_ended(hasty: Live) -> None:
    with plain_line(hasty) as silent, tls_line(hasty) as idle:
        assert is_ended(silent)
        assert is_ended(idle)


@pytest.mark.parametrize("sent", [HALF_A_HEAD, FORM], ids=["head", "body"])
def test_half_a_request_is_ended_while_others_are_answered(hasty: Live, sent: bytes) -> None:
    with tls_line(hasty) as line:
        line.sendall(sent)

        assert hasty.browser().get("/sign-in").status_code == 200
        assert is_ended(line)


def test_a_kept_connection_may_ask_again_after_the_time_for_a_head(hasty: Live) -> None:
    with closing(HTTPConnection("127.0.0.1")) as kept, tls_line(hasty) as line:
        kept.sock, kept.auto_open = line, 0  # it connects to nothing else
        for _ in range(3):
            kept.request("GET", "/pages/sign-in")
            answer = kept.getresponse()
            answer.read()
            assert answer.status == 200
            time.sleep(0.6)  # longer than HEAD_S


def test_connections_that_browsers_keep_shut_out_no_other(unchanged: Live) -> None:
    for _ in range(250):
        assert unchanged.browser().ask("GET", "/pages/style.css").status_code == 200


def test_longest_waiting_connection_makes_room_for_a_new_one(
    hasty: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that keeps connections open does not keep other clients out."""
    monkeypatch.setattr(connection_timeouts, "HEAD_S", 60)
    monkeypatch.setattr(connections, "MOST_WAITING", 2)
    with tls_line(hasty) as first, tls_line(hasty) as second, tls_line(hasty) as third:
        assert is_ended(first)

        for line in (second, third):
            line.sendall(b"GET /pages/sign-in HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(15) == b"HTTP/1.1 200 OK"


def test_connection_kept_by_a_proxy_makes_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy's connections serve everybody, and the longest waiting one is used again too."""
    monkeypatch.setattr(connections, "MOST_WAITING", 2)
    (tmp_path / "backend.toml").write_text('proxy = ["127.0.0.1"]\n')
    with live_pages(tmp_path) as live, ExitStack() as kept:
        lines = [kept.enter_context(tls_line(live)) for _ in range(6)]

        for line in lines:
            line.sendall(b"GET /pages/sign-in HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("phase", "limit_s"),
    [(Phase.HEAD, 15), (Phase.BODY, 60), (Phase.ANSWER, 600), (Phase.NOTHING, None)],
)
def test_each_phase_has_its_time(phase: Phase, limit_s: float | None) -> None:
    waits = ConnectionTimeouts(Phase.NOTHING, 0)
    waits.begin(phase, 100)

    if limit_s is None:
        assert not waits.is_over(1e9)
    else:
        assert not waits.is_over(100 + limit_s)
        assert waits.is_over(101 + limit_s)
        waits.move(101 + limit_s)
        assert waits.is_over(101 + limit_s) is (phase is not Phase.BODY), "slowloris drips"


def test_a_body_may_take_ten_minutes_if_it_moves_and_no_more() -> None:
    waits = ConnectionTimeouts(Phase.BODY, 0)
    for now_s in range(0, 600, 59):
        waits.move(now_s)
        assert not waits.is_over(now_s)

    waits.move(601)

    assert waits.is_over(601)


def test_bytes_after_an_answer_are_read_up_to_a_limit() -> None:
    waits = ConnectionTimeouts(Phase.BODY, 0)

    waits.unwanted_bytes = connection_timeouts.UNWANTED_BYTES
    assert not waits.is_over(0)
    waits.unwanted_bytes += 1

    assert waits.is_over(0)


def listening(limits: ConnectionLimits) -> Listener:
    listener = Listener(socket.AF_INET, socket.SOCK_STREAM, limits=limits)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def caller(listener: Listener, address: str) -> socket.socket:
    return socket.create_connection(listener.getsockname(), 5, source_address=(address, 0))


@pytest.mark.parametrize(
    ("limits", "let_in"),
    [
        (ConnectionLimits(4, 2), [True, True, False, True, True, False]),
        (ConnectionLimits(4, 2, proxies=["127.0.0.2"]), [True, True, True, True, False, False]),
    ],
)
def test_connections_are_limited_for_each_address_and_in_all(
    limits: ConnectionLimits, let_in: list[bool]
) -> None:
    """A proxy connects for many clients, so it has only the limit of all connections."""
    inside = []
    with listening(limits) as listener:
        found = []
        for address in ("127.0.0.2",) * 3 + ("127.0.0.3",) * 2 + ("127.0.0.4",):
            inside.append(caller(listener, address))
            try:
                inside.append(listener.accept()[0])
                found.append(True)
            except ConnectionAbortedError:
                found.append(False)

        assert found == let_in
    for line in inside:
        line.close()


def test_connection_that_ends_makes_room() -> None:
    with listening(ConnectionLimits(1, 1)) as listener:
        for _ in range(3):
            with caller(listener, "127.0.0.1"), listener.accept()[0]:
                pass


def test_a_library_writes_five_lines_a_minute_and_how_many_it_did_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    few = loglines.AFewPerMinute()
    logger = logging.getLogger("test.noisy")
    logger.addFilter(few)

    for _ in range(1000):
        logger.warning("Invalid HTTP request received.")
    few._began_s -= 60  # noqa: SLF001 - a minute later
    logger.warning("again: %s", "100%")

    lines = [record.getMessage() for record in caplog.records]
    assert lines[:5] == ["Invalid HTTP request received."] * 5
    assert lines[5:] == ["again: 100% (and 995 lines that were left out)"]
