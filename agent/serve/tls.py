"""The TLS of the server: serve's own certificate, and the authorities of its clients.

A client's certificate is asked for and not insisted on, and its dates are left to
`agent.serve.admission`: HTTP can say what is wrong, TLS cannot.
"""

import logging
import ssl
from pathlib import Path
from typing import Final

from agent.errors import DoorstepError, NotNow, not_read, unreadable
from agent.queue.disk import ChangeStamp, change_stamp
from agent.tls import NO_CHECK_TIME, new_context
from hardware.change_detector import ChangeDetector

_log = logging.getLogger(__name__)

_NOT_YET: Final = "serve has no certificate yet; `doorstep enrol` gets one"


class ServerTls:
    """The context of TLS, renewed when one of its files has changed.

    Args:
        chain: serve's certificate and the chain to its root, PEM.
        key: its key, PEM.
        ca: authorities of clients, PEM.
    """

    def __init__(self, chain: Path, key: Path, ca: Path) -> None:
        self._files = (chain, key, ca)
        self._seen: list[ChangeStamp | None] = []
        self._made: ssl.SSLContext | None = None
        self._told = ChangeDetector[str | None](None)

    def context(self) -> ssl.SSLContext:
        """Return the context of the next connection; the last one if the files are unusable now.

        Raises:
            NotNow: there has never been a usable one.
            ConfigError: the same, and `identity.ca` cannot be read.
        """
        seen = [change_stamp(path) for path in self._files]
        if self._made is None or seen != self._seen:
            try:
                self._made, self._seen = _context(*self._files), seen
                self._told.last = None
            except DoorstepError as error:
                if self._made is None:
                    raise
                if self._told.changed(str(error)):
                    _log.warning("event=certificate_unusable error=%r", str(error))
        return self._made


def _context(chain: Path, key: Path, ca: Path) -> ssl.SSLContext:
    context = new_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= NO_CHECK_TIME
    context.num_tickets = 0  # nothing is gained for one question a minute
    _trust(context, ca)
    try:
        context.load_cert_chain(chain, key, password="")
    except FileNotFoundError as error:
        raise NotNow(_NOT_YET) from error
    except OSError as error:
        reason = error if not isinstance(error, ssl.SSLError) else "not a certificate and its key"
        words = "`doorstep enrol` gets another certificate"
        raise NotNow(f"{chain}, {key}: cannot be used: {reason}; {words}") from error
    return context


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except FileNotFoundError as error:
        raise NotNow(
            f"identity.ca: {ca} does not exist; `doorstep enrol URL --ca-sha256 HEX` puts it there"
        ) from error
    except ssl.SSLError as error:
        raise unreadable(f"identity.ca: {ca}: not certificates, PEM", error) from error
    except OSError as error:
        raise not_read(ca, "the fleet's certificate authority", error) from error
