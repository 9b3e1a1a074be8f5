"""The fault proxy does to a connection what its Line says, to the byte."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

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


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy(("127.0.0.1", echo.port)) as running:
        yield running


def connected(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


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
    """Connects, sends and reads to the end, whichever of them meets the reset first."""
    got, ending = b"", "reset"
    with suppress(ConnectionResetError, BrokenPipeError), connected(proxy) as line:
        try:
            line.sendall(sent)
        finally:
            got, ending = read_until_the_end(line)
    return got, ending


def test_clear_line_relays_and_counts_everything(proxy: FaultProxy) -> None:
    content = bytes(range(256)) * 100

    with connected(proxy) as line:
        line.sendall(content)
        line.shutdown(socket.SHUT_WR)
        assert read_until_the_end(line) == (content, "closed")

    assert proxy.connections == 1
    assert proxy.relayed_bytes == {"up": len(content), "down": len(content)}


@pytest.mark.parametrize("after_bytes", [0, 1, 20_000])
def test_cut_upstream_is_exact_and_a_reset(echo: Echo, proxy: FaultProxy, after_bytes: int) -> None:
    proxy.up = Line(cut_after_bytes=after_bytes)

    assert exchange(proxy, bytes(30_000))[1] == "reset"
    until(lambda: echo.endings == ["reset"])
    assert len(echo.got) == after_bytes
    assert proxy.relayed_bytes["up"] == after_bytes


def test_silence_keeps_the_connection_open(proxy: FaultProxy) -> None:
    proxy.down = Line(silent_after_bytes=7)
    with connected(proxy) as line:
        line.settimeout(0.2)
        line.sendall(bytes(100))

        got, ending = read_until_the_end(line)

    assert (len(got), ending) == (7, "silent")


def test_changes_concern_later_connections_and_a_cut_the_open_ones(
    proxy: FaultProxy,
) -> None:
    with connected(proxy) as line:
        line.sendall(b"x")
        assert line.recv(1) == b"x"
        proxy.up = Line(cut_after_bytes=0)
        proxy.reachable = False

        line.sendall(b"y")
        assert line.recv(1) == b"y"
        assert exchange(proxy, b"") == (b"", "reset")

        proxy.cut()
        assert read_until_the_end(line) == (b"", "reset")
