"""The certificates that capture verifies and keeps in `trust/`: for evidence, and for serve."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from agent.config import Config
from agent.errors import DoorstepError, NotGenuine
from agent.identity import authorities, requested
from agent.identity.authorities import check_dates, expected, now
from agent.process.offer_result import ACCEPTED, OfferResult
from agent.queue.paths import Layout
from agent.record import certificates, usages
from agent.record.certificates import Certificate, CertificateChain, Request
from agent.record.signing import PrivateKey, PublicKey
from agent.record.usages import Use
from agent.trust.store import TrustStore


class CaptureCertificate:
    """A certificate that counts if capture says so.

    Attributes:
        use: of the certificate.
        chain: the kept certificate, and those above it; empty without one.
    """

    use: ClassVar[Use]

    def __init__(self, config: Config) -> None:
        self._config = config
        self._store = TrustStore(Layout.of(config.state))
        self.chain = authorities.kept(self._store, self.use)

    @property
    def ends(self) -> datetime | None:
        """End of the kept certificate; None if it is missing."""
        return certificates.ends(self.chain[0]) if self.chain else None

    def offer(self, text: str) -> OfferResult:
        """Accept a certificate that counts; it is durable when this returns."""
        try:
            self._take(text)
        except NotGenuine as error:
            return OfferResult(str(error))
        except DoorstepError as error:
            return OfferResult(str(error), retry=True)
        return ACCEPTED

    def _take(self, text: str) -> None:
        """Keep this chain, PEM, if it is the requested one; otherwise the kept one stays."""
        (key, names), known = self._requested(), expected(self._config)
        chain = certificates.issued(certificates.read_pem(text.encode()), key, known)
        usages.check(self.use, chain[0], names)
        check_dates(chain[0])
        kept = authorities.good(self._store, self.use, key, known, names)
        if kept:
            self._check_not_worse(chain[0], kept[0])
        self._keep(chain)

    def _requested(self) -> tuple[PublicKey, Collection[str]]:
        """Return the key and the names that a certificate must be for."""
        raise NotImplementedError

    def _check_not_worse(self, given: Certificate, kept: Certificate) -> None:
        """Raise NotGenuine if the `kept` one, which counts, ends later: old ones are replayed."""
        if certificates.ends(given) < (ends := certificates.ends(kept)):
            words = f"the one that is kept counts until {ends:%Y-%m-%d}"
            raise NotGenuine(f"it ends on {certificates.ends(given):%Y-%m-%d}, and {words}")

    def _keep(self, chain: CertificateChain) -> None:
        self._store.keep_certificate(self.use, certificates.pem(chain))
        self.chain = chain


class Evidence(CaptureCertificate):
    """The certificate for the key that signs records; one for another key counts as missing.

    Args:
        config: with identity required.
        key: the signing key.

    Attributes:
        key: as given.
    """

    use = Use.EVIDENCE

    def __init__(self, config: Config, key: PrivateKey) -> None:
        super().__init__(config)
        self.key = key
        if self.chain and not certificates.is_for(self.chain[0], key.public_key()):
            self.chain = ()

    def request(self) -> str:
        """Return a request to an authority: PKCS#10, PEM.

        With certificates as files, it is durable, and the same until it is answered. Raises as
        `requested.request` does.
        """

        def keep(text: str) -> None:
            self._store.keep_request(self.use, text)

        kept = self._store.request(self.use)
        return requested.request(self._config, self.use, self.key, kept, keep)

    def _requested(self) -> tuple[PublicKey, Collection[str]]:
        return self.key.public_key(), ()

    def _check_not_worse(self, given: Certificate, kept: Certificate) -> None:
        """Raise NotGenuine if the kept one is valid for longer, or for photos too."""
        super()._check_not_worse(given, kept)
        is_for_photos = now() < certificates.ends(kept) and not without_photos(kept)
        if is_for_photos and (why := without_photos(given)):
            raise NotGenuine(f"{why}, unlike the present one")

    def _keep(self, chain: CertificateChain) -> None:
        self._store.delete_request(self.use)  # first: once answered, a cut must not leave it
        super()._keep(chain)


def without_photos(certificate: Certificate) -> str | None:
    """Return why no photo's Content Credentials can be signed for it; None if they can."""
    try:
        usages.check_credentials(certificate)
    except NotGenuine as error:
        return str(error)
    return None


class ServeCertificate(CaptureCertificate):
    """The certificate that `doorstep serve` shows: serve has the key.

    The request is in `trust/`, where capture alone writes: `doorstep enrol` puts it there as
    capture. It never comes through the socket: otherwise a member of the group could replace
    serve's certificate by one for a key of their own.
    """

    use = Use.SERVE

    def ask_with(self, text: str) -> str:
        """Keep this request, PEM, unless the kept one asks for the same; return the one in force.

        It is durable when this returns. Raises NotGenuine if `text` is no request.
        """
        asked, kept = certificates.read_request(text), self._request()
        if kept is not None and self._is_same(asked, kept):  # each signature differs
            return certificates.request_pem(kept)
        self._store.keep_request(self.use, certificates.request_pem(asked))
        return certificates.request_pem(asked)

    def _is_same(self, asked: Request, kept: Request) -> bool:
        if self._config.uses_certificate_files:
            known = requested.wanted(self._config, self.use)
            return known.is_asked_by(certificates.request_pem(kept), asked.key)
        return replace(kept, der=asked.der) == asked

    def _requested(self) -> tuple[PublicKey, Collection[str]]:
        if (asked := self._request()) is None:
            raise NotGenuine("none was asked for: `doorstep enrol` does, where serve.names says so")
        return asked.key, asked.names

    def _request(self) -> Request | None:
        """Return the request in `trust/`; one that cannot be read counts as missing."""
        text = self._store.request(self.use)
        try:
            return None if text is None else certificates.read_request(text)
        except NotGenuine:
            return None
