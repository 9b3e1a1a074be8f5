"""A silent or slow client is disconnected, and others are served meanwhile."""

import re
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

import pytest

from agent.serve import connection_slots, server
from agent.serve.answer import HttpAnswer
from agent.serve.server import StatusServer
from agent.serve.tls import ServerTls
from tests.support.served import CLIENT, ServingDevice, answered, prepared
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SHORT_S = 0.3
"""In place of the 5 s of one read; 20 s of a connection become 1.8 s."""


@pytest.fixture
def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServingDevice]:
    """The server in this process, in a hurry."""
    monkeypatch.setattr(server, "READ_S", SHORT_S)
    monkeypatch.setattr(server, "LINGER_S", SHORT_S)
    monkeypatch.setattr(connection_slots, "LONGEST_S", 6 * SHORT_S)
    van = prepared(tmp_path / "van")
    layout = van.device.layout
    tls = ServerTls(layout.trust / "serve.pem", layout.serve_keys / "key.pem", van.ca_file)
    made = StatusServer(
        ("127.0.0.1", 0), tls, {CLIENT}, lambda: datetime.now(UTC), lambda _: HttpAnswer(200, b"{}")
    )
    made.timeout = SHORT_S / 3
    van.port = made.server_address[1]
    running = threading.Thread(target=made.run, args=(lambda: None,))
    running.start()
    yield van
    made.stop()
    running.join()
    made.server_close()
    until(lambda: not [one for one in threading.enumerate() if "process_request" in one.name])


def ends_within(line: socket.socket, within_s: float) -> bool:
    line.settimeout(within_s)
    with suppress(ConnectionError, ssl.SSLError):
        try:
            while line.recv(1_000):
                pass
        except TimeoutError:
            return False
    return True


def test_a_client_that_never_ends_its_handshake_is_ended(hasty: ServingDevice) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port)) as line:
        line.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")

        assert ends_within(line, 4 * SHORT_S)


@pytest.mark.parametrize("text", [b"", b"GET /v1/st", b"GET /v1/status HTTP/1.1\r\nHost: v"])
def test_a_client_that_falls_silent_is_ended(hasty: ServingDevice, text: bytes) -> None:
    with closing(hasty.connect(hasty.client_file)) as line:
        line.sendall(text)

        assert ends_within(line, 4 * SHORT_S)


def test_a_client_that_says_a_byte_now_and_then_is_ended(hasty: ServingDevice) -> None:
    """No single read takes too long; together they do."""
    with closing(hasty.connect(hasty.client_file)) as line:
        began_s = time.monotonic()
        with suppress(OSError):
            for byte in b"GET /v1/status HTTP/1.1\r\nHost: " + b"a" * 100:
                line.sendall(bytes([byte]))
                time.sleep(SHORT_S / 3)
        took_s = time.monotonic() - began_s

    assert SHORT_S * 5 < took_s < SHORT_S * 20


def test_a_client_that_goes_on_after_the_last_answer_is_cut(hasty: ServingDevice) -> None:
    """However slowly: what it says is nobody's, and where no thread can begin all wait for it."""
    with closing(hasty.connect(hasty.client_file)) as line:
        line.sendall(b"no request\r\n")
        began_s = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began_s < 10 * SHORT_S:
                line.sendall(b"a")
                time.sleep(SHORT_S / 6)

        assert time.monotonic() - began_s < 3 * SHORT_S


