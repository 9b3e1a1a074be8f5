"""Requests as the backend's server hands them on, made without a line."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import Message


def asked_with(headers: Mapping[bytes, bytes], body: bytes = b"", query: bytes = b"") -> Request:
    """Return a request; a header has no line break, since the server in front takes none."""
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
