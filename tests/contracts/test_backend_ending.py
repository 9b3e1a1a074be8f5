"""The end of the backend: SIGTERM finishes half-received requests, and waits for no other."""

import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from doorstep_backend.serving import FINISH_S
from tests.support.backend import Backend
from tests.support.engines import received_bytes
from tests.support.factory import RecordMaker, new_id
from tests.support.waiting import until
from tests.support.wire import announce, begun_post, proven, record, speaking_to, tls_line


@contextmanager
def half_sent(backend: Backend, maker: RecordMaker) -> Iterator[tuple[ssl.SSLSocket, bytes, str]]:
    """A POST of which half the body was kept: its line, the rest, and whose it is."""
    content = record(maker, capture_id := new_id())
    half = len(content) // 2
    announced = announce(capture_id, content)
    with begun_post(backend.port, backend.ca_file, announced, content[:half]) as line:
        line.settimeout(10)
        until(lambda: received_bytes(backend.data, capture_id) == half)
        yield line, content[half:], capture_id


def plain_line(backend: Backend) -> socket.socket:
    return socket.create_connection(("127.0.0.1", backend.port), 10)


def kept_line(backend: Backend) -> ssl.SSLSocket:
    """A connection on which something was asked, and which its client keeps."""
    line = fresh_line(backend)
    line.sendall(b"OPTIONS /files HTTP/1.1\r\nHost: x\r\n\r\n")
    assert line.recv(4096).startswith(b"HTTP/1.1 204 ")
    return line


def fresh_line(backend: Backend) -> ssl.SSLSocket:
    return tls_line(backend.port, backend.ca_file)


def half_a_head(backend: Backend) -> ssl.SSLSocket:
    line = fresh_line(backend)
    line.sendall(b"POST /files HTTP/1.1\r\nHost")
    return line


def test_sigterm_finishes_a_record_that_is_half_received(
    alone: Backend, maker: RecordMaker
) -> None:
    """And takes nobody more in meanwhile, so that a proxy asks the next one."""
    with half_sent(alone, maker) as (line, rest, _):
        os.kill(alone.pid, signal.SIGTERM)
        until(lambda: is_refused(alone))
        line.sendall(rest)
        answer = line.recv(65_536).decode()

    assert answer.startswith("HTTP/1.1 201 ")
    receipt = re.search(r"(?i)\r\ndoorstep-receipt: (\S+)", answer)
    assert receipt is not None
    assert proven(alone.receipt_key_file, receipt[1])
    began_s = time.monotonic()
    alone.stop()
    assert time.monotonic() - began_s < 4


def is_refused(backend: Backend) -> bool:
    try:
        plain_line(backend).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("line", [plain_line, fresh_line, half_a_head, kept_line])
def test_sigterm_waits_for_nobody_who_asks_for_nothing(
    alone: Backend, line: Callable[[Backend], socket.socket]
) -> None:
    """Also before TLS, and on connections that a client keeps open without closing them."""
    with ExitStack() as kept:
        for _ in range(3):
            kept.enter_context(line(alone))
        began_s = time.monotonic()

        alone.stop()

        assert time.monotonic() - began_s < 3


@pytest.mark.slow
def test_sigterm_waits_for_a_silent_line_so_long_and_no_longer(
    alone: Backend, maker: RecordMaker
) -> None:
    """The received part stays, and the device continues from there."""
    with half_sent(alone, maker) as (line, rest, capture_id):
        began_s = time.monotonic()
        alone.stop()
        took_s = time.monotonic() - began_s
        with suppress(OSError):
            assert line.recv(1) == b""
    alone.start()

    with speaking_to(alone.base_url, alone.ca_file) as wire:
        half = received_bytes(alone.data, capture_id)
        answer = wire.patch(capture_id, half, rest)

    assert FINISH_S - 1 < took_s < FINISH_S + 4
    assert answer.status_code == 204
    assert "Doorstep-Receipt" in answer.headers