def test_endless_request_is_answered_before_it_is_cut(
    hasty: ServingDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.serve.connection.LAST_REQUEST_S", SHORT_S)
    with closing(hasty.line(hasty.client_file)) as line:
        line.connect()
        line.auto_open = 0
        for _ in range(100):
            line.request("GET", "/v1/status")
            answer = answered(line)
            assert answer.status == 200
            if answer.headers.get("Connection") == "close":
                return
            time.sleep(SHORT_S / 10)

    pytest.fail("it went on for ever")


def test_the_oldest_gives_way_and_no_newcomer_is_turned_away(hasty: ServingDevice) -> None:
    """Nine idle clients that may ask, of several addresses; there are eight places for such."""
    with ExitStack() as open_ones:
        idle = [
            open_ones.enter_context(closing(hasty.connect(hasty.client_file, _crowded(number))))
            for number in range(connection_slots.MOST_PROVEN + 1)
        ]

        assert ends_within(idle[0], SHORT_S / 2)
        assert not ends_within(idle[-1], SHORT_S / 4)
        assert hasty.ask("/v1/status").status == 200


def _crowded(number: int) -> str:
    return f"127.0.1.{1 + number // 3}"


def test_client_on_a_slow_line_keeps_its_place_beside_a_crowded_address(van: ServingDevice) -> None:
    """Its handshake has not begun, and another machine takes all other places twice."""
    with ExitStack() as open_ones:

        def silent(source: str) -> socket.socket:
            line = socket.create_connection(("127.0.0.1", van.port), 10, (source, 0))
            return open_ones.enter_context(line)

        slow = silent("127.0.0.1")
        others = [silent("127.0.0.2") for _ in range(2 * connection_slots.MOST)]
        assert ends_within(others[0], 2.0)
        context = van.context(van.client_file)
        with context.wrap_socket(slow, server_hostname="127.0.0.1") as line:
            line.sendall(b"GET /v1/status HTTP/1.1\r\nHost: v\r\n\r\n")

            assert line.recv(1_000).startswith(b"HTTP/1.1 200")


@contextmanager
def flood(van: ServingDevice, source: str) -> Iterator[None]:
    """A hundred connections a second, each held until it is ended: a quarter in each phase."""
    over, context = threading.Event(), van.context(None)
    request = b"GET /v1/status HTTP/1.1\r\nHost: v\r\n\r\n"

    def flow(text: bytes, *, is_shaken: bool) -> None:
        with ExitStack() as held:
            while not over.wait(0.04):
                with suppress(OSError):
                    line = socket.create_connection(("127.0.0.1", van.port), 10, (source, 0))
                    held.enter_context(line)
                    if is_shaken:
                        shaken = context.wrap_socket(line, server_hostname="127.0.0.1")
                        line = held.enter_context(closing(shaken))
                    line.sendall(text)

    ways = ((b"", False), (b"\x16", False), (b"", True), (request, True))
    flows = [
        threading.Thread(target=flow, args=[text], kwargs={"is_shaken": is_shaken})
        for text, is_shaken in ways
    ]
    for one in flows:
        one.start()
    try:
        yield
    finally:
        over.set()
        for one in flows:
            one.join()


def test_client_that_may_ask_is_answered_beside_a_flood_from_its_address(
    van: ServingDevice,
) -> None:
    """The office and a stranger are behind one router; half of the requests share a connection."""
    with flood(van, "127.0.0.1"), closing(van.line(van.client_file)) as kept:
        kept.connect()
        kept.auto_open = 0
        time.sleep(0.5)
        answers = sum(_is_answered(van, kept if number % 2 else None) for number in range(50))

    assert answers >= 45


def _is_answered(van: ServingDevice, kept: HTTPSConnection | None) -> bool:
    with suppress(OSError, HTTPException):
        if kept is None:
            return van.ask("/v1/status").status == 200
        kept.request("GET", "/v1/status")
        return answered(kept).status == 200
    return False


@contextmanager
def crowd(van: ServingDevice, idle: int, dripping: int) -> Iterator[Sequence[socket.socket]]:
    """Clients that only hold their connections, some with a byte now and then."""
    over = threading.Event()
    context = van.context(None)
    with ExitStack() as opened:

        def connected(source: str) -> socket.socket:
            plain = socket.create_connection(("127.0.0.1", van.port), 10, (source, 0))
            line = context.wrap_socket(plain, server_hostname="127.0.0.1")
            return opened.enter_context(closing(line))

        def drip() -> None:
            while not over.is_set():
                with suppress(OSError):
                    line = connected("127.0.0.2")
                    while not over.wait(0.1):
                        line.sendall(b"a")

        slow = [threading.Thread(target=drip) for _ in range(dripping)]
        for one in slow:
            one.start()
        yield [connected(_crowded(number)) for number in range(idle)]
        over.set()
        for one in slow:
            one.join()


def test_beside_a_hundred_idle_clients_and_slow_ones_others_are_served(van: ServingDevice) -> None:
    """Within twice their usual time, by the median of twenty; nothing is left open."""
    usual_s = statistics.median(_times(van))
    with crowd(van, idle=100, dripping=3):
        beside_s = statistics.median(_times(van))

    assert beside_s < 2 * usual_s + 0.02
    until(lambda: _open(van) < 8, 10.0)


def _times(van: ServingDevice) -> Iterator[float]:
    for _ in range(20):
        began_s = time.monotonic()
        assert van.ask("/v1/status").status == 200
        yield time.monotonic() - began_s


def _open(van: ServingDevice) -> int:
    """Return the number of open files of the process; six by itself."""
    return len(list(Path(f"/proc/{van.device.pid('serve')}/fd").iterdir()))


def test_40_mb_are_enough_for_all_that_was_asked_so_far(van: ServingDevice) -> None:
    """At its fullest it takes 34 to 36 MB; certificates in memory would take 12 more."""
    with crowd(van, idle=32, dripping=0):
        for route in ("/v1/status", "/v1/captures", "/metrics"):
            assert van.ask(route).status in {200, 503}

    found = re.search(
        r"VmHWM:\s+(\d+) kB", Path(f"/proc/{van.device.pid('serve')}/status").read_text()
    )
    assert found
    assert int(found[1]) <= 40 * 1024
