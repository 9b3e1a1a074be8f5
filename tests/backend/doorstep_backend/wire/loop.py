"""The event loop of the server: uvicorn has no setting for how long TLS may take."""

import asyncio
from typing import Any

from doorstep_backend.wire.connection_timeouts import HANDSHAKE_S


class HandshakeTimeoutLoop(asyncio.SelectorEventLoop):
    """A loop that ends a TLS handshake, or a TLS goodbye, without an answer."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        """Make a server, with HANDSHAKE_S as the limit of a TLS handshake and its end."""
        if kwargs.get("ssl") is not None:
            kwargs |= {"ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": HANDSHAKE_S}
        return await super().create_server(*args, **kwargs)
