"""The trust and the certificates of a TLS connection, read again when a file of them changes."""

import logging
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from agent.config import Config, IdentityMode
from agent.errors import NotEnrolled, NotNow, unreadable
from agent.queue.disk import ChangeStamp, change_stamp
from agent.queue.paths import Layout
from agent.tls import new_context
from agent.trust.keys import current_fleet_document

_log = logging.getLogger(__name__)

IDENTITY_FILE: Final = "tls.pem"
"""In `keys/sync/`: the key and its certificate's chain in one, so that they never part."""

Seen = tuple[ChangeStamp | None, ...]
"""The state of each file; None for a missing one."""


class ClientTls:
    """The trusted authorities, and this device's own certificate.

    Args:
        ca: trusted certificates, PEM; None for the system's.
        setting: the setting that names `ca`, for messages.
        own: key and certificates that are shown to the other end; None to show none.
        next_ca: more trusted certificates, PEM.
        watched: the files that `next_ca` depends on.
        verifies: True if the other end must prove its identity. Without it, ignore what the other
            end says until its certificate was compared with a pin.
    """

    def __init__(
        self,
        ca: Path | None,
        setting: str = "backend.ca",
        *,
        own: Path | None = None,
        next_ca: Callable[[], str | None] = lambda: None,
        watched: Sequence[Path] = (),
        verifies: bool = True,
    ) -> None:
        self.setting = setting
        self.verifies = verifies
        self._ca = ca
        self._own = own
        self._next_ca = next_ca
        self._watched = [path for path in (ca, own, *watched) if path is not None]
        self._seen: Seen | None = None

    def renewed(self) -> ssl.SSLContext | None:
        """Return the context to connect with if it has changed since the last call; otherwise None.

        Raises:
            ConfigError: the trusted certificates cannot be read; NotReadNow if that may pass.
            NotNow: there is no usable identity yet; the message says what to do.
        """
        seen = tuple(map(change_stamp, self._watched))
        if seen == self._seen:
            return None
        context = self._context()
        self._seen = seen
        return context

    def _context(self) -> ssl.SSLContext:
        if not self.verifies:
            return _trusting_anybody()
        context = self._trusting()
        if self._own is not None:
            _show(context, self._own)
        return context

    def _trusting(self) -> ssl.SSLContext:
        try:
            context = new_context(ssl.Purpose.SERVER_AUTH, self._ca)
        except OSError as error:
            reason = error.strerror or str(error)
            words = f"{self.setting}: {self._ca}: cannot be read as certificates: {reason}"
            if isinstance(error, FileNotFoundError) and self._own is not None:
                raise NotEnrolled(f"{words}; `doorstep enrol` puts it there") from error
            raise unreadable(words, error) from error
        self._trust_next(context)
        return context

    def _trust_next(self, context: ssl.SSLContext) -> None:
        """Trust the authorities of the fleet document too; an unusable one locks nobody out."""
        try:
            if more := self._next_ca():
                context.load_verify_locations(cadata=more)
        except (OSError, ValueError) as error:
            _log.warning("event=next_ca_unusable error=%r", str(error))


def for_backend(config: Config) -> ClientTls:
    """Return how to reach the backend: as this device, if identity is required."""
    if config.identity.mode is IdentityMode.OFF:
        return ClientTls(config.backend.ca)
    if config.backend.ca is not None:
        return ClientTls(config.backend.ca, own=_own(config))
    return for_est(config)


def for_est(config: Config, *, as_device: bool = True) -> ClientTls:
    """Return how to reach the EST server; without an identity, for the first certificate.

    If the EST server has no address of its own, the backend's authorities are trusted.
    """
    own = _own(config) if as_device else None
    if config.backend.ca is not None and config.identity.est is None:
        return ClientTls(config.backend.ca, own=own)
    documents = [Layout.of(config.state).trust / "fleet.jws"]
    next_ca = partial(_next_ca, config)
    return ClientTls(config.identity.ca, "identity.ca", own=own, next_ca=next_ca, watched=documents)


def _own(config: Config) -> Path:
    return Layout.of(config.state).sync_keys / IDENTITY_FILE


def _next_ca(config: Config) -> str | None:
    try:
        return current_fleet_document(config).next_ca
    except NotNow:
        return None


def _show(context: ssl.SSLContext, own: Path) -> None:
    try:
        context.load_cert_chain(own, password="")
    except FileNotFoundError as error:
        words = "not enrolled: this device has no TLS certificate yet; `doorstep enrol` gets one"
        raise NotEnrolled(words) from error
    except OSError as error:
        reason = "not a key and its certificate" if isinstance(error, ssl.SSLError) else error
        words = "`doorstep enrol` gets another"
        raise NotNow(f"{own}: cannot be used: {reason}; {words}") from error


def _trusting_anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
