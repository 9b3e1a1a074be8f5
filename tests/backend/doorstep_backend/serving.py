"""The server: its listener, and uvicorn set up in one way."""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Collection, Generator
from typing import Final

import uvicorn
from starlette.applications import Starlette

from doorstep_backend.wire.connections import TimeoutProtocol
from doorstep_backend.wire.listener import Listener, give_up_early
from doorstep_backend.wire.places import ConnectionLimits

HOST: Final = "127.0.0.1"
"""Only behind a proxy it may be asked from elsewhere than this machine."""

IDLE_S: Final = 5
"""Time for which an idle connection is kept. Source: uvicorn's own default."""

BEHIND_PROXY_IDLE_S: Final = 75
"""Longer than the 60 s of nginx (keepalive_timeout of an upstream): who ends it first must not be
who is asked. With 5 s, nginx asked on a connection that was just ended, and answered 502 for one
request in 500.
"""

FINISH_S: Final = 20
"""Time for requests under way once the server is to end: on a slow line a device sends a piece
in less; systemd kills after 90 s, Kubernetes after 30 s.
"""

ONLY_TLS: Final = ("Strict-Transport-Security", "max-age=31536000")
"""On every answer: a browser that was here asks by HTTPS for a year. Source: RFC 6797, OWASP."""


class FinishingServer(uvicorn.Server):
    """A server that ends on SIGTERM: it accepts no more, and finishes within FINISH_S at most.

    SIGINT and SIGKILL end it at once: what it has answered survives that too.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Let SIGTERM finish the server, as uvicorn does, and SIGINT end the process at once."""
        with super().capture_signals():
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End connections without TLS now, all others when they finish or after FINISH_S."""
        give_up_early()
        late = asyncio.get_running_loop().call_later(FINISH_S, self._cut)
        await super().shutdown(sockets)
        late.cancel()

    def _cut(self) -> None:
        """End every connection; what was received of a body stays, as when the line is cut."""
        for one in list(self.server_state.connections):
            one.transport.abort()


def server_config(
    app: Starlette,
    context: ssl.SSLContext | None = None,
    idle_s: int = IDLE_S,
    proxies: Collection[str] = (),
    protocol: type[TimeoutProtocol] = TimeoutProtocol,
) -> uvicorn.Config:
    """Set uvicorn up over TLS with a context; without one, a proxy ends TLS.

    Of `proxies` alone X-Forwarded-For and X-Forwarded-Proto are believed.
    """
    config = uvicorn.Config(
        app,
        http=protocol,
        loop="doorstep_backend.wire.loop:HandshakeTimeoutLoop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=[ONLY_TLS],
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_keep_alive=idle_s,
        timeout_graceful_shutdown=FINISH_S + 1,  # for what does not see that its line was cut
    )
    if context is not None:
        config.ssl_context_factory = lambda _config, _default: context
    return config


def listen(port: int, host: str = HOST, limits: ConnectionLimits | None = None) -> socket.socket:
    """Return a socket that listens on IPv4, limited as `limits` says; port 0 takes a free port.

    Raises:
        OSError: `host` is no address of this machine, or the port is taken.
    """
    # asyncio turns Nagle's delay off only where the protocol is named: 40 ms per answer.
    listener = Listener(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, limits=limits or ConnectionLimits()
    )
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    return listener
