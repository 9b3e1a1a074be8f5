"""A TLS connection to the backend under test, on which every byte is the check's own."""

import errno
import http.client
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import Final, Self

from agent.models import printable
from agent.wire.http import Limits
from tests.conformance.check import Failed, NoAnswer

ANSWER_WITHIN_S: Final = Limits().read_s
"""Longest wait for an answer: a device waits no longer."""

BODY_LIMIT_BYTES: Final = 1_048_576
"""Most of an answer that is read: a list of 100 receipts has 50 KB."""

RESET_WITHIN_S: Final = 0.2
"""Longest time from the end of TLS to a reset, of a server that closes at once."""

QUOTE_LIMIT: Final = 100
"""Most of an answer's text that a report quotes, in characters: one line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        asked: the request, such as `PATCH /files/…`.
        closes: whether the server ends the connection after it.
    """

    asked: str
    status: int
    headers: Message
    body: bytes
    closes: bool

    def number(self, name: str) -> int:
        """Return a header that counts bytes. Raises Failed if it is missing, or is no number."""
        text = self.headers.get(name, "")
        if not (text.isascii() and text.isdigit()):
            raise Failed(f"{self}, without an {name} that is a number of bytes.")
        return int(text)

    def expect(self, *statuses: int) -> Self:
        """Return the answer. Raises Failed if it has another status."""
        if self.status not in statuses:
            *others, last = map(str, statuses)
            wanted = f"{', '.join(others)} or {last}" if others else last
            raise Failed(f"{self}; it should be {wanted}.")
        return self

    def expect_refused(self) -> Self:
        """Return the answer. Raises Failed if its status is neither 400 to 499 nor 501."""
        if not 400 <= self.status <= 499 and self.status != HTTPStatus.NOT_IMPLEMENTED:
            raise Failed(f"{self}; it should be a refusal, 400 to 499.")
        return self

    def __str__(self) -> str:
        text = " ".join(printable(self.body[:400].decode("utf-8", "replace")).split())
        quoted = f' "{text[:QUOTE_LIMIT]}"' if text else ""
        return f"{self.asked} was answered {self.status}{quoted}"


class Line:
    """A connection. Its requests go one after the other, whole or cut as the check wants.

    Args:
        connection: after its handshake.
        host: for the header of this name.
        prefix: the path of `{base}`.
        note: called with the number of bytes of each body.
    """

    def __init__(
        self, connection: ssl.SSLSocket, host: str, prefix: str, note: Callable[[int], None]
    ) -> None:
        self.socket = connection
        self._host = host
        self._prefix = prefix
        self._note = note
        self._method = self._asked = ""
        self._is_broken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a whole request and read its answer; `path` is below `{base}`."""
        self.begin(method, path, headers, len(body))
        self.send(body)
        return self.answer()

    def begin(self, method: str, path: str, headers: Mapping[str, str] | None, length: int) -> None:
        """Send the head of a request whose body has `length` bytes."""
        self._method, self._asked = method, f"{method} {path}"
        self._note(length)
        self.send(self.head(method, path, headers, length))

    def head(self, method: str, path: str, headers: Mapping[str, str] | None, length: int) -> bytes:
        """Return the bytes of a request before its body."""
        every = {"Host": self._host, "User-Agent": "doorstep-conformance"} | dict(headers or {})
        if length or method in {"POST", "PATCH"}:
            every |= {"Content-Length": str(length)}
        lines = "".join(f"{name}: {text}\r\n" for name, text in every.items())
        return f"{method} {self._prefix}{path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")

    def send(self, content: bytes) -> None:
        """Send bytes; a server may have answered early, and closed."""
        try:
            self.socket.sendall(content)
        except OSError:
            self._is_broken = True

    def cut(self, *, is_reset: bool) -> None:
        """End the connection, with a reset as some networks do, or without."""
        if is_reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_for_answer(self) -> None:
        """Return when the first byte of an answer arrives. Raises NoAnswer if none does."""
        try:
            self.socket.recv(1)
        except OSError as error:
            raise NoAnswer(f"{self._asked} got no answer: {error}.") from error

    def was_reset(self) -> bool:
        """Return whether the server ended the connection before it had read all that was sent.

        To be asked after an answer that says so: this waits for the end.
        """
        try:
            while not self._is_broken and self.socket.recv(BODY_LIMIT_BYTES):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        time.sleep(RESET_WITHIN_S)
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return self._is_broken or error == errno.ECONNRESET

    def answer(self) -> Answer:
        """Read the answer to the last request that was begun. Raises NoAnswer without one."""
        try:
            with http.client.HTTPResponse(self.socket, method=self._method) as response:
                response.begin()
                body = response.read(BODY_LIMIT_BYTES)
                status, headers = response.status, response.headers
                return Answer(self._asked, status, headers, body, response.will_close)
        except TimeoutError as error:
            text = f"{self._asked} got no answer within {ANSWER_WITHIN_S:.0f} s."
            raise NoAnswer(text) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            text = printable(str(error)).strip() or type(error).__name__
            raise NoAnswer(f"{self._asked} got no answer that can be read: {text}.") from error
