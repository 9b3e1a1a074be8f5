"""Sync's part of an enrolment: the authority, and a TLS key with a certificate that works."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final, TypeVar

from agent.config import Config
from agent.errors import ConfigError, DoorstepError, NotGenuine, NotNow
from agent.identity import issuing
from agent.identity.authorities import check_dates, expected, now
from agent.identity.est import EstClient, NotIssued, Pending
from agent.identity.issuing import Say
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.queue import disk
from agent.queue.paths import Layout
from agent.record import certificates, signing
from agent.record.certificates import Certificate
from agent.trust import fleet
from agent.trust.store import TrustStore
from agent.wire import tls
from agent.wire.http import Backend, Limits, NoAnswer, NotVerified, TurnedAway
from agent.wire.tus import Answer, quoted

LIMITS: Final = Limits(attempt_s=60.0)
"""Limits for a waiting person, or records that wait for a renewal; the requests are small."""

DECIDING_LIMIT_S: Final = 120.0
"""Longest wait of a person at a terminal for an authority that has to decide."""

_Got = TypeVar("_Got")


def authority(config: Config, pin: str) -> str:
    """Return the authority whose key has this SHA-256, PEM, from a server that is not verified yet.

    Raises:
        NoAnswer: no answer came, or none of an EST server.
        NotGenuine: the server names no genuine one, or its own certificate is not by it.
    """
    with closing(EstClient(config.est, tls.ClientTls(None, verifies=False), LIMITS)) as est:
        text = certificates.pem([genuine(est.authorities(), pin)])
    _try(config, text)
    return text.decode()


def _try(config: Config, text: bytes) -> None:
    """Try to reach the server with this authority in `identity.ca`; raises NotGenuine."""
    with NamedTemporaryFile(suffix=".pem") as file:
        file.write(text)
        file.flush()
        tried = replace(config, identity=replace(config.identity, ca=Path(file.name)))
        with closing(EstClient(config.est, tls.for_est(tried, as_device=False), LIMITS)) as est:
            try:
                est.authorities()
            except NotVerified as error:
                words = (
                    "the EST server's certificate is not by the pinned authority; ask who runs it"
                )
                raise NotGenuine(f"{words}; nothing was changed ({error})") from error


def pinned(found: Sequence[Certificate], pin: str) -> Sequence[Certificate]:
    """Return those of these certificates whose key has this SHA-256; raises NotGenuine."""
    if those := [one for one in found if certificates.key_sha256(one) == pin]:
        return those
    keys = ", ".join(certificates.key_sha256(one) for one in found)
    words = "somebody is in between, or --ca-sha256 is another fleet's; nothing was changed"
    raise NotGenuine(f"the authority's key is not the pinned one but {keys}: {words}")


def genuine(found: Sequence[Certificate], pin: str) -> Certificate:
    """Return the certificate that counts, from any source: signed by the pinned key, and not ended.

    A public key is no secret: anybody puts one into a certificate of their own. Raises NotGenuine.
    """
    own = [one for one in pinned(found, pin) if certificates.is_self_signed(one)]
    if not own:
        words = "somebody is in between, or it is no root: then put its file there by hand"
        raise NotGenuine(
            f"the certificate has the pinned key, which did not sign it itself: {words}"
        )
    newest = max(own, key=certificates.ends)
    check_dates(newest)
    return newest


def identity(
    config: Config, token: Callable[[], str | None], say: Say, *, renew: bool = False
) -> None:
    """Get a TLS certificate that works; the one in use stays until there is another.

    Args:
        config: with identity required.
        token: returns the one-time token when it is needed; None without one.
        say: gets the result of each step.
        renew: get a new certificate in any case.

    Raises:
        ConfigError: a token is needed, and there is none.
        NotNow, NoAnswer: try again; it continues where it stopped.
        NotIssued, NotGenuine: refused, or the answer does not count.
        StorageFault: the disk failed.
    """
    layout = Layout.of(config.state)
    with disk.lock(layout.sync_keys, exclusive=True, wait=True):
        current = _current(config, layout, say)
        if current is None:
            new, why = None, None
        elif renew or current.ends <= now():
            new, why = _again(config, current, say)
        elif (why := _refusal(config)) is None:
            say("TLS certificate", f"is there, until {current.ends:%Y-%m-%d}")
            return
        else:
            new = None
        new = new or _first(config, current, token, say, why)
        say("TLS certificate", f"new, until {new.ends:%Y-%m-%d}")


def _current(config: Config, layout: Layout, say: Say) -> TlsIdentity | None:
    try:
        return IdentityStore(layout).read(expected(config))
    except NotGenuine as error:
        say("TLS certificate", f"what is there cannot be used: {error}")
        return None


def _again(
    config: Config, current: TlsIdentity, say: Say
) -> tuple[TlsIdentity | None, DoorstepError | None]:
    """Renew the current identity; if a token may help, return the error instead.

    An authority that verifies certificates in TLS does not answer if it refuses one.
    """
    with closing(EstClient(config.est, tls.for_est(config), LIMITS)) as est:
        try:
            return decided(lambda: _ask(config, est, current, None), say), None
        except NotVerified:
            raise
        except (NotIssued, NoAnswer) as error:
            return None, error


def _first(
    config: Config,
    current: TlsIdentity | None,
    token: Callable[[], str | None],
    say: Say,
    why: DoorstepError | None,
) -> TlsIdentity:
    """Enrol by the token; `why` is the reason for which the certificate in use is useless."""
    if why is not None:
        say("TLS certificate", str(why))
    secret = token()
    if secret is None:
        raise _no_token(why)
    login = config.device.id, secret
    with closing(EstClient(config.est, tls.for_est(config, as_device=False), LIMITS)) as est:
        try:
            return decided(lambda: _ask(config, est, current, login), say)
        except NotVerified:
            raise
        except NoAnswer as error:
            words = "run this again; the token is still good"
            raise NoAnswer(f"{config.est}: {error}; {words}") from error


def _no_token(why: DoorstepError | None) -> DoorstepError:
    where = "into a file (--token FILE), or on standard input"
    if isinstance(why, NoAnswer):
        return NoAnswer(f"try again later; if it stays so, put a new token {where}")
    if why is not None:
        return NotGenuine(f"the new token comes {where}")
    return ConfigError(f"a TLS certificate needs a token: put the one-time token {where}")


def _ask(
    config: Config, est: EstClient, current: TlsIdentity | None, login: tuple[str, str] | None
) -> TlsIdentity | Pending:
    store = IdentityStore(Layout.of(config.state))
    return issuing.tls_identity(store, est, expected(config), current=current, login=login)


def decided(ask: Callable[[], _Got | Pending], say: Say) -> _Got:
    """Ask until the authority has decided, or DECIDING_LIMIT_S is over; then raise NotNow."""
    until_s = time.monotonic() + DECIDING_LIMIT_S
    while isinstance(got := ask(), Pending):
        if time.monotonic() + got.after_s > until_s:
            words = "have it approved, and run this again: it goes on with the same key and token"
            raise NotNow(f"the authority has not decided yet; {words}")
        say("authority", f"has not decided yet; asked again in {got.after_s:.0f} s")
        time.sleep(got.after_s)
    return got


def _refusal(config: Config) -> DoorstepError | None:
    """Ask if the backend refuses the certificate in use; None if it does not, or is silent."""
    try:
        answer = asked_for_fleet(config)
    except TurnedAway as error:
        return error
    except NoAnswer:
        return None
    refused = answer.status in {401, 403}
    return NotGenuine(quoted("what is there", answer)) if refused else None


def asked_for_fleet(config: Config) -> Answer:
    """Ask, as this device, for the fleet document that follows the kept one. Raises NoAnswer."""
    assert config.identity.fleet_key is not None  # the configuration is checked
    pinned = signing.read_public_key(config.identity.fleet_key)
    held = fleet.tag(TrustStore(Layout.of(config.state)).fleet(), pinned)
    backend = Backend(config.backend, LIMITS, tls=tls.for_backend(config))
    with closing(backend), backend.attempt():
        return backend.fleet(held)
