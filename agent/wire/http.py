"""The HTTP client: TLS, limits, one connection; answers are values, failures are one error.

requests stays, as the client that most readers know; this module uses its requests and adapter, but
no Session: a Session follows redirects, keeps cookies and obeys the environment.
"""

import base64
import http.client
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import requests  # noqa: TID251 - the only importer
import urllib3  # noqa: TID251 - the only importer

from agent import __version__
from agent.config import BackendSettings
from agent.errors import ConfigError, DoorstepError, ExitCode, NotEnrolled, NotNow
from agent.status import header
from agent.status.troubles import Trouble
from agent.wire.connection import Adapter
from agent.wire.failure import blocked_reason, in_words, is_turned_away, is_unverified
from agent.wire.stall import StallLimit
from agent.wire.tls import ClientTls
from agent.wire.tus import Answer

TUS_VERSION: Final = "1.0.0"
"""Source: tus resumable upload protocol, header Tus-Resumable."""

BODY_TYPE: Final = "application/offset+octet-stream"
"""Media type of upload bytes. Source: tus 1.0, PATCH."""

ANSWER_LIMIT_BYTES: Final = 65_536
"""Most of an answer's body that is read: 100 receipts are 40 KB."""

DOCUMENT_LIMIT_BYTES: Final = 4_194_304
"""Most of a document that is read: as long a manifest as `agent.rule.manifest` takes."""

_ALWAYS: Final = {
    "Accept-Encoding": "identity",
    "Tus-Resumable": TUS_VERSION,
    "User-Agent": f"doorstep/{__version__}",
}
"""Headers of every request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of time, in seconds.

    Attributes:
        connect_s: a TCP connection, per address of the backend; and the TLS handshake.
        read_s: the next bytes of an answer, or the taking of one piece. Ten times the 3 s that
            @tus/server 2.4.5 needs to notice a dead connection (November 2026).
        progress_s: between two pieces that went out or came in: twice `read_s`.
        attempt_s: one whole attempt: 2 MB at 32 kbit/s. A claim lasts longer.
    """

    connect_s: float = 15.0
    read_s: float = 30.0
    progress_s: float = 60.0
    attempt_s: float = 540.0


class NoAnswer(DoorstepError, OSError):
    """The lack of a usable answer; the message gives the reason, for the queue.

    Attributes:
        blocked_reason: the trouble that it means for this device.
    """

    exit_code = ExitCode.LATER

    def __init__(self, message: str, blocked_reason: Trouble = Trouble.NO_NETWORK) -> None:
        super().__init__(message)
        self.blocked_reason = blocked_reason


class NotVerified(NoAnswer):
    """A server that did not prove its identity."""

    exit_code = ExitCode.NOT_GENUINE


class TurnedAway(NoAnswer):
    """A server that hung up, or refuses this device's certificate in TLS."""


class HttpClient:
    """Requests to one server over one kept connection, for one thread.

    Args:
        tls: trust and certificate; a changed file counts from the next request on.
        limits: limits of time.
        alive: called whenever a transfer makes progress.
        whose: name of the other end, for messages.

    Raises:
        ConfigError: the trusted certificates cannot be read.
    """

    def __init__(
        self,
        tls: ClientTls,
        limits: Limits = Limits(),
        alive: Callable[[], None] = lambda: None,
        whose: str = "the backend",
    ) -> None:
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of every odd header
        self._tls = tls
        self._limits = limits
        self._whose = whose
        self._stall = StallLimit(limits.progress_s, limits.attempt_s, alive)
        self._adapter: Adapter | None = None
        with suppress(NotNow):
            self._renew()

    def attempt(self) -> AbstractContextManager[None]:
        """Limit all requests within the block to the time of one attempt."""
        return self._stall.attempt()

    def interrupt(self) -> None:
        """End what is running, from another thread; every later request raises NoAnswer."""
        self._stall.close("this program is being stopped")

    def hang_up(self) -> None:
        """Close the connection; the next request makes another.

        What was answered once too often, by a proxy or a retry, would be taken for the next answer,
        and all later ones for the one after them.
        """
        if self._adapter is not None:
            self._adapter.close()

    def close(self) -> None:
        """Close the connection for good."""
        self.hang_up()
        self._stall.release()

    def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Answer:
        body = None if content is None else io.BytesIO(content)
        timeout = self._limits.connect_s, self._limits.read_s
        with self._named_errors():
            adapter = self._renew()
            request = requests.Request(method, url, _ALWAYS | headers, data=body).prepare()
            with adapter.send(request, stream=True, timeout=timeout) as response:
                return self._answer(response, limit_bytes)

    def _renew(self) -> Adapter:
        """Return the adapter to send with, a new one after a file of TLS has changed."""
        if (context := self._tls.renewed()) is not None or self._adapter is None:
            self.hang_up()
            assert context is not None  # the first time it is news
            self._adapter = Adapter(context, self._stall, self._limits.read_s)
        return self._adapter

    def _answer(self, response: requests.Response, limit_bytes: int) -> Answer:
        self._stall.note_progress()
        body = b"".join(self._pieces(response.raw, limit_bytes))
        if response.status_code < 200:
            self.hang_up()  # another answer may follow, and would be taken for the next
        return Answer(response.status_code, response.headers, body[:limit_bytes])

    def _pieces(self, raw: urllib3.HTTPResponse, limit_bytes: int) -> Iterator[bytes]:
        left = limit_bytes + 1
        while left > 0 and (piece := raw.read1(left, decode_content=False)):
            self._stall.note_progress()
            left -= len(piece)
            yield piece

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        if self._stall.end_reason:
            raise NoAnswer(self._stall.end_reason)
        try:
            yield
        except NotEnrolled as error:
            raise NoAnswer(str(error), Trouble.NOT_ENROLLED) from error
        except (ConfigError, NotNow) as error:  # what TLS is made of, as it is now
            raise NoAnswer(str(error), Trouble.CERTIFICATE) from error
        except (
            OSError,  # requests' own errors among them
            http.client.HTTPException,
            urllib3.exceptions.HTTPError,
            ValueError,  # what the libraries leak for headers that are no headers
        ) as error:
            self.hang_up()  # half an exchange may be left on the connection
            if self._stall.end_reason:  # it was ended here
                raise NoAnswer(self._stall.end_reason) from error
            words = in_words(error, self._whose, self._tls.setting)
            raise _kind(error)(words, blocked_reason(error)) from error
        finally:
            self._stall.release_if_closed()


