"""The fault proxy does to a connection what its Line says, to the byte."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.support.network import FaultProxy, Line
from tests.support.waiting import until


class Echo:
    """A TCP server that sends back what it gets and keeps what it got."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.got = bytearray()
        self.endings: list[str] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self.listener.accept()
                with line:
                    self.endings.append(self._echo(line))

    def _echo(self, line: socket.socket) -> str:
        try:
            while chunk := line.recv(65_536):
                self.got += chunk
                line.sendall(chunk)
        except ConnectionResetError:
            return "reset"
        return "closed"


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.stop()


@contextmanager
def connected(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as line:
        yield line


def read_until_the_end(line: socket.socket) -> tuple[bytes, str]:
    got = bytearray()
    try:
        while chunk := line.recv(65_536):
            got += chunk
    except ConnectionResetError:
        return bytes(got), "reset"
    except TimeoutError:
        return bytes(got), "silent"
    return bytes(got), "closed"


def exchange(proxy: FaultProxy, sent: bytes) -> tuple[bytes, str]:
    """Connects, sends and reads to the end; whichever meets the reset first keeps it."""
    got = bytearray()
    try:
        with connected(proxy) as line:
            try:
                line.sendall(sent)
            finally:
                read, ending = read_until_the_end(line)
                got += read
    except (ConnectionResetError, BrokenPipeError):
        ending = "reset"
    return bytes(got), ending


def send_all(line: socket.socket, content: bytes) -> None:
    line.sendall(content)
    line.shutdown(socket.SHUT_WR)


def test_clear_line_relays_and_counts_everything(echo: Echo) -> None:
    content = bytes(range(256)) * 1000
    with FaultProxy(("127.0.0.1", echo.port)) as proxy, connected(proxy) as line:
        sender = threading.Thread(target=send_all, args=(line, content))
        sender.start()

        assert read_until_the_end(line) == (content, "closed")
        sender.join()
        assert proxy.connections == 1
        assert proxy.relayed_bytes == {"up": len(content), "down": len(content)}


@pytest.mark.parametrize("after_bytes", [0, 1, 999, 20_000])
def test_cut_upstream_is_exact_and_a_reset(echo: Echo, after_bytes: int) -> None:
    with FaultProxy(("127.0.0.1", echo.port)) as proxy:
        proxy.up = Line(cut_after_bytes=after_bytes)

        assert exchange(proxy, bytes(30_000))[1] == "reset"
        until(lambda: len(echo.endings) == 1)
    assert echo.endings == ["reset"]
    assert len(echo.got) == after_bytes
    assert proxy.relayed_bytes["up"] == after_bytes


@pytest.mark.parametrize("after_bytes", [1, 999, 20_000])
def test_cut_downstream_is_exact(echo: Echo, after_bytes: int) -> None:
    with FaultProxy(("127.0.0.1", echo.port)) as proxy:
        proxy.down = Line(cut_after_bytes=after_bytes)

        got, ending = exchange(proxy, bytes(30_000))

    assert (len(got), ending) == (after_bytes, "reset")


def test_silence_keeps_the_connection_open(echo: Echo) -> None:
    with FaultProxy(("127.0.0.1", echo.port)) as proxy:
        proxy.down = Line(silent_after_bytes=7)
        with connected(proxy) as line:
            line.settimeout(0.2)
            line.sendall(bytes(100))

            got, ending = read_until_the_end(line)

    assert (len(got), ending) == (7, "silent")


def test_line_holds_for_later_connections_only(echo: Echo) -> None:
    with FaultProxy(("127.0.0.1", echo.port)) as proxy, connected(proxy) as line:
        line.sendall(b"x")
        assert line.recv(1) == b"x"
        proxy.up = Line(cut_after_bytes=0)

        line.sendall(b"y")

        assert line.recv(1) == b"y"


def test_drip_takes_its_time(echo: Echo) -> None:
    with FaultProxy(("127.0.0.1", echo.port)) as proxy:
        proxy.down = Line(rate_bytes_per_s=100)
        with connected(proxy) as line:
            started_s = time.monotonic()
            line.sendall(bytes(30))
            line.shutdown(socket.SHUT_WR)

            assert read_until_the_end(line) == (bytes(30), "closed")
            assert 0.2 < time.monotonic() - started_s < 2


def test_delay_is_added(echo: Echo) -> None:
    with FaultProxy(("127.0.0.1", echo.port)) as proxy:
        proxy.up = proxy.down = Line(delay_s=0.1)
        with connected(proxy) as line:
            started_s = time.monotonic()
            line.sendall(b"x")

            assert line.recv(1) == b"x"
            assert time.monotonic() - started_s >= 0.2


def test_unreachable_target_resets_new_connections(echo: Echo) -> None:
    with FaultProxy(("127.0.0.1", echo.port)) as proxy:
        proxy.reachable = False

        assert exchange(proxy, b"") == (b"", "reset")
        proxy.reachable = True
        with connected(proxy) as line:
            line.sendall(b"x")
            assert line.recv(1) == b"x"


def test_cut_resets_open_connections(echo: Echo) -> None:
    with FaultProxy(("127.0.0.1", echo.port)) as proxy, connected(proxy) as line:
        line.sendall(b"x")
        assert line.recv(1) == b"x"

        proxy.cut()

        assert read_until_the_end(line) == (b"", "reset")
