"""The demands of TLS on a certificate: the same with every Python and OpenSSL.

Python's own defaults differ: since 3.13 `ssl.create_default_context` sets VERIFY_X509_STRICT and
VERIFY_X509_PARTIAL_CHAIN, and Debian's builds leave the lowest version to `openssl.cnf`.

An authority without a key usage is accepted, as `openssl req -x509` makes it. Strict checking would
refuse an authority that a company has had for years, and protects nobody: a path needs
`keyCertSign` only if there is a key usage (RFC 5280 section 6.1.4 n), and root chose the authority.
Without it OpenSSL still refuses an issuer that is no CA, or whose key usage lacks `keyCertSign`.
"""

import ssl
from pathlib import Path
from typing import Final

NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME. Source: OpenSSL, x509_vfy.h; X509_VERIFY_PARAM_set_flags(3)."""


def new_context(purpose: ssl.Purpose, ca: Path | None = None) -> ssl.SSLContext:
    """Return a context of TLS 1.2 or later.

    Args:
        purpose: SERVER_AUTH for a client, which verifies; CLIENT_AUTH for a server, which does not
            ask for a certificate until its caller says so.
        ca: trusted certificates, PEM; None for a client trusts the system's.

    Raises:
        OSError: `ca` cannot be read as certificates.
    """
    context = ssl.create_default_context(purpose, cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A trusted authority may be an intermediate one.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
