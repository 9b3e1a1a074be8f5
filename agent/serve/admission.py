"""Admission of clients: the client's certificate against the configuration. Pure.

TLS has verified that the certificate is the fleet's; its end is judged here, so that the answer
can name it. Its beginning is not judged: a device with a slow clock could not report that.
"""

import ssl
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Peer = Mapping[str, Any] | None
"""Result of `SSLSocket.getpeercert()`; None if no certificate was shown."""


class DenialReason(StrEnum):
    """The reason why a client is not admitted; a closed list."""

    NO_CERTIFICATE = "no_certificate"
    ENDED = "certificate_ended"
    NOT_LISTED = "not_listed"


@dataclass(frozen=True, slots=True)
class Denial:
    """The reason for a refusal: a kind for the log, and a sentence for the client."""

    kind: DenialReason
    sentence: str


def refusal(peer: Peer, clients: Collection[str], now: datetime) -> Denial | None:
    """Return why this client may not ask; None if it may."""
    if not peer:
        return Denial(
            DenialReason.NO_CERTIFICATE, "no client certificate was shown; show the fleet's"
        )
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(peer["notAfter"]), UTC)
    if now >= ends:
        words = f"the client certificate ended on {ends:%Y-%m-%d}, by this device's clock"
        return Denial(DenialReason.ENDED, f"{words}; have a new one issued")
    names = list(_common_names(peer))
    if len(names) != 1 or names[0] not in clients:
        named = f"{names[0]!r} is" if len(names) == 1 else "a certificate of no single name is"
        words = f"{named} not among serve.clients in this device's configuration"
        return Denial(DenialReason.NOT_LISTED, words)
    return None


def _common_names(peer: Mapping[str, Any]) -> Iterator[str]:
    for parts in peer["subject"]:
        yield from (value for name, value in parts if name == "commonName")
