"""The certificates that count: their authorities, their ends, and the kept ones."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.config import Config
from agent.errors import ConfigError, NotGenuine, NotNow
from agent.record import certificates, usages
from agent.record.certificates import Certificate, CertificateChain, Expected
from agent.record.signing import PublicKey
from agent.record.usages import Use
from agent.trust.keys import current_fleet_document
from agent.trust.store import TrustStore
from hardware.clock import BUILT, ClockSource
from hardware.clock_system import SystemWitness

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""Time by which an authority's clock may be ahead: it dates a certificate from its own now.

Source: the default clock skew of Kerberos (RFC 4120 section 8.2).
"""

DUE_AT: Final = 2 / 3
"""Share of its life after which a certificate is renewed: of a year, four months are left to try.

Source: letsencrypt.org/docs/integration-guide, "when to renew": a third of life left.
"""

BY_HAND: Final = (
    "`doorstep enrol --csr DIR` writes the requests, `--certificate` takes the certificates"
)
"""The renewal of certificates that come as files."""


def remedy(config: Config, by_sync: str) -> str:
    """Return how to get another certificate: by hand if they come as files, or else `by_sync`."""
    return BY_HAND if config.uses_certificate_files else by_sync


def now() -> datetime:
    """Return the time to judge certificates by; a clock before the build date knows nothing."""
    return max(datetime.now(UTC), BUILT)


def due(chain: CertificateChain, share: float = DUE_AT) -> datetime:
    """Return when to renew a certificate: when `share` of its life is over."""
    starts, ends = certificates.starts(chain[0]), certificates.ends(chain[0])
    return starts + (ends - starts) * share


def check_dates(certificate: Certificate) -> None:
    """Raise NotGenuine if the certificate has ended, or is not valid yet.

    Only a synchronised clock judges the beginning: any other may be years slow.
    """
    at = now()
    if (ended := certificates.ends(certificate)) <= at:
        raise NotGenuine(f"it ended on {ended:%Y-%m-%d}; is this device's clock right?")
    begins = certificates.starts(certificate)
    if begins > at + CLOCK_TOLERANCE and is_synchronised():
        words = "try again then, or have one made that is valid now"
        raise NotGenuine(f"not valid before {begins:%Y-%m-%d %H:%M} UTC; {words}")


def is_synchronised() -> bool:
    """Return True if the network or a receiver keeps this machine's clock right."""
    keeps = SystemWitness()() in {ClockSource.NTP, ClockSource.GNSS}
    return keeps and datetime.now(UTC) >= BUILT


def kept(store: TrustStore, use: Use) -> CertificateChain:
    """Return the certificate for `use` that capture verified and kept; empty if it is missing.

    One for evidence that is for TLS too counts as missing.
    """
    text = store.certificate(use)
    try:
        chain = () if text is None else certificates.read_pem(text)
        for leaf in chain[:1]:
            usages.check(use, leaf, ())
    except NotGenuine:
        return ()
    return chain


def good(
    store: TrustStore, use: Use, key: PublicKey, known: Expected, names: Collection[str] = ()
) -> CertificateChain:
    """Return the kept one if it is for this key and these names, by a trusted authority."""
    try:
        chain = certificates.issued(kept(store, use), key, known)
        usages.check(use, chain[0], names)
    except NotGenuine:
        return ()
    return chain


def expected(config: Config) -> Expected:
    """Return the rules for this device's certificates, by `identity.ca` and `next_ca`.

    Raises:
        ConfigError: `identity.ca` cannot be read as certificates, or is not set.
    """
    return Expected(config.device.id, (*given(config), *_next(config)))


def given(config: Config) -> CertificateChain:
    """Return the certificates in `identity.ca`. Raises as `expected` does."""
    path = config.identity.ca
    if path is None:
        raise ConfigError("identity.ca: missing; identity.mode required needs it")
    try:
        return certificates.read_authorities(path)
    except ConfigError as error:
        raise type(error)(f"identity.ca: {error}") from error


def _next(config: Config) -> CertificateChain:
    """Return the certificates that the fleet names; nothing if it names none, or none readable."""
    try:
        named = current_fleet_document(config).next_ca
        return () if named is None else certificates.read_pem(named.encode())
    except (NotNow, NotGenuine):
        return ()
