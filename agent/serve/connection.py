"""A client's connection: the handshake, then requests in turn, as HTTP/1.1 has it.

Every error is answered as JSON; a request that is not understood ends the connection.
"""

import time
from collections.abc import Callable
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from typing import Any, Final, cast

from agent.serve.admission import Peer
from agent.serve.answer import HttpAnswer, refused

HEAD_LIMIT_BYTES: Final = 8_192
"""Longest request with its headers; curl sends 120 bytes, a browser 800."""

LAST_REQUEST_S: Final = 15.0
"""After so long an answer says that it is the last: before 20 s the connection is cut."""

METHODS: Final = ("GET", "HEAD")

_SENTENCES: Final = {
    414: f"the address is too long: the whole request may have {HEAD_LIMIT_BYTES} bytes",
    431: f"the headers are too long: the whole request may have {HEAD_LIMIT_BYTES} bytes",
    505: "this speaks HTTP/1.1",
}
_NO_REQUEST: Final = "not a request of HTTP/1.1"

Answering = Callable[[Peer, str], HttpAnswer]
"""Function from the client's certificate, a method and an address to the answer."""


class Head:
    """The lines that a client sends, up to a limit for each request."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self.left = 0

    def readline(self, most: int) -> bytes:
        """Read the next line; raises LineTooLong if the request has become too long."""
        line = self._file.readline(min(most, self.left + 1))
        self.left -= len(line)
        if self.left < 0:
            raise LineTooLong("request")
        return line

    def close(self) -> None:
        """Close the socket's file."""
        self._file.close()


class Connection(BaseHTTPRequestHandler):
    """The handler of a connection; `server.answer` makes the answers."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"  # no answer without a status
    wbufsize = 65_536  # a whole answer at once: 45 ms otherwise, where an ACK is delayed

    def setup(self) -> None:
        """Make the handshake, in the connection's own thread."""
        self._began_s = time.monotonic()
        self.request.do_handshake()
        cast(Any, self.server).greet(self.request)
        super().setup()
        self._head = Head(self.rfile)
        self.rfile = cast(Any, self._head)

    def handle_one_request(self) -> None:
        """Read one request, and answer it."""
        self.close_connection, self.command, self.request_version = True, "", "HTTP/1.1"
        self._head.left = HEAD_LIMIT_BYTES
        try:
            self.raw_requestline = self._head.readline(HEAD_LIMIT_BYTES + 1)
        except LineTooLong:
            self.send_error(414)
        else:
            if not self.raw_requestline:
                return
            if len(self.raw_requestline.split()) != 3:  # of HTTP/0.9 too
                self.send_error(400)
            elif self.parse_request():
                self._answer()
        self.wfile.flush()

    def _answer(self) -> None:
        server = cast(Any, self.server)
        answer = server.answer(self.request.getpeercert(), self.command, self.path)
        is_last = time.monotonic() - self._began_s > LAST_REQUEST_S
        self.close_connection |= is_last or answer.status == 403 or self._has_body()
        self._send(answer)

    def _has_body(self) -> bool:
        """Return True if the request has a body: nothing reads it, so no request follows."""
        length = self.headers.get("Content-Length", "0").strip()
        return length != "0" or "Transfer-Encoding" in self.headers

    def _send(self, answer: HttpAnswer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        if answer.allow:
            self.send_header("Allow", answer.allow)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Log nothing per request."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that the library does not understand, without the library's words."""
        del message, explain
        self.close_connection = True
        self._send(refused(code, _SENTENCES.get(code, _NO_REQUEST)))

    def handle_expect_100(self) -> bool:
        """Ask no client for a body."""
        return True

    def version_string(self) -> str:
        """Return no version: it would help an attacker who looks for old ones."""
        return "doorstep"
