"""Requests as the backend's server passes them on, made without a connection."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import Message


def asked_with(headers: Mapping[bytes, bytes], body: bytes = b"", query: bytes = b"") -> Request:
    """Return a request; headers have no line break, because the server in front refuses them."""
    pairs = [
        (name, value.replace(b"\r", b" ").replace(b"\n", b" ")) for name, value in headers.items()
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": pairs,
        "query_string": query,
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)
