"""The reason why an exchange failed, as text for the queue and for a person."""

import http.client
import re
import ssl
from collections.abc import Iterator
from typing import Final

import urllib3  # noqa: TID251 - names what http.py's library raises

from agent.status.troubles import Trouble

_REFUSED: Final = re.compile("ALERT_(.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)")
"""OpenSSL's names for the alerts about our own certificate. Source: RFC 8446 section 6.2."""


_INVALID_CA: Final = 79
"""X509_V_ERR_INVALID_CA. Source: OpenSSL, x509_vfy.h."""

_STRANGE: Final = (ssl.SSLError, http.client.HTTPException, ValueError)
"""Errors if a server answers neither TLS nor HTTP: the libraries let all three through."""


def in_words(error: BaseException, whose: str, ca: str) -> str:
    """Describe the innermost cause for a person.

    Args:
        error: the error that was raised.
        whose: the other end.
        ca: the setting that names the trusted authorities.
    """
    causes = list(_causes(error))
    for cause in causes:
        match cause:
            case ssl.SSLError() if _is_about_certificates(cause):
                return _about_certificates(cause, whose, ca)
            case urllib3.exceptions.NameResolutionError():
                return f"{whose}'s name is not found; is there a network?"
            case urllib3.exceptions.NewConnectionError():
                continue  # also a ConnectTimeoutError, though it is not
            case urllib3.exceptions.ConnectTimeoutError():
                return f"{whose} cannot be reached: no connection in time"
            case _ if _is_cut(cause):
                return "the connection was cut before an answer came"
            case TimeoutError() | urllib3.exceptions.ReadTimeoutError():
                return f"{whose} went silent"
    last = causes[-1]
    detail = getattr(last, "strerror", None) or str(last) or type(last).__name__
    return f"the connection failed: {detail[:200]}"


def blocked_reason(error: BaseException) -> Trouble:
    """Return the trouble that an error means for this device.

    A connection that is cut without an alert is no trouble with certificates: mobile ones are cut
    all day.
    """
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError) and _is_about_certificates(cause) for cause in causes):
        return Trouble.CERTIFICATE
    is_cut = any(map(_is_cut, causes)) or any(
        isinstance(cause, urllib3.exceptions.IncompleteRead) for cause in causes
    )
    is_strange = any(isinstance(cause, _STRANGE) for cause in causes)
    return Trouble.NO_ANSWER if is_strange and not is_cut else Trouble.NO_NETWORK


def is_unverified(error: BaseException) -> bool:
    """Return True if the other end did not prove its identity."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def is_turned_away(error: BaseException) -> bool:
    """Return True if the other end cut the connection, or sent an alert about our own certificate.

    A server that verifies certificates in TLS may do either, before or after our handshake is done.
    """
    return any(
        _is_cut(cause)
        or (isinstance(cause, ssl.SSLError) and bool(_REFUSED.search(_reason(cause))))
        for cause in _causes(error)
    )


def _is_cut(cause: BaseException) -> bool:
    match cause:
        case (
            ConnectionResetError()
            | BrokenPipeError()
            | ssl.SSLEOFError()
            | ssl.SSLZeroReturnError()  # a close in the handshake, on Python 3.11
            | ssl.SSLError(library="SYS")
        ):
            return True
    return False


def _is_about_certificates(error: ssl.SSLError) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError) or bool(_REFUSED.search(_reason(error)))


def _about_certificates(error: ssl.SSLError, whose: str, ca: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"{whose}'s certificate does not verify: {error.verify_message}"
        if error.verify_code == _INVALID_CA:
            needs = "needs CA:TRUE, and keyCertSign if it has a keyUsage"
            return f"{why}: each authority's certificate {needs}; issue it again, check {ca}"
        return f"{why}; check {ca} and this device's clock"
    alert = _reason(error).partition("ALERT_")[2].replace("_", " ").lower()
    remedy = "`doorstep doctor` says how it is, `doorstep enrol` gets another"
    return f"{whose} refuses this device's certificate ({alert}); {remedy}"


def _reason(error: ssl.SSLError) -> str:
    return str(getattr(error, "reason", ""))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        # urllib3 keeps some causes among its arguments only
        inner = next((one for one in seen.args if isinstance(one, BaseException)), None)
        seen = seen.__cause__ or seen.__context__ or inner
