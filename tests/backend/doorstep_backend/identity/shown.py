"""Which certificate a request shows: the one of its TLS, or the one that a proxy passes on."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from doorstep_backend.wire.connections import connection_of

HEADER: Final = b"ssl-client-cert"
"""Header of a proxy that ends TLS: PEM, percent-encoded, as nginx has it in
`$ssl_client_escaped_cert`; ingress-nginx calls the header so too."""

Shown = Callable[[Any], int | None]
"""From an ASGI scope to the serial of the certificate that is shown; None where none counts."""


def serial_by_tls(scope: Any) -> int | None:
    """Return the serial of the certificate that TLS verified here, its dates apart."""
    der = connection_of(scope).client_certificate()
    return None if der is None else x509.load_der_x509_certificate(der).serial_number


@dataclass(frozen=True, slots=True)
class ProxyCertificate:
    """The certificate that a proxy passes on; its TLS has seen that the client holds the key.

    Who signed it is verified here: of several faults nginx tells the last one only, and a foreign
    certificate that has expired is told as expired.

    Attributes:
        ca: the fleet's; it signs clients' certificates directly.
        proxies: network addresses; what anybody else says of certificates is not read.
    """

    ca: x509.Certificate
    proxies: Collection[str]

    def __call__(self, scope: Any) -> int | None:
        """Return the serial; None if no proxy of ours shows it, or the CA did not sign it."""
        if connection_of(scope).peer not in self.proxies:
            return None
        found = passed_on(scope["headers"])
        return found.serial_number if found is not None and is_issued(found, self.ca) else None


def passed_on(headers: Iterable[tuple[bytes, bytes]]) -> x509.Certificate | None:
    """Return the certificate in the headers of a request; None unless it is there once. Pure."""
    found = [value for name, value in headers if name == HEADER]
    if len(found) != 1:
        return None
    try:
        return x509.load_pem_x509_certificate(unquote_to_bytes(found[0]))
    except (ValueError, x509.InvalidVersion):
        return None


def is_issued(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    """Return whether this CA signed it; its dates are not looked at. Pure."""
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
