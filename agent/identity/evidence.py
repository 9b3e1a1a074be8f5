"""The evidence certificate: capture has the key, asks for it, and alone decides what counts."""

from datetime import datetime
from functools import partial

from agent.config import Config
from agent.errors import NotGenuine
from agent.identity.authorities import (
    check_dates,
    expected,
    good_evidence,
    kept_evidence,
    now,
)
from agent.identity.offered import check_not_shorter, result
from agent.identity.requested import unanswered, wanted
from agent.process.offer_result import OfferResult
from agent.queue.paths import Layout
from agent.record import certificates, usages
from agent.record.certificates import Certificate, CertificateChain
from agent.record.signing import PrivateKey
from agent.record.usages import Use
from agent.trust.store import TrustStore


class Evidence:
    """The certificate for the key that signs records.

    Args:
        config: with identity required.
        key: the signing key.

    Attributes:
        key: as given.
        chain: the kept certificate, and those above it; empty if none is for this key.
    """

    def __init__(self, config: Config, key: PrivateKey) -> None:
        self._config = config
        self.key = key
        self._store = TrustStore(Layout.of(config.state))
        self.chain = self._kept()

    @property
    def ends(self) -> datetime | None:
        """End of the kept certificate for this key; None if it is missing."""
        return certificates.ends(self.chain[0]) if self.chain else None

    def request(self) -> str:
        """Return a request to an authority: PKCS#10, PEM.

        With certificates as files, it is durable, and the same until it is answered.

        Raises:
            ConfigError: with certificates as files, `identity.ca` cannot be read.
            StorageFault: the request could not be kept.
        """
        if self._config.uses_certificate_files:
            asked, kept = wanted(self._config, Use.EVIDENCE), self._store.evidence_request()
            return unanswered(asked, self.key, kept, self._store.keep_evidence_request)
        return certificates.request_pem(certificates.request(self.key, self._config.device.id))

    def offer(self, text: str) -> OfferResult:
        """Accept a certificate that counts; it is durable when this returns."""
        return result(partial(self._take, text))

    def _take(self, text: str) -> None:
        """Keep this chain, PEM, if it is for this key and device; otherwise the kept one stays."""
        found = certificates.read_pem(text.encode())
        chain = certificates.issued(found, self.key.public_key(), expected(self._config))
        usages.check_evidence(chain[0])
        check_dates(chain[0])
        self._check_not_worse(chain)
        self._store.delete_evidence_request()  # first: once answered, a cut must not leave it
        self._store.keep_evidence(certificates.pem(chain))
        self.chain = chain

    def _kept(self) -> CertificateChain:
        kept = kept_evidence(self._store)
        return kept if kept and certificates.is_for(kept[0], self.key.public_key()) else ()

    def _check_not_worse(self, chain: CertificateChain) -> None:
        """Raise NotGenuine if the kept one is valid for longer, or for photos too."""
        kept = good_evidence(self._store, self.key.public_key(), expected(self._config))
        check_not_shorter(chain, kept)
        if kept and now() < certificates.ends(kept[0]) and _is_for_photos(kept[0]):
            try:
                usages.check_credentials(chain[0])
            except NotGenuine as error:
                raise NotGenuine(f"{error}, unlike the present one") from error


def _is_for_photos(certificate: Certificate) -> bool:
    try:
        usages.check_credentials(certificate)
    except NotGenuine:
        return False
    return True
