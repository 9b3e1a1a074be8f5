"""The client of a request, by HTTP Basic (RFC 7617)."""

import base64

from starlette.exceptions import HTTPException
from starlette.requests import Request


def basic(request: Request) -> tuple[str, str]:
    """Return name and password of HTTP Basic (RFC 7617). Raises 401 without them."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    try:
        name, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
        name, colon, password = "", "", ""
    if scheme.lower() != "basic" or not colon or not name:
        raise unauthorised("name the device by HTTP Basic")
    return name, password


def unauthorised(words: str) -> HTTPException:
    """Return the 401 to raise, which asks for HTTP Basic."""
    return HTTPException(401, words, {"WWW-Authenticate": 'Basic realm="doorstep"'})
