"""The TLS identity of this device: a key, its certificate, and the change from one to the next."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.config import Config
from agent.errors import ConfigError, NotGenuine
from agent.identity.requested import request
from agent.queue.disk import disk_errors, sync_folder, write_durably
from agent.queue.paths import Layout
from agent.record import certificates, signing
from agent.record.certificates import CertificateChain, Expected
from agent.record.signing import PrivateKey
from agent.record.usages import Use
from agent.wire.tls import IDENTITY_FILE

_log = logging.getLogger(__name__)

_MODE: Final = 0o600
"""Mode for sync's user alone."""


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """A key and the chain of its certificate."""

    key: PrivateKey
    chain: CertificateChain

    @property
    def starts(self) -> datetime:
        """From when the certificate is valid."""
        return certificates.starts(self.chain[0])

    @property
    def ends(self) -> datetime:
        """Until when the certificate is valid."""
        return certificates.ends(self.chain[0])


class IdentityStore:
    """`tls.pem`, and `next-key.pem` while a certificate for a new key is asked for.

    With certificates as files, `next.csr` is the request for that key.

    A power cut at any point leaves a `tls.pem` that is whole, the old one or the new one; and the
    key of a request that may have been answered, so that the same is asked for again.
    """

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.sync_keys
        self._file = self._folder / IDENTITY_FILE
        self._next = self._folder / "next-key.pem"
        self._request = self._folder / "next.csr"

    def read(self, expected: Expected) -> TlsIdentity | None:
        """Read the identity in use; None before the first one.

        Raises:
            NotGenuine: it is not whole, or not the `expected` one.
            StorageFault: it cannot be read.
        """
        with disk_errors(f"cannot read {self._file}"):
            if not self.is_there():
                return None
            text = self._file.read_bytes()
        try:
            key = signing.read_private_key(self._file)
            found = certificates.read_pem(text)
            return TlsIdentity(key, certificates.issued(found, key.public_key(), expected))
        except (ConfigError, NotGenuine) as error:
            raise NotGenuine(f"{self._file}: {error}") from error

    def is_there(self) -> bool:
        """Return True if there is an identity, whole or not."""
        return self._file.exists()

    def asked_key(self, current: TlsIdentity | None) -> PrivateKey | None:
        """Return the key of an unanswered request; None without one."""
        try:
            key = signing.read_private_key(self._next) if self._next.exists() else None
        except ConfigError:
            return None
        is_used = key and current and certificates.is_for(current.chain[0], key.public_key())
        return None if is_used else key

    def next_request(self, config: Config, current: TlsIdentity | None) -> str:
        """Return the request, PEM, that waits for an answer, or else a new one for `next_key`.

        It is durable when this returns, and stays the same until it is answered. Raises as
        `requested.request` does.
        """
        key, kept = self.next_key(current), None
        with disk_errors(f"cannot read {self._request}"):
            if self._request.exists():
                kept = self._request.read_bytes().decode("ascii", "replace")

        def keep(text: str) -> None:
            write_durably(self._request, text.encode(), _MODE, whole=True)

        return request(config, Use.TLS, key, kept, keep)

    def next_key(self, current: TlsIdentity | None) -> PrivateKey:
        """Return the key to ask with: that of an unanswered request, or else a new one.

        It is durable when this returns.

        Raises:
            StorageFault: the disk failed.
        """
        if self._next.exists():
            try:
                key = signing.read_private_key(self._next)
            except ConfigError as error:  # it never had a certificate: nothing is lost with it
                _log.warning("event=next_key_unreadable error=%r", str(error))
            else:
                if current is None or not certificates.is_for(current.chain[0], key.public_key()):
                    return key
        made = signing.new_key()
        write_durably(self._next, signing.private_pem(made), _MODE, whole=True)
        return made

    def install(self, new: TlsIdentity) -> None:
        """Use this identity from now on; a request for another key still waits for its answer.

        Raises:
            StorageFault: the disk failed; the old one is still whole and in use.
        """
        text = signing.private_pem(new.key) + certificates.pem(new.chain)
        write_durably(self._file, text, _MODE, whole=True)
        if self.asked_key(new) is not None:
            return
        with disk_errors("cannot delete the key that was asked with"):
            self._next.unlink(missing_ok=True)
            self._request.unlink(missing_ok=True)
            sync_folder(self._folder)
