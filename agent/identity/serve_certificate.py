"""Serve's certificate: serve has the key, capture alone decides which certificate counts for it."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from agent.config import Config
from agent.errors import NotGenuine
from agent.identity.authorities import check_dates, expected, good_serve, kept_serve
from agent.identity.offered import check_not_shorter, result
from agent.identity.requested import wanted
from agent.process.offer_result import OfferResult
from agent.queue.paths import Layout
from agent.record import certificates, usages
from agent.record.certificates import Request
from agent.record.usages import Use
from agent.trust.store import TrustStore


class ServeCertificate:
    """The certificate that `doorstep serve` shows, and the request that it is for.

    The request is in `trust/`, where capture alone writes: `doorstep enrol` puts it there as
    capture. It never comes through the socket: otherwise a member of the group could replace
    serve's certificate by one for a key of their own.

    Args:
        config: with identity required, if a certificate is offered.

    Attributes:
        ends: end of the kept certificate; None without one.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._store = TrustStore(Layout.of(config.state))
        kept = kept_serve(self._store)
        self.ends: datetime | None = certificates.ends(kept[0]) if kept else None

    def ask_with(self, text: str) -> str:
        """Keep this request, PEM, unless the kept one asks for the same; return the one in force.

        It is durable when this returns. Raises NotGenuine if `text` is no request.
        """
        asked, kept = certificates.read_request(text), self._request()
        if kept is not None and self._is_same(asked, kept):  # each signature differs
            return certificates.request_pem(kept)
        self._store.keep_serve_request(certificates.request_pem(asked))
        return certificates.request_pem(asked)

    def offer(self, text: str) -> OfferResult:
        """Accept a certificate that counts; it is durable when this returns."""
        return result(partial(self._take, text))

    def _take(self, text: str) -> None:
        """Keep this chain, PEM, if it is the requested one; otherwise the kept one stays."""
        asked, known = self._request(), expected(self._config)
        if asked is None:
            raise NotGenuine("none was asked for: `doorstep enrol` does, where serve.names says so")
        chain = certificates.issued(certificates.read_pem(text.encode()), asked.key, known)
        usages.check_server(chain[0], asked.names)
        check_dates(chain[0])
        check_not_shorter(chain, good_serve(self._store, asked, known))
        self._store.keep_serve(certificates.pem(chain))
        self.ends = certificates.ends(chain[0])

    def _is_same(self, asked: Request, kept: Request) -> bool:
        if self._config.uses_certificate_files:
            known = wanted(self._config, Use.SERVE)
            return known.is_asked_by(certificates.request_pem(kept), asked.key)
        return replace(kept, der=asked.der) == asked

    def _request(self) -> Request | None:
        """Return the request in `trust/`; one that cannot be read counts as missing."""
        text = self._store.serve_request()
        try:
            return None if text is None else certificates.read_request(text)
        except NotGenuine:
            return None
