"""The register of devices: who was let in, by which token, and every certificate that they got."""

import hashlib
import logging
import secrets
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent.models import rfc3339
from agent.record.signing import PublicKey, thumbprint
from doorstep_backend.engines.sql import Row
from doorstep_backend.identity.clients import NameTakenError
from doorstep_backend.identity.closings import (
    A_TECHNICIAN,
    ITSELF,
    THE_OFFICE,
    DeviceEnd,
    device_end,
)
from doorstep_backend.identity.database import opened
from doorstep_backend.identity.known import (
    CertificateState,
    CertificateUse,
    DeviceState,
    IssuedCertificate,
    ListedDevice,
    issued_certificate,
)
from doorstep_backend.identity.names import is_fresh

log = logging.getLogger(__name__)

TOKEN_BYTES: Final = 24
"""Size of a one-time token: nobody guesses 192 bits, so that a plain digest of it is enough."""


MOST_IN_A_DAY: Final = 20
"""Certificates for one device and use: it needs two a year, and a repair some more.

Each stays for good, and whoever looks at the fleet has them all read.
"""


class TooManyError(ValueError):
    """The device got MOST_IN_A_DAY of this kind within a day."""


class TokenUsedError(ValueError):
    """The token is right, but another key was enrolled with it."""


class OtherKeyError(ValueError):
    """The device has a signing key, and the office has not let it bring another."""


class ShutOutError(ValueError):
    """The device is not let in any more."""


