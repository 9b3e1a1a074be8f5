"""The long line: what it delays, and that TCP's slow start shows on it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from tests.bench.longline import LongLine, long_line

ROUND_TRIP_S: Final = 0.1
RECORD: Final = bytes(300_000)

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@contextmanager
def echo(line: LongLine, size: int) -> Iterator[socket.socket]:
    """A connection over the line whose server answers each `size` bytes with one."""

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            left = size
            while got := peer.recv(65_536):
                left -= len(got)
                if left == 0:
                    peer.sendall(b"!")
                    left = size

    with socket.create_server((line.here, 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        with socket.create_connection((line.there, listener.getsockname()[1]), 10) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield client
        serving.join()


def asked_s(client: socket.socket, content: bytes) -> float:
    began_s = time.monotonic()
    client.sendall(content)
    assert client.recv(1) == b"!"
    return time.monotonic() - began_s


def test_one_byte_and_its_answer_take_one_round_trip() -> None:
    """The delay is half a round trip each way and little more."""
    with long_line(ROUND_TRIP_S) as line, echo(line, 1) as client:
        times_s = [asked_s(client, b"?") for _ in range(5)]

    assert ROUND_TRIP_S <= min(times_s) < ROUND_TRIP_S + 0.02


def test_a_new_connection_starts_slowly_and_a_warm_one_does_not() -> None:
    """300 KB need several round trips on a new connection: a proxy in user space would hide it."""
    with long_line(ROUND_TRIP_S) as line, echo(line, len(RECORD)) as client:
        times_s = [asked_s(client, RECORD) for _ in range(6)]

    assert times_s[0] > 3 * ROUND_TRIP_S
    assert min(times_s[2:]) < 2 * ROUND_TRIP_S


def test_bytes_are_counted_once_and_towards_the_server_only() -> None:
    """What crossed the bottleneck is the record and at most a twelfth of headers."""
    with long_line(ROUND_TRIP_S) as line, echo(line, len(RECORD)) as client:
        asked_s(client, RECORD)

        assert len(RECORD) < line.carried_bytes < len(RECORD) * 13 / 12
