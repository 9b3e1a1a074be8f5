"""Enrolment's requests for capture, over mutual TLS: two certificates, and the fleet document."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final

from agent.config import Config
from agent.errors import DoorstepError, NotGenuine, NotNow
from agent.identity import issuing
from agent.identity.authorities import due, expected, good, now
from agent.identity.est import EstClient, NotIssued, Pending
from agent.identity.given_files import Say
from agent.identity.sync_part import LIMITS, asked_for_fleet, decided
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.certificates import CertificateChain
from agent.record.usages import Use
from agent.trust.store import TrustStore
from agent.wire import tls
from agent.wire.http import NoAnswer
from agent.wire.tus import quoted

_NO_LABEL: Final = 404


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answers; None for one that is not new, or did not come: `trouble` gives the reason."""

    evidence: str | None
    fleet: str | None
    serve: str | None
    trouble: DoorstepError | None = None


def documents(
    config: Config, request: str, serve: str | None, say: Say, *, renew: bool = False
) -> Fetched:
    """Fetch certificates and fleet document; a failure of one does not stop the others.

    Args:
        config: with identity required.
        request: request for the evidence certificate, PEM.
        serve: request for serve's certificate, PEM; None if serve needs no certificate.
        say: gets the result of each step.
        renew: ask for serve's certificate even if the kept one is valid for long.
    """
    steps: dict[str, Callable[[], str | None]] = {
        "evidence": lambda: _evidence(config, request, say),
        "fleet document": lambda: _fleet(config, say),
    }
    if serve is not None:
        steps["serve"] = lambda: _serve(config, serve, say, renew=renew)
    return _fetched(steps, say)


def fleet_document(config: Config, say: Say) -> Fetched:
    """Fetch the fleet document alone: certificates come as files."""
    return _fetched({"fleet document": lambda: _fleet(config, say)}, say)


def _fetched(steps: Mapping[str, Callable[[], str | None]], say: Say) -> Fetched:
    got: dict[str, str | None] = {}
    troubles = []
    for step, fetch in steps.items():
        try:
            got[step] = fetch()
        except DoorstepError as error:
            troubles.append(error)
            say(step, str(error))
    trouble = troubles[0] if troubles else None
    return Fetched(got.get("evidence"), got.get("fleet document"), got.get("serve"), trouble)


def _evidence(config: Config, request: str, say: Say) -> str | None:
    asked, known = certificates.read_request(request), expected(config)
    kept = good(_trust(config), Use.EVIDENCE, asked.key, known)
    without = "photos go without a certificate"
    ask = partial(issuing.evidence, request=asked, expected=known)
    return _issued(config, "evidence", ask, say, kept=kept, without=without)


def _serve(config: Config, request: str, say: Say, *, renew: bool) -> str | None:
    asked, known = certificates.read_request(request), expected(config)
    kept = good(_trust(config), Use.SERVE, asked.key, known, asked.names)
    if kept and not renew and now() < due(kept):
        say("serve", f"certificate is there, until {certificates.ends(kept[0]):%Y-%m-%d}")
        return None
    without = "nobody can ask `doorstep serve`"
    ask = partial(issuing.serve, request=asked, expected=known)
    return _issued(config, "serve", ask, say, kept=kept, without=without)


def _issued(
    config: Config,
    label: str,
    ask: Callable[[EstClient], CertificateChain | Pending],
    say: Say,
    *,
    kept: CertificateChain,
    without: str,
) -> str | None:
    """Ask for the certificate, PEM; None without such a label, or if the kept one lasts longer."""
    with closing(EstClient(config.est, tls.for_est(config), LIMITS)) as est:
        try:
            chain = decided(lambda: ask(est), say)
        except NotIssued as error:
            if error.status != _NO_LABEL:
                raise
            words = f"this authority has no label `{label}`: {without}; the rest is done"
            say(label, words)
            return None
    if kept and (ends := certificates.ends(kept[0])) > certificates.ends(chain[0]):
        words = "longer than what the authority gives now"
        say(label, f"the one that is kept counts until {ends:%Y-%m-%d}, {words}")
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


def _trust(config: Config) -> TrustStore:
    return TrustStore(Layout.of(config.state))