class Register:
    """A connection to `backend.db`; commands beside the server have their own.

    Every method is durable when it returns.
    """

    def __init__(self, folder: Path) -> None:
        self._db = opened(folder)

    def now(self) -> datetime:
        """Return the time that dates its rows (`Database.now`)."""
        return self._db.now()

    def let_in(self, device_id: str, *, new_signing_key: bool = False) -> str:
        """Let a device in, for the first time or again; return the one token that enrols it.

        A revoked TLS certificate stays revoked: the device needs a new one. Its signing key still
        counts; it may bring another one with `new_signing_key` alone.

        Raises:
            NameTakenError: a client or technician has this name, and only names identify them.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        upsert = """INSERT INTO enrolled VALUES (?, ?, TRUE) ON CONFLICT (device_id) DO UPDATE
            SET state = excluded.state, takes_key = enrolled.takes_key OR ?"""
        fresh = """INSERT INTO tokens VALUES (?, ?, NULL) ON CONFLICT (device_id) DO UPDATE
            SET digest = excluded.digest, kid = NULL"""
        query = "SELECT kind FROM clients WHERE lower(name) = lower(?)"
        with self._db.exclusive_transaction():
            if has := self._db.execute(query, (device_id,)).fetchone():
                raise NameTakenError(f"{device_id}: a {has[0]} is called so; take another id")
            self._db.execute("DELETE FROM closings WHERE device_id = ?", (device_id,))
            self._db.execute(upsert, (device_id, DeviceState.IN, new_signing_key))
            self._db.execute(fresh, (device_id, _digest(token)))
        return token

    def shut_out(self, device_id: str, state: DeviceState) -> None:
        """End every TLS certificate and token of a device at once. Raises LookupError.

        A device that is gone stays gone.
        """
        with self._db.exclusive_transaction():
            self._shut_out(device_id, state)

    def ending(self) -> AbstractContextManager[None]:
        """Hold the lock for ending a device; routes change inside it. Raises Unavailable."""
        return self._db.exclusive_transaction("ending")

    def note_end(self, ended: DeviceEnd) -> DeviceEnd:
        """End a device for good, and keep the ends of its chains; a second time changes nothing.

        Returns what is kept. Raises LookupError.
        """
        device_id, gone = ended.device_id, DeviceState.GONE
        row = (device_id, rfc3339(ended.at), ended.how, ended.by, ended.text())
        into = "INSERT INTO closings VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        with self._db.exclusive_transaction():
            self._shut_out(device_id, gone)
            self._db.execute(into, row)
        return self.device_end(device_id) or ended

    def _shut_out(self, device_id: str, state: DeviceState) -> None:
        change = """UPDATE enrolled SET state = CASE WHEN state = ? THEN state ELSE ? END
            WHERE device_id = ?"""
        if self._db.execute(change, (DeviceState.GONE, state, device_id)).rowcount == 0:
            raise LookupError(f"no device {device_id}: `devices list` names all")
        self._db.execute("DELETE FROM tokens WHERE device_id = ?", (device_id,))
        end = "UPDATE certificates SET state = ? WHERE device_id = ? AND label = ?"
        self._db.execute(end, (CertificateState.REVOKED, device_id, CertificateUse.TLS))
        if state is DeviceState.GONE:
            self._db.execute("DELETE FROM names WHERE device_id = ?", (device_id,))

    def device_end(self, device_id: str) -> DeviceEnd | None:
        """Return how and when the device ended for good; None if it has not."""
        query = "SELECT * FROM closings WHERE device_id = ?"
        row = self._db.execute(query, (device_id,)).fetchone()
        return None if row is None else device_end(row)

    def forget_names(self, before: datetime) -> None:
        """Forget which technician ended a device before this."""
        change = "UPDATE closings SET by = ? WHERE at <= ? AND by NOT IN (?, ?)"
        row = (A_TECHNICIAN, rfc3339(before), THE_OFFICE, ITSELF)
        self._db.execute(change, row)

    def state(self, device_id: str) -> DeviceState | None:
        """Return a device's state; None if it was never let in."""
        query = "SELECT state FROM enrolled WHERE device_id = ?"
        row = self._db.execute(query, (device_id,)).fetchone()
        return None if row is None else DeviceState(row["state"])

    def is_token(self, device_id: str, token: str) -> bool:
        """Return whether this is the device's token, used or not."""
        row = self._db.execute("SELECT digest FROM tokens WHERE device_id = ?", (device_id,))
        found = row.fetchone()
        return found is not None and secrets.compare_digest(found["digest"], _digest(token))

    def enrol(
        self, device_id: str, key: PublicKey, now: datetime, issue: Callable[[], x509.Certificate]
    ) -> IssuedCertificate:
        """Issue the TLS certificate for a token; the same again for the same key.

        Raises:
            TokenUsedError: it was used with another key, or its certificate has ended.
        """
        kid = thumbprint(key)
        with self._db.exclusive_transaction():
            claim = "UPDATE tokens SET kid = ? WHERE device_id = ? AND kid IS NULL"
            if self._db.execute(claim, (kid, device_id)).rowcount == 1:
                return self._add(device_id, CertificateUse.TLS, kid, issue())
            query = "SELECT kid FROM tokens WHERE device_id = ?"
            used_by = self._db.execute(query, (device_id,)).fetchone()
            same = self._same(device_id, CertificateUse.TLS, kid, now)
            if used_by is None or used_by["kid"] != kid or same is None:
                raise TokenUsedError(f"the token of {device_id} was used")
            return same

    def renew(
        self, device_id: str, key: PublicKey, now: datetime, issue: Callable[[], x509.Certificate]
    ) -> IssuedCertificate:
        """Issue the next TLS certificate; the one before it is valid until this one's first use.

        Raises TooManyError, ShutOutError.
        """
        with self._db.exclusive_transaction():
            self._check_in(device_id)
            return self._same_or_new(device_id, CertificateUse.TLS, thumbprint(key), now, issue)

    def vouch(
        self, device_id: str, key: PublicKey, now: datetime, issue: Callable[[], x509.Certificate]
    ) -> IssuedCertificate:
        """Issue the evidence certificate for a signing key; the same again for the same key.

        Raises:
            OtherKeyError: it has another, and the office has not allowed a new one.
            ShutOutError: it is out.
        """
        kid = thumbprint(key)
        with self._db.exclusive_transaction():
            self._check_in(device_id)
            query = "SELECT takes_key FROM enrolled WHERE device_id = ?"
            takes_key = self._db.execute(query, (device_id,)).fetchone()["takes_key"]
            if not takes_key and not self.is_vouched(device_id, kid):
                raise OtherKeyError(f"{device_id} has another signing key")
            change = "UPDATE enrolled SET takes_key = FALSE WHERE device_id = ?"
            self._db.execute(change, (device_id,))
            return self._same_or_new(device_id, CertificateUse.EVIDENCE, kid, now, issue)

    def serve(
        self,
        device_id: str,
        key: PublicKey,
        names: Collection[str],
        now: datetime,
        issue: Callable[[], x509.Certificate],
    ) -> IssuedCertificate:
        """Issue serve's certificate; the same for the same key and names for half its life.

        A lost answer costs nothing that way, and a renewal always gets a new one.
        Raises TooManyError, ShutOutError.
        """
        kid = thumbprint(key)
        with self._db.exclusive_transaction():
            self._check_in(device_id)
            same = self._same(device_id, CertificateUse.SERVE, kid, now)
            if same is not None and is_fresh(same, names, now):
                return same
            return self._add_one_more(device_id, CertificateUse.SERVE, kid, issue())

    def is_vouched(self, device_id: str, kid: str) -> bool:
        """Return whether this signing key has an evidence certificate for this device."""
        query = "SELECT 1 FROM certificates WHERE device_id = ? AND label = ? AND kid = ?"
        row = self._db.execute(query, (device_id, CertificateUse.EVIDENCE, kid)).fetchone()
        return row is not None

    def find(self, serial: int) -> IssuedCertificate | None:
        """Return the certificate of this serial number, if it was issued here."""
        query = "SELECT * FROM certificates WHERE serial = ?"
        row = self._db.execute(query, (f"{serial:x}",)).fetchone()
        return None if row is None else issued_certificate(row)

    def note_first_use(self, used: IssuedCertificate, now: datetime) -> None:
        """Note the first use of a TLS certificate: those issued before it end."""
        with self._db.exclusive_transaction():
            first = "UPDATE certificates SET first_used_at = ? WHERE number = ?"
            self._db.execute(first, (rfc3339(now), used.number))
            end = """UPDATE certificates SET state = ?
                WHERE device_id = ? AND label = ? AND state = ? AND number < ?"""
            states = (CertificateState.SUPERSEDED, used.device_id, CertificateUse.TLS)
            self._db.execute(end, (*states, CertificateState.LIVE, used.number))

    def note_clone(self, used: IssuedCertificate, now: datetime) -> None:
        """Note the use of a superseded certificate: two hold what one device should."""
        change = "UPDATE certificates SET cloned_at = ? WHERE number = ? AND cloned_at IS NULL"
        self._db.execute(change, (rfc3339(now), used.number))

    def certificates(self, device_id: str) -> list[IssuedCertificate]:
        """Return all certificates of a device, the newest last."""
        query = "SELECT * FROM certificates WHERE device_id = ? ORDER BY number"
        return [issued_certificate(row) for row in self._db.execute(query, (device_id,))]

    def devices(self) -> list[ListedDevice]:
        """Return all devices that were ever let in, by name."""
        return [self._listed(row) for row in self._db.execute("SELECT * FROM enrolled ORDER BY 1")]

    def _listed(self, row: Row) -> ListedDevice:
        device_id = row["device_id"]
        unused = "SELECT 1 FROM tokens WHERE device_id = ? AND kid IS NULL"
        waits = self._db.execute(unused, (device_id,)).fetchone() is not None
        state, found = DeviceState(row["state"]), tuple(self.certificates(device_id))
        return ListedDevice(device_id, state, waits, found)

    def _check_in(self, device_id: str) -> None:
        """Check within the transaction: the device may have been shut out meanwhile."""
        if self.state(device_id) is not DeviceState.IN:
            raise ShutOutError(f"certificate revoked: {device_id} was shut out meanwhile")

    def _same_or_new(
        self,
        device_id: str,
        use: CertificateUse,
        kid: str,
        now: datetime,
        issue: Callable[[], x509.Certificate],
    ) -> IssuedCertificate:
        same = self._same(device_id, use, kid, now)
        return self._add_one_more(device_id, use, kid, issue()) if same is None else same

    def _same(
        self, device_id: str, use: CertificateUse, kid: str, now: datetime
    ) -> IssuedCertificate | None:
        query = """SELECT * FROM certificates WHERE device_id = ? AND label = ? AND kid = ?
            AND state = ? AND until > ? ORDER BY number DESC LIMIT 1"""
        row = (device_id, use, kid, CertificateState.LIVE, rfc3339(now))
        found = self._db.execute(query, row).fetchone()
        return None if found is None else issued_certificate(found)

    def _add_one_more(
        self, device_id: str, use: CertificateUse, kid: str, made: x509.Certificate
    ) -> IssuedCertificate:
        """Add a certificate that the device asks for by itself; signing keys have no limit here.

        All for one use live for as long, so that their ends say when they were made.
        """
        query = "SELECT count(*) FROM certificates WHERE device_id = ? AND label = ? AND until > ?"
        row = (device_id, use, rfc3339(made.not_valid_after_utc - timedelta(days=1)))
        (found,) = self._db.execute(query, row).fetchone()
        if use is not CertificateUse.EVIDENCE and found >= MOST_IN_A_DAY:
            raise TooManyError(f"{device_id}: {MOST_IN_A_DAY} certificates in a day are the most")
        return self._add(device_id, use, kid, made)

    def _add(
        self, device_id: str, use: CertificateUse, kid: str, made: x509.Certificate
    ) -> IssuedCertificate:
        pem = made.public_bytes(serialization.Encoding.PEM).decode()
        until = rfc3339(made.not_valid_after_utc)
        into = """INSERT INTO certificates (serial, device_id, label, kid, until, state, pem)
            VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *"""
        row = (f"{made.serial_number:x}", device_id, use, kid, until, CertificateState.LIVE, pem)
        log.info("event=certificate device_id=%s label=%s serial=%s", device_id, use, row[0])
        return issued_certificate(self._db.execute(into, row).fetchone())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
