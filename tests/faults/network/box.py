"""A box on the way that ends TLS, relays HTTP, and harms it at one byte that a test chose."""

import select
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, Self, assert_never

import trustme

CHUNK_BYTES: Final = 16_384
"""Most bytes relayed at once. Source: the largest TLS record, RFC 8446 section 5.1."""

Way = Literal["up", "down"]
"""Towards the backend, or towards the device."""


class Ending(StrEnum):
    """The fault at the byte.

    The backend gets an orderly end in each case where the line ends, so that it keeps exactly
    what had come.
    """

    CUT = "cut"
    """A reset, as a lost link is when the peer's packets come again."""
    CLOSE = "close"
    """An end of the stream: what came so far can be taken for all there is."""
    FLIP = "flip"
    """The next byte is another one; then all is well."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Befalls the line once.

    Attributes:
        way: whose bytes are counted.
        after_bytes: of HTTP, requests or answers one after the other, from arming on.
        words: what the device is answered before the line ends.
    """

    way: Way
    after_bytes: int
    ending: Ending = Ending.CUT
    words: bytes = b""


class Box:
    """Listens with a certificate for 127.0.0.1 and relays to a backend.

    Args:
        folder: for the CA's file.
        port: the backend's, on 127.0.0.1.
        receipt_key_file: the backend's.
        trust: PEM of the backend's CA; None where it speaks plain HTTP.

    Attributes:
        base_url: what a device is told.
        ca_file: PEM of the CA that a device must trust.
        receipt_key_file: the backend's.
        ca: issues other certificates for `present`.
        connections: TLS connections that were made.
        passed: HTTP bytes relayed each way since arming.
        poison: a connection is cut whenever one of these is in a request.
    """

    def __init__(
        self, folder: Path, port: int, receipt_key_file: Path, trust: Path | None = None
    ) -> None:
        self.receipt_key_file = receipt_key_file
        self.ca = trustme.CA()
        self.ca_file = folder / "box-ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))
        self.present(self.ca.issue_cert("127.0.0.1"))
        self.connections = 0
        self.passed: dict[Way, int] = {"up": 0, "down": 0}
        self.fault: Fault | None = None
        self.poison: tuple[bytes, ...] = ()
        self._target = ("127.0.0.1", port)
        self._trust = ssl.create_default_context(cafile=trust) if trust else None
        if self._trust:  # 1.3 sends tickets of its own accord: a readable line with nothing to read
            self._trust.maximum_version = ssl.TLSVersion.TLSv1_2
        self._relays: list[_Relay] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.base_url = f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for relay in self._relays:
            relay.end()
            relay.join()

    def present(self, certificate: trustme.LeafCert) -> None:
        """Shows this certificate on later connections."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self.context = context

    def arm(self, fault: Fault | None) -> None:
        """Counts from here, and harms where `fault` says; takes back what has not happened."""
        self.fault = None
        self.passed = {"up": 0, "down": 0}
        self.fault = fault

    def reach(self) -> socket.socket:
        """A new connection to the backend."""
        plain = socket.create_connection(self._target)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._trust.wrap_socket(plain, server_hostname="127.0.0.1") if self._trust else plain

    def _accept(self) -> None:
        with suppress(OSError):  # __exit__ shuts the listener down
            while True:
                plain, _ = self._listener.accept()
                self._relays = [relay for relay in self._relays if relay.is_alive()]
                self._relays.append(_Relay(self, plain))


class _Relay(threading.Thread):
    """A connection, in one thread: two threads must not share OpenSSL's connections."""

    def __init__(self, box: Box, plain: socket.socket) -> None:
        super().__init__()
        self._box, self._plain = box, plain
        plain.settimeout(10)
        self.start()

    def end(self) -> None:
        """Wakes the thread, whatever it waits for."""
        with suppress(OSError):
            self._plain.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        handle = self._plain
        self._plain = handle.dup()
        with self._plain, suppress(OSError):
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with (
                self._box.context.wrap_socket(handle, server_side=True) as device,
                self._box.reach() as backend,
            ):
                self._box.connections += 1
                while self._turn(device, backend):
                    pass

    def _turn(self, device: ssl.SSLSocket, backend: socket.socket) -> bool:
        """Relays what is there; False at the end of the line."""
        sides: list[socket.socket] = [device, backend]
        unread = [side for side in sides if isinstance(side, ssl.SSLSocket) and side.pending()]
        ready = unread or select.select(sides, [], [])[0]
        return all(self._pass_on(side, device, backend) for side in ready)

    def _pass_on(
        self, source: socket.socket, device: ssl.SSLSocket, backend: socket.socket
    ) -> bool:
        way: Way = "up" if source is device else "down"
        fault, passed = self._box.fault, self._box.passed  # before the device can arm the next
        left = fault.after_bytes - passed[way] if fault and fault.way == way else None
        if fault is not None and left == 0:
            self._box.fault = None
            return self._befall(fault, device, backend)
        chunk = source.recv(min(CHUNK_BYTES, left or CHUNK_BYTES))
        passed[way] += len(chunk)
        if any(one in chunk for one in self._box.poison):
            return self._befall(Fault(way, 0), device, backend)
        is_due = bool(chunk) and left == len(chunk)
        if is_due:  # before the device has its answer, and arms the next fault
            self._box.fault = None
        (backend if way == "up" else device).sendall(chunk)
        if fault is not None and is_due:
            return self._befall(fault, device, backend)
        return bool(chunk)

    def _befall(self, fault: Fault, device: ssl.SSLSocket, backend: socket.socket) -> bool:
        device.sendall(fault.words)
        match fault.ending:
            case Ending.CUT:
                device.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._plain.close()
                return False
            case Ending.CLOSE:
                return False
            case Ending.FLIP:
                source, sink = (device, backend) if fault.way == "up" else (backend, device)
                sink.sendall(bytes([source.recv(1)[0] ^ 1]))
            case other:
                assert_never(other)
        return True
