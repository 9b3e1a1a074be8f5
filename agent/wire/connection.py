"""The kept connection of `agent.wire.http`, and its TLS, where urllib3 and requests differ."""

import http.client
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import urllib3  # noqa: TID251 - belongs to http.py
from requests.adapters import HTTPAdapter  # noqa: TID251 - belongs to http.py
from urllib3.connection import HTTPSConnection  # noqa: TID251 - belongs to http.py
from urllib3.connectionpool import HTTPSConnectionPool  # noqa: TID251 - belongs to http.py

from agent.wire.stall import StallLimit

UNSENT_LIMIT_BYTES: Final = 16_384
"""Most bytes that the kernel takes before they are sent: one piece of a body.

Otherwise megabytes count as sent while a slow line still has to carry them. Source: tcp(7).
"""


class Adapter(HTTPAdapter):
    """The adapter that trusts only the given context, and gives connections to the stall limit."""

    def __init__(self, trust: ssl.SSLContext, stall: StallLimit, send_s: float) -> None:
        super().__init__()
        self.poolmanager = urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=trust)
        pool = partial(_pool, partial(_Connection, stall, send_s))
        self.poolmanager.pool_classes_by_scheme = {"https": pool}

        self._verifies = "CERT_REQUIRED"
        if trust.verify_mode is ssl.CERT_NONE:  # compared with a pin, see agent.wire.tls
            self._verifies = "CERT_NONE"
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ARG002 - requests' signature
        """Ask of a connection what was decided here."""
        conn.cert_reqs = self._verifies  # requests would trust its own certificates too


def _pool(connect: Callable[..., Any], *args: Any, **kwargs: Any) -> HTTPSConnectionPool:
    made = HTTPSConnectionPool(*args, **kwargs)
    made.ConnectionCls = connect  # type: ignore[assignment]  # called with what a class takes
    return made


class _Connection(HTTPSConnection):
    def __init__(self, stall: StallLimit, send_s: float, *args: Any, **kwargs: Any) -> None:
        options = [
            *HTTPSConnection.default_socket_options,
            (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_LIMIT_BYTES),
        ]
        super().__init__(*args, **kwargs | {"socket_options": options})
        self._stall = stall
        self._send_s = send_s
        self._begun: http.client.HTTPResponse | None = None
        self.response_class = self._begin  # type: ignore[assignment]  # called as the class would be

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 does
        """Return the answer; close it if urllib3 refuses it, because its socket would stay open."""
        try:
            return super().getresponse()
        except BaseException:
            if self._begun is not None:
                self._begun.close()
            raise

    def _begin(self, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        self._begun = http.client.HTTPResponse(*args, **kwargs)
        return self._begun

    def _new_conn(self) -> socket.socket:
        line = super()._new_conn()
        self._stall.watch(line)
        return line

    def send(self, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self._send_s)  # urllib3 leaves the one for connecting
        super().send(data)
        self._stall.note_progress()

    def close(self) -> None:
        super().close()
        self._stall.closed()
