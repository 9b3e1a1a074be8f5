"""Why an exchange failed, in words for the queue and for a tired person."""

import ssl
from collections.abc import Iterator

import urllib3  # noqa: TID251 - names what the door's library raises


def in_words(error: BaseException) -> str:
    """The innermost cause, in words."""
    causes = list(_causes(error))
    for cause in causes:
        match cause:
            case ssl.SSLCertVerificationError():
                why = f"the backend's certificate does not verify: {cause.verify_message}"
                return f"{why}; check backend.ca and this device's clock"
            case urllib3.exceptions.NameResolutionError():
                return "the backend's name is not found; is there a network?"
            case urllib3.exceptions.NewConnectionError():
                continue  # also a ConnectTimeoutError, though it is not
            case urllib3.exceptions.ConnectTimeoutError():
                return "the backend cannot be reached: no connection in time"
            case (
                ConnectionResetError()
                | BrokenPipeError()
                | ssl.SSLEOFError()
                | ssl.SSLError(library="SYS")
            ):
                return "the connection was cut before an answer came"
            case TimeoutError() | urllib3.exceptions.ReadTimeoutError():
                return "the backend went silent"
    last = causes[-1]
    detail = getattr(last, "strerror", None) or str(last) or type(last).__name__
    return f"the connection failed: {detail[:200]}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        # urllib3 keeps some causes among its arguments only
        inner = next((one for one in seen.args if isinstance(one, BaseException)), None)
        seen = seen.__cause__ or seen.__context__ or inner
