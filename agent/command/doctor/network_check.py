"""Doctor's checks of certificates and backend, run by sync's user, the owner of the keys."""

import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final

from agent.config import Config, IdentityMode
from agent.errors import DoorstepError
from agent.identity.authorities import (
    BY_HAND,
    DUE_AT,
    due,
    expected,
    kept,
    now,
    remedy,
)
from agent.identity.renewal import SPREAD
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.usages import Use
from agent.status import reading
from agent.status.causes import ENDS_SOON
from agent.status.document import wrong_clock
from agent.status.reading import SyncReport
from agent.status.troubles import Trouble
from agent.trust.store import TrustStore
from agent.wire import tls
from agent.wire.http import Backend, NoAnswer
from agent.wire.tus import quoted

NOT_ENROLLED: Final = "not enrolled: no TLS certificate"
"""Beginning of the message of such a finding: other findings depend on it."""

NOT_OURS: Final = "not looked at, since only root and sync's own user may: run this as root"

NetworkResult = tuple[str, str]
"""A level by the names of doctor's levels, and the remedy."""


def findings(config: Config) -> list[tuple[str, str, str]]:
    """Return the name of each check, its level and the remedy, as JSON types."""
    if config.identity.mode is IdentityMode.REQUIRED and not _is_ours(config):
        return [("identity", *_as_sync_says(config)), ("backend", "NOTE", NOT_OURS)]
    found = [("identity", *one) for one in _identity(config)]
    return [*found, ("backend", *_backend(config))]


def _is_ours(config: Config) -> bool:
    """Return True if sync's keys are this user's, or do not exist: to others all look missing."""
    try:
        owner = Layout.of(config.state).sync_keys.stat().st_uid
    except FileNotFoundError:
        return True
    except PermissionError:
        return False
    return os.geteuid() in {0, owner}


def _as_sync_says(config: Config) -> NetworkResult:
    """Ask sync itself, for a user who may not read sync's keys."""
    running = reading.ask_sync(Layout.of(config.state))
    if isinstance(running, SyncReport) and running.part.hindrance == Trouble.NOT_ENROLLED:
        return "FAILED", _enrol(config)
    return "NOTE", NOT_OURS


def _enrol(config: Config) -> str:
    words = f"get a one-time token (`devices add {config.device.id}` in the office)"
    by_est = f"{words}, then `sudo doorstep enrol {config.est}`"
    return f"{NOT_ENROLLED}; {remedy(config, by_est)}"


def _another(config: Config) -> str:
    return remedy(config, f"`doorstep enrol {config.est}` with a new token")


def _identity(config: Config) -> Iterator[NetworkResult]:
    if config.identity.mode is IdentityMode.OFF:
        words = "identity.mode is off: anybody may say that they are this device; for the bench"
        yield "NOTE", words
        return
    if (wrong := wrong_clock()) is not None:
        yield "NOTE", f"{wrong}; GPS or the network sets it, or `timedatectl set-time`"
    yield from _tls(config)
    yield from _evidence(config)
    running = reading.ask_sync(Layout.of(config.state))
    if not isinstance(running, SyncReport) or running.part.hindrance == Trouble.NOT_ENROLLED:
        return  # the latter is told above
    if running.identity_trouble and not running.renewal_due:  # otherwise the lines above say it
        yield "NOTE", f"sync says: {running.identity_trouble}"


def _tls(config: Config) -> Iterator[NetworkResult]:
    try:
        found = IdentityStore(Layout.of(config.state)).read(expected(config))
    except DoorstepError as error:
        yield "FAILED", f"{error}; {_another(config)}"
        return
    if found is None:
        yield "FAILED", _enrol(config)
    else:
        yield _judged(config, found, now())


def _judged(config: Config, found: TlsIdentity, at: datetime) -> NetworkResult:
    end = f"{found.ends:%Y-%m-%d}"
    if at >= found.ends:
        words = remedy(config, f"sync renews it, or else {_another(config)}")
        return "FAILED", f"the TLS certificate ended on {end}; {words}"
    if config.uses_certificate_files and at >= due(found.chain):
        return "NOTE", f"the TLS certificate ends on {end}, and its renewal is due; {BY_HAND}"
    if at >= due(found.chain, DUE_AT + SPREAD) + timedelta(days=1):
        words = f"sync should have renewed it; `doorstep enrol {config.est} --renew` says why not"
        return "NOTE", f"the TLS certificate ends on {end}; {words}"
    return "OK", f"TLS certificate until {end}"


def _evidence(config: Config) -> Iterator[NetworkResult]:
    chain = kept(TrustStore(Layout.of(config.state)), Use.EVIDENCE)
    if not chain:
        words = remedy(config, "sync asks for one while capture runs")
        yield "NOTE", f"no evidence certificate yet; {words}"
        return
    ends = certificates.ends(chain[0])
    if now() >= ends:
        words = remedy(config, "sync says why")
        yield "FAILED", f"the evidence certificate ended on {ends:%Y-%m-%d}; {words}"
    elif config.uses_certificate_files and now() >= due(chain):
        words = f"ends on {ends:%Y-%m-%d}, and its renewal is due; {BY_HAND}"
        yield "NOTE", f"the evidence certificate {words}"
    elif now() >= ends - ENDS_SOON:
        words = remedy(config, "sync renews it")
        yield "NOTE", f"the evidence certificate ends on {ends:%Y-%m-%d}; {words}"
    else:
        yield "OK", f"evidence certificate until {ends:%Y-%m-%d}"


def _backend(config: Config) -> NetworkResult:
    url = config.backend.url
    try:
        backend = Backend(config.backend, tls=tls.for_backend(config))
        with closing(backend), backend.attempt():
            answer = backend.offset(f"{backend.base}/files/{uuid.uuid4()}")
            if config.identity.mode is IdentityMode.REQUIRED and answer.status in {401, 403}:
                said = quoted("it", backend.fleet(None))  # the answer to HEAD has no words
                words = f"{_another(config)}, if the office agrees"
                return "FAILED", f"{url} does not let this device in: {said}; {words}"
    except NoAnswer as error:
        return "LATER", f"{url}: {error}"
    except DoorstepError as error:
        return "FAILED", f"{url}: {error}"
    if answer.status in {404, 410}:
        return "OK", f"{url} answers"
    words = f"{url} answers {answer.status} where 404 is right; is something else in between?"
    return "LATER", words
