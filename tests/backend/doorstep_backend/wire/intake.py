"""From the last byte of an upload to what the backend signs about it."""

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from agent.errors import RecordDamaged
from agent.models import rfc3339
from agent.record import file as recordfile
from agent.record import signing
from agent.record.receipt import RECEIPT_TYPE, REFUSAL_TYPE
from doorstep_backend import keys
from doorstep_backend.engines.objects import Missing
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.identity.admission import device_of, technician_of
from doorstep_backend.identity.register import Register
from doorstep_backend.office.model import Office
from doorstep_backend.wire.fair_semaphore import FairSemaphore
from doorstep_backend.wire.store import IntakeVerdict, Store, Upload, WrongOffsetError

log = logging.getLogger(__name__)


MOST_JUDGED_AT_ONCE: Final = 4
"""Records that are taken in at once: each holds one connection, and asks on another one (HOLDERS in
engines/opening.py).
"""

TURN_S: Final = 1.5
"""Longest wait for that, as for a lock: a device is answered in 3 s."""


class DigestMismatchError(ValueError):
    """All bytes came, but they are not those the device announced; the upload is gone."""


class NotVouchedError(ValueError):
    """No certificate says that the record is the device's; it keeps it, and nothing is signed."""


@dataclass(frozen=True, slots=True)
class IntakeRefusal:
    """Why a record is not taken in; one word, for the device's queue and the office."""

    reason: str


Judged = tuple[IntakeVerdict, recordfile.RecordFile | IntakeRefusal | None]
"""A verdict, and what it is about; None where it was there before."""