class Backend(HttpClient):
    """The backend's own requests.

    Args:
        settings: its address and, without `tls`, its trusted certificates.
        limits, alive, tls: as of HttpClient.
    """

    def __init__(
        self,
        settings: BackendSettings,
        limits: Limits = Limits(),
        alive: Callable[[], None] = lambda: None,
        tls: ClientTls | None = None,
    ) -> None:
        super().__init__(tls or ClientTls(settings.ca), limits, alive)
        self.base = settings.url.rstrip("/")
        self._carried: dict[str, str] = {}

    def carry(self, status: str) -> None:
        """Put a status into `Doorstep-Status` of the next request, and of no other."""
        self._carried = {header.NAME: status}

    def create(self, length: int, metadata: str, content: bytes | None) -> Answer:
        """POST a new upload of `length` bytes, with its whole content or with none of it."""
        headers = {"Upload-Length": str(length), "Upload-Metadata": metadata}
        if content is not None:
            headers["Content-Type"] = BODY_TYPE
        return self._ask("POST", f"{self.base}/files", headers, content)

    def offset(self, url: str) -> Answer:
        """Ask by HEAD how much of an upload the backend has."""
        return self._ask("HEAD", url, {}, None)

    def append(self, url: str, offset: int, piece: bytes) -> Answer:
        """PATCH a piece of an upload on to what is there."""
        headers = {"Upload-Offset": str(offset), "Content-Type": BODY_TYPE}
        return self._ask("PATCH", url, headers, piece)

    def receipts(self, question: bytes) -> Answer:
        """POST a JSON question for receipts."""
        headers = {"Content-Type": "application/json"}
        return self._ask("POST", f"{self.base}/receipts", headers, question)

    def retire(self, question: bytes) -> Answer:
        """POST a JSON question to end a device for good."""
        headers = {"Content-Type": "application/json"}
        return self._ask("POST", f"{self.base}/retire", headers, question)

    def manifest(self, etag: str | None, *, device_id: str | None = None) -> Answer:
        """GET this device's manifest, unless it is still the one with `etag`.

        `device_id` names the device where no certificate does. It proves nothing.
        """
        headers = {} if device_id is None else {"Authorization": basic(device_id)}
        return self._get("manifest", etag, headers)

    def fleet(self, etag: str | None) -> Answer:
        """GET the fleet document, unless it is still the one with `etag`."""
        return self._get("fleet", etag, {})

    def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | None,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Answer:
        carried, self._carried = self._carried, {}
        return super()._ask(method, url, headers | carried, content, limit_bytes)

    def _get(self, name: str, etag: str | None, headers: dict[str, str]) -> Answer:
        wanted = headers | ({"If-None-Match": etag} if etag else {})
        return self._ask("GET", f"{self.base}/{name}", wanted, None, DOCUMENT_LIMIT_BYTES)


def _kind(error: Exception) -> type[NoAnswer]:
    if is_unverified(error):
        return NotVerified
    return TurnedAway if is_turned_away(error) else NoAnswer


def basic(name: str, password: str = "") -> str:
    """Name and password in an Authorization header. Source: RFC 7617 section 2."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"
