"""Doctor's check of `doorstep serve`: its certificate, and its clients."""

from collections.abc import Iterator

from agent.command.doctor.finding import Level
from agent.config import Config, IdentityMode
from agent.identity.authorities import BY_HAND, due, kept, now, remedy
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.certificates import CertificateChain
from agent.record.usages import Use
from agent.status.causes import ENDS_SOON
from agent.trust.store import TrustStore

ServeResult = tuple[Level, str]
"""A level, and the remedy."""


def findings(config: Config) -> Iterator[ServeResult]:
    """Check the certificate and the clients; nothing if `serve.names` is empty."""
    if not config.serve.names:
        return
    if config.identity.mode is IdentityMode.OFF:
        words = "identity.mode is off: without a certificate nobody can ask `doorstep serve`"
        yield Level.NOTE, words
        return
    yield _certificate(config)
    if not config.serve.clients:
        yield Level.NOTE, "serve.clients is empty: everybody who asks is refused"


def _certificate(config: Config) -> ServeResult:
    enrol = remedy(config, f"`doorstep enrol {config.est}` asks for one")
    chain = kept(TrustStore(Layout.of(config.state)), Use.SERVE)
    if not chain:
        return Level.FAILED, f"no certificate yet; {enrol}"
    wanted, named = certificates.server_names(config.serve.names), certificates.names_of(chain[0])
    if missing := ", ".join(sorted(wanted - named)):
        return Level.FAILED, f"its certificate is not for {missing}; {enrol}"
    return _end(config, chain, ", ".join(sorted(wanted)))


def _end(config: Config, chain: CertificateChain, names: str) -> ServeResult:
    ends = certificates.ends(chain[0])
    if now() >= ends:
        words = remedy(config, "sync renews it, or says why")
        return Level.FAILED, f"its certificate ended on {ends:%Y-%m-%d}; {words}"
    if config.uses_certificate_files and now() >= due(chain):
        words = f"ends on {ends:%Y-%m-%d}, and its renewal is due; {BY_HAND}"
        return Level.NOTE, f"its certificate {words}"
    if now() >= ends - ENDS_SOON:
        words = remedy(config, "sync should have renewed it; see `doorstep status`")
        return Level.NOTE, f"its certificate ends on {ends:%Y-%m-%d}; {words}"
    return Level.OK, f"certificate until {ends:%Y-%m-%d} for {names}"
