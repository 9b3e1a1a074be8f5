"""Enrolment's requests for capture, over mutual TLS: two certificates, and the fleet document."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from agent.config import Config
from agent.errors import DoorstepError, NotGenuine, NotNow
from agent.identity import issuing
from agent.identity.authorities import due, expected, good, now
from agent.identity.est import EstClient, NotIssued
from agent.identity.issuing import Say
from agent.identity.sync_part import LIMITS, asked_for_fleet, decided
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.usages import Use
from agent.trust.store import TrustStore
from agent.wire import tls
from agent.wire.http import NoAnswer
from agent.wire.tus import quoted

_NO_LABEL: Final = 404


STEPS: Final = {"evidence": "evidence", "fleet": "fleet document", "serve": "serve"}
"""Names of the steps, by the documents that they fetch, which capture keeps."""

_WITHOUT: Final = {
    Use.EVIDENCE: "photos go without a certificate",
    Use.SERVE: "nobody can ask `doorstep serve`",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """The documents that are new; `trouble` is why one did not come."""

    documents: dict[str, str]
    trouble: DoorstepError | None = None


def fetched(
    config: Config, requests: Mapping[Use, str], say: Say, *, renew: bool = False
) -> Fetched:
    """Fetch certificates and the fleet document; a failure of one does not stop the others.

    Args:
        config: with identity required.
        requests: those for certificates, PEM; none if these come as files.
        say: gets the result of each step.
        renew: ask for serve's certificate even if the kept one is valid for long.
    """
    documents: dict[str, str] = {}
    troubles = []
    for kind, step in STEPS.items():
        try:
            if kind == "fleet":
                found = _fleet(config, say)
            else:
                found = _certificate(config, Use(kind), requests, say, renew=renew)
        except DoorstepError as error:
            troubles.append(error)
            say(step, str(error))
        else:
            if found is not None:
                documents[kind] = found
    return Fetched(documents, troubles[0] if troubles else None)


def _certificate(
    config: Config, use: Use, requests: Mapping[Use, str], say: Say, *, renew: bool
) -> str | None:
    """Ask for the certificate, PEM; None without a request, or if there is no other to keep."""
    if use not in requests:
        return None
    asked, known = certificates.read_request(requests[use]), expected(config)
    trust = TrustStore(Layout.of(config.state))
    kept = good(trust, use, asked.key, known, asked.names)
    if use is Use.SERVE and kept and not renew and now() < due(kept):
        say(use, f"certificate is there, until {certificates.ends(kept[0]):%Y-%m-%d}")
        return None
    with closing(EstClient(config.est, tls.for_est(config), LIMITS)) as est:
        try:
            chain = decided(lambda: issuing.for_capture(est, use, asked, known), say)
        except NotIssued as error:
            if error.status != _NO_LABEL:
                raise
            words = f"this authority has no label `{use}`: {_WITHOUT[use]}; the rest is done"
            say(use, words)
            return None
    if kept and (ends := certificates.ends(kept[0])) > certificates.ends(chain[0]):
        words = "longer than what the authority gives now"
        say(use, f"the one that is kept counts until {ends:%Y-%m-%d}, {words}")
        return None
    return certificates.pem(chain).decode()


def _fleet(config: Config, say: Say) -> str | None:
    """Ask for the next document; None if the backend has only the kept one."""
    answer = asked_for_fleet(config)
    said = quoted("the fleet document", answer)
    match answer.status:
        case 304:
            say("fleet document", "is there, and is the newest")
            return None
        case 200:
            try:
                return answer.body.decode("ascii")
            except ValueError as error:
                words = "is something in between?"
                raise NotGenuine(f"the fleet document is not text; {words}") from error
        case 401 | 403:
            raise NotGenuine(f"{said}: the backend does not let this device in; ask the office")
        case 404:
            raise NotNow(f"{said}: the backend has none yet; have it published, run this again")
    raise NoAnswer(f"{said}; try again later")