class Intake:
    """The judge of finished uploads, which signs verdicts; the office files what has a receipt.

    With a `register`, a certificate must vouch for the key of every label.
    """

    def __init__(
        self,
        store: Store,
        key: Callable[[], signing.PrivateKey],
        office: Office | None = None,
        register: Register | None = None,
    ) -> None:
        self._store = store
        self._key_in_use = key
        self._office = office
        self._register = register
        self._slots = FairSemaphore(MOST_JUDGED_AT_ONCE)

    def judge(self, upload: Upload, unkept: bytes | None = None) -> IntakeVerdict:
        """Return the verdict on an upload whose bytes have all come.

        A receipt is signed after the record was put, flushed and read back, and stays the same.
        A refusal is judged again each time, so that asking again helps after a repair.
        A process that dies anywhere in it leaves an upload that is judged at the next request.

        Args:
            unkept: all of its bytes, where they came at once and are no pieces yet; where nothing
                is signed, they are kept.

        Raises:
            Unavailable: it cannot be kept, or not be read back; nothing is signed: ask again later.
            DigestMismatchError: the bytes are not those announced; the upload was dropped.
            NotVouchedError: it is not the device's, or by a key that no certificate vouches for;
                what a technician brought is then dropped, since it is on the card.
        """
        verdict = self._store.verdict(upload.capture_id)
        if verdict is not None and verdict.accepted:
            return verdict
        found = self._in_turn(upload, unkept)
        if isinstance(found, Exception):
            raise found
        verdict, opened = found
        if self._office is not None and isinstance(opened, recordfile.RecordFile):
            self._office.accept(opened)
        return verdict

    def _in_turn(self, upload: Upload, unkept: bytes | None) -> "Judged | Exception":
        with self._slots.acquired(TURN_S), self._store.upload_locked(upload.capture_id) as found:
            return self._judge(found, unkept)

    def _judge(self, upload: Upload | None, unkept: bytes | None) -> "Judged | Exception":
        """Judge while the row is held; an error is returned, since raised it would undo all.

        Unavailable of the database is raised, since it has undone all already.
        """
        verdict = None if upload is None else self._store.verdict(upload.capture_id)
        if verdict is not None and verdict.accepted:
            return verdict, None
        if upload is None:
            return DigestMismatchError("the upload was dropped meanwhile; create it again")
        content = self._content(upload, unkept)
        if hashlib.sha256(content).hexdigest() != upload.sha256:
            self._store.drop(upload.capture_id)
            return DigestMismatchError(f"{upload.capture_id}: digest differs; create it again")
        try:
            opened = self._open(upload, content)
        except NotVouchedError as error:
            if upload.device_id is None:
                self._store.drop(upload.capture_id)
            else:
                self._keep_for_later(upload, unkept)
            return error
        try:
            self._put(upload, content, accepted=not isinstance(opened, IntakeRefusal))
            found = self._verdict(upload, opened)
        except Unavailable as error:
            try:
                self._keep_for_later(upload, unkept)
            except (
                Unavailable
            ):  # it is the database, which has undone all; the first error says why
                raise error from None
            return error
        was_refused = verdict is not None
        self._settle(upload, content, opened, found, was_refused=was_refused)
        return found, opened

    def _content(self, upload: Upload, unkept: bytes | None) -> bytes:
        if unkept is not None:
            return unkept
        try:
            return self._store.to_judge(upload)
        except Missing as error:
            log.warning("upload=lost capture_id=%s why=%s", upload.capture_id, error)
            return b""

    def _keep_for_later(self, upload: Upload, unkept: bytes | None) -> None:
        """Keep what came, unless another request has gone on with it."""
        if unkept is not None:
            with suppress(WrongOffsetError):
                self._store.append(upload, 0, unkept)

    def _put(self, upload: Upload, content: bytes, *, accepted: bool) -> None:
        """Put the record into the objects, and read it back. Raises Unavailable, of the objects."""
        self._store.keep(upload, content, accepted=accepted)
        self._store.read_back(upload, accepted=accepted)

    def _open(self, upload: Upload, content: bytes) -> recordfile.RecordFile | IntakeRefusal:
        """Open a record whose key is vouched for: nobody parses a stranger's body."""
        try:
            checked = recordfile.check(content)
            if (refusal := self.distrusts(upload, checked)) is not None:
                return refusal
            return self._store.open_checked(checked)
        except RecordDamaged as error:
            log.warning("record=damaged capture_id=%s error=%s", upload.capture_id, error)
            return IntakeRefusal("damaged")

    def distrusts(self, upload: Upload, checked: recordfile.CheckedRecord) -> IntakeRefusal | None:
        """Return why the label is refused; raise NotVouchedError if its key is not vouched for.

        Asked before a body is opened.
        """
        label, kid = checked.label, signing.thumbprint(checked.key)
        if self._register is not None:
            self._check_vouched(self._register, upload, label.device_id, kid)
        if label.capture_id != upload.capture_id:
            return IntakeRefusal("wrong_id")
        if self._register is None and self._store.pinned(label.device_id, kid) != kid:
            return IntakeRefusal("unknown_key")
        return None

    def _check_vouched(self, register: Register, upload: Upload, device_id: str, kid: str) -> None:
        if is_anothers(upload, device_id):
            raise NotVouchedError(f"the record is of {device_id}, not of the device that sent it")
        if upload.device_id is None:
            self._check_rescued(register, device_id, kid)
        elif not register.is_vouched(device_id, kid):
            raise NotVouchedError(
                f"no evidence certificate of {device_id} vouches for the key of this record; "
                "enrol again, and ask again for its receipt"
            )

    def _check_rescued(self, register: Register, device_id: str, kid: str) -> None:
        """Check that a technician's record is genuine, of a device that the register knows."""
        if register.state(device_id) is None:
            raise NotVouchedError(
                f"{device_id} is no device of this fleet: its card stays as it is"
            )
        if not register.is_vouched(device_id, kid):
            raise NotVouchedError(
                f"{device_id} never signed with the key of this record here: is it another fleet's?"
            )
        if self._office is not None and self._office.revoked_keys.has(kid, device_id):
            raise NotVouchedError(f"the signing key of {device_id} was revoked: ask the office")

    def sign_again(self, kid: str) -> int:
        """Sign again whatever the key `kid` signed, of the same date; return how many.

        For a key that no device believes any more. Safe while the backend serves.
        """
        found = (one for one in self._store.verdicts() if signing.key_id(one.jws) == kid)
        return sum(self._signs_again(one) for one in found)

    def _signs_again(self, verdict: IntakeVerdict) -> bool:
        """Sign a verdict again, unless there is another one meanwhile, or its upload is gone."""
        with self._store.upload_locked(verdict.capture_id) as upload:
            if upload is None or self._store.verdict(verdict.capture_id) != verdict:
                return False
            jws = self._signed(upload, verdict.at, verdict.reason)
            self._store.settle(replace(verdict, jws=jws))
        return True

    def _verdict(
        self, upload: Upload, opened: recordfile.RecordFile | IntakeRefusal
    ) -> IntakeVerdict:
        """Return what is signed, dated before its key is read.

        A key that ends meanwhile ends later: its end is set once this is durable.
        Raises Unavailable.
        """
        reason = opened.reason if isinstance(opened, IntakeRefusal) else None
        with self._store.db.shared_transaction(keys.CHANGE):
            at = rfc3339(self._store.db.now())
            return IntakeVerdict(upload.capture_id, at, reason, self._signed(upload, at, reason))

    def _signed(self, upload: Upload, at: str, reason: str | None) -> str:
        return signing.sign(_payload(upload, at, reason), self._key, typ=_type(reason))

    @property
    def _key(self) -> signing.PrivateKey:
        """The one in use now: a command may have replaced it."""
        return self._key_in_use()

    def _settle(
        self,
        upload: Upload,
        content: bytes,
        opened: recordfile.RecordFile | IntakeRefusal,
        verdict: IntakeVerdict,
        *,
        was_refused: bool,
    ) -> None:
        if isinstance(opened, recordfile.RecordFile):
            self._unpack(upload, content, opened)
        self._store.settle(verdict)
        self._store.release(upload, was_refused=was_refused, accepted=verdict.accepted)
        log.info("verdict=%s capture_id=%s", verdict.reason or "received", upload.capture_id)

    def _unpack(self, upload: Upload, content: bytes, opened: recordfile.RecordFile) -> None:
        self._store.unpack(opened, content)
        if self._register is not None:
            self._store.own(upload, opened.label.device_id)
        if self._office is not None and self._office.filing.is_erased(upload.capture_id):
            self._store.erase(upload.capture_id)  # once it has its receipt nobody tries again


def _type(reason: str | None) -> str:
    return RECEIPT_TYPE if reason is None else REFUSAL_TYPE


def is_anothers(upload: Upload, device_id: str | None) -> bool:
    """Return whether another device began it; without a certificate, none did."""
    return upload.device_id is not None and upload.device_id != device_id


def is_closed_to(scope: Any, upload: Upload) -> bool:
    """Return True if this client may not know of the upload; a technician may finish any."""
    return technician_of(scope) is None and is_anothers(upload, device_of(scope))


def _payload(upload: Upload, at: str, reason: str | None) -> dict[str, Any]:
    what = {
        "v": 1,
        "capture_id": upload.capture_id,
        "sha256": upload.sha256,
        "bytes": upload.length,
    }
    return what | ({"received_at": at} if reason is None else {"reason": reason, "refused_at": at})
