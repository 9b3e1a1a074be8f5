"""A request for a device's status over TLS, limited in time and size.

No answer is trusted, and no redirect followed.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

from agent.models import has_host, printable
from doorstep_backend.reports.read import StatusReport, of_document
from hardware.foreign import read_json

WITHIN_S: Final = 10.0
"""From the first packet to the last byte of the answer. Source: Prometheus gives a device as long
(its default, global.scrape_timeout); a status takes milliseconds, and four round trips."""

MOST_BYTES: Final = 8_192
"""Largest answer with its head: a status has 1,500 bytes, and a longer answer is refused."""

_NOT_AS_SERVE: Final = (
    *(ValueError, TypeError, KeyError, AttributeError),
    OverflowError,  # of http.client, at the length of a chunk
)
"""Errors at an answer that is not JSON, or whose members are of other types than serve's."""

SENTENCE_CHARS: Final = 200
"""Length of a device's reason for not answering: its longest sentence has 130 characters."""


def ask(address: str, context: ssl.SSLContext, within_s: float = WITHIN_S) -> StatusReport | str:
    """Return what the device at https://NAME:PORT answers, or a sentence why there is no report.

    Args:
        address: as `is_address` takes it.
        context: its authority, and the client's certificate.
        within_s: the longest time in all.
    """
    try:
        device_id, said = _answer_of(address, context, time.monotonic() + within_s)
    except ssl.SSLError as error:
        return f"TLS failed: {getattr(error, 'verify_message', '') or error.reason or error}"
    except TimeoutError:
        return f"no answer within {within_s:g} s"
    except OSError as error:
        return f"no answer: {error.strerror or error}"
    if not said:
        return "no answer: it hung up"
    if len(said) > MOST_BYTES:
        return f"answered with more than {MOST_BYTES:,} bytes: not as `doorstep serve` does"
    return _read(said, device_id)


def is_address(text: str) -> bool:
    """Return whether it is https://NAME:PORT, with nothing behind it; the port may be left out."""
    is_printable = text.isascii() and text.isprintable() and " " not in text
    return is_printable and has_host(text) and _is_bare(text)


def _is_bare(text: str) -> bool:
    parts = urlsplit(text)
    try:
        (parts.hostname or "").encode("idna")
    except ValueError:  # a part of the name is empty or too long
        return False
    return text.rstrip("/") == f"https://{parts.netloc}"


def _answer_of(address: str, context: ssl.SSLContext, until_s: float) -> tuple[str, bytes]:
    """Return whose certificate was shown, and all that was said, up to a byte too many."""
    parts = urlsplit(address)
    request = f"GET /v1/status HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((parts.hostname, parts.port or 443), _left(until_s)) as plain:
        plain.settimeout(_left(until_s))
        with context.wrap_socket(plain, server_hostname=parts.hostname) as line:
            device_id = common_name(line.getpeercert() or {})
            line.sendall(request.encode())
            said = bytearray()
            while len(said) <= MOST_BYTES:
                line.settimeout(_left(until_s))
                if not (piece := line.recv(MOST_BYTES + 1 - len(said))):
                    break
                said += piece
    return device_id, bytes(said)


def _left(until_s: float) -> float:
    """Return the seconds left, or raise TimeoutError; a byte now and then gives no more time."""
    if (left_s := until_s - time.monotonic()) <= 0:
        raise TimeoutError
    return left_s


class _Heard(io.BytesIO):
    """The bytes that were heard, as the library wants to read them."""

    def makefile(self, mode: str) -> Self:
        """Return itself, which http.client asks its socket for."""
        del mode
        return self


def _read(said: bytes, device_id: str) -> StatusReport | str:
    status = "something"
    try:
        answer = http.client.HTTPResponse(cast(Any, _Heard(said)), method="GET")
        answer.begin()
        status = str(answer.status)
        found = read_json(answer.read())
        if answer.status != 200:
            return f"answered {status}: {printable(found['error'])[:SENTENCE_CHARS]}"
    except (http.client.HTTPException, *_NOT_AS_SERVE):
        found = None
    if not isinstance(found, dict):
        return f"answered {status}, but not as `doorstep serve` does"
    if not device_id:
        return "its certificate names no device: `devices names` and `doorstep enrol` make one"
    return of_document(found, device_id, datetime.now(UTC))


def common_name(certificate: Mapping[str, Any]) -> str:
    """Return the name in it, as TLS has verified; nothing if it has no name or several."""
    names = [
        value
        for part in certificate.get("subject", ())
        for key, value in part
        if key == "commonName"
    ]
    return names[0] if len(names) == 1 else ""
