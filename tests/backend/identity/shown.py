"""Which certificate a request shows."""

from collections.abc import Callable
from typing import Any

from cryptography import x509

from tests.backend.wire.connections import connection_of

Shown = Callable[[Any], int | None]
"""From an ASGI scope to the serial of the certificate that is shown; None where none counts."""


def by_tls(scope: Any) -> int | None:
    """Of the one that TLS verified here, its dates apart."""
    der = connection_of(scope).client_certificate()
    return None if der is None else x509.load_der_x509_certificate(der).serial_number
