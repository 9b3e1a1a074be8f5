"""The long line: what it delays, and that TCP's slow start shows on it."""

import socket
import threading
import time
from typing import Final

import pytest

from tests.bench.longline import long_line

ROUND_TRIP_S: Final = 0.1
RECORD_BYTES: Final = 300_000

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def test_a_new_connection_starts_slowly_and_a_warm_one_takes_a_round_trip() -> None:
    """300 KB need several round trips on a new connection: a proxy in user space would hide it."""
    with long_line(ROUND_TRIP_S) as line, socket.create_server((line.here, 0)) as listener:
        serving = threading.Thread(target=_answer_each_record, args=(listener,))
        serving.start()
        with socket.create_connection((line.there, listener.getsockname()[1]), 10) as client:
            times_s = [_asked_s(client) for _ in range(6)]
            carried_bytes = line.carried_bytes
        serving.join()

    assert times_s[0] > 3 * ROUND_TRIP_S
    assert ROUND_TRIP_S <= min(times_s[2:]) < 2 * ROUND_TRIP_S
    assert 6 * RECORD_BYTES < carried_bytes < 6 * RECORD_BYTES * 13 / 12


def _answer_each_record(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer:
        left = RECORD_BYTES
        while got := peer.recv(min(65_536, left)):
            left -= len(got)
            if left == 0:
                peer.sendall(b"!")
                left = RECORD_BYTES


def _asked_s(client: socket.socket) -> float:
    began_s = time.monotonic()
    client.sendall(bytes(RECORD_BYTES))
    assert client.recv(1) == b"!"
    return time.monotonic() - began_s
