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
from doorstep_backend.wire.listener import MOST_ENDING, Listener
from doorstep_backend.wire.places import ConnectionLimits
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


def test_error_answer_to_a_stranger_is_read_and_ends_the_connection(hasty: Live) -> None:
    with tls_line(hasty) as line:
        line.sendall(b"PUT /pages/nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        time.sleep(1)
        answer = b"".join(iter(lambda: line.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 404")


def test_proxy_reads_why_a_slow_body_is_ended_and_keeps_its_idle_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A proxy takes a server that resets a connection for a dead one."""
    monkeypatch.setattr(connection_timeouts, "HEAD_S", 0.5)
    monkeypatch.setattr(connections, "LOOK_S", 0.05)
    (tmp_path / "backend.toml").write_text('proxy = ["127.0.0.1"]\n')
    with live_pages(tmp_path) as live, tls_line(live) as kept, tls_line(live) as slow:
        kept.sendall(b"GET /pages/nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        slow.sendall(FORM)

        assert kept.recv(15) == b"HTTP/1.1 404 No"
        assert slow.recv(20) == b"HTTP/1.1 408 Request"
        time.sleep(connection_timeouts.REFUSED_S + 0.2)
        kept.settimeout(0.2)
        assert kept.recv(65_536)
        assert not is_ended(kept)


@pytest.mark.parametrize(
    ("phase", "limit_s"),
    [(Phase.HEAD, 15), (Phase.BODY, 60), (Phase.ANSWER, 600), (Phase.NOTHING, None)],
)
def test_each_phase_of_a_proven_request_has_its_time(phase: Phase, limit_s: float | None) -> None:
    waits = proven()
    waits.begin(phase, 100)

    if limit_s is None:
        assert not waits.is_over(1e9)
    else:
        assert not waits.is_over(100 + limit_s)
        assert waits.is_over(101 + limit_s)
        waits.move(101 + limit_s)
        assert waits.is_over(101 + limit_s) is (phase is not Phase.BODY), "slowloris drips"


def proven() -> ConnectionTimeouts:
    waits = ConnectionTimeouts(Phase.BODY, 0)
    waits.is_proven = True
    return waits


def test_a_stranger_has_15_seconds_for_head_and_body_however_the_body_drips() -> None:
    waits = ConnectionTimeouts(Phase.NOTHING, 0)
    waits.ask(Phase.HEAD, 100)
    waits.begin(Phase.BODY, 110)
    waits.move(115)

    assert not waits.is_over(115)
    assert waits.is_over(115.1)
    waits.begin(Phase.ANSWER, 115)
    assert not waits.is_over(175)
    assert waits.is_over(175.1)


@pytest.mark.parametrize("phase", [Phase.NOTHING, Phase.BODY])
def test_a_refused_stranger_is_ended_within_two_seconds(phase: Phase) -> None:
    waits = ConnectionTimeouts(Phase.BODY, 0)
    waits.refused_s = 3
    waits.begin(phase, 3)

    assert not waits.is_over(4)
    assert waits.is_over(5 - connections.LOOK_S + 0.1)
    waits.ask(Phase.HEAD, 4)
    assert not waits.is_over(5)


def test_a_body_may_take_ten_minutes_if_it_moves_and_no_more() -> None:
    waits = proven()
    for now_s in range(0, 600, 59):
        waits.move(now_s)
        assert not waits.is_over(now_s)

    waits.move(601)

    assert waits.is_over(601)


def test_bytes_after_an_answer_are_read_up_to_a_limit() -> None:
    waits = proven()

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


def test_connection_that_gives_way_is_ended_for_a_new_one() -> None:
    """Its file is open until the loop closes it: too many of these stop the listener."""
    with listening(ConnectionLimits(most=2)) as listener, ExitStack() as opened:
        callers, lines = [], []
        for _ in range(MOST_ENDING + 2):
            callers.append(opened.enter_context(caller(listener, "127.0.0.1")))
            lines.append(opened.enter_context(listener.accept()[0]))
        opened.enter_context(caller(listener, "127.0.0.1"))

        assert all(is_ended(one) for one in callers[:-1])
        callers[-1].settimeout(0.1)
        assert not is_ended(callers[-1])
        with pytest.raises(BlockingIOError):
            listener.accept()
        lines[0].close()
        opened.enter_context(listener.accept()[0])


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
