"""A record that has its receipt, as stored here; or the reason why it is missing."""

from dataclasses import dataclass
from typing import Final

from agent.errors import RecordDamaged
from agent.models import RecordLabel
from agent.record import file as recordfile
from agent.record import signing
from agent.record.sealing import SEALED_TYPE
from doorstep_backend.engines.objects import Missing
from doorstep_backend.office.archive import months
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.model import Office
from doorstep_backend.office.photos import Filed
from doorstep_backend.wire.store import IntakeVerdict

UNKNOWN: Final = (
    "no record of this id ever came: give the whole id (36 characters), and the folder of the "
    "backend that its device sends to"
)
NOT_FILED: Final = (
    "this record has its receipt but is not filed yet: start the backend, or read in its log why "
    "it cannot be filed (record=not_filed); then export again"
)
NOT_AS_RECEIVED: Final = (
    "what lies here of this record is not what was received any more: take it from a copy of the "
    "backend's folder or bucket; nothing was exported"
)


@dataclass(frozen=True, slots=True)
class Received:
    """Attributes: content: byte for byte as it came; erased, its label alone."""

    content: bytes
    label: RecordLabel
    key: signing.PublicKey
    verdict: IntakeVerdict
    filed: Filed

    @property
    def kid(self) -> str:
        """Thumbprint of the key in its label."""
        return signing.thumbprint(self.key)

    @property
    def is_sealed(self) -> bool:
        """True if its body was sealed."""
        return self.label.body.type == SEALED_TYPE

    def left(self) -> str:
        """Return a sentence that says what is left of the record."""
        if self.filed.erased_at:
            return (
                f"Only its label is left: the body was erased on {self.filed.erased_at} "
                f"({self.filed.erased_why})."
            )
        if self.filed.is_unopened:
            return (
                "It is whole. No identity of this backend opens it: nobody here saw what is in it."
            )
        return "It is whole."


def _unknown(office: Office) -> str:
    files = [f"{month}.jsonl" for month in months(office.ledger)]
    return f"{UNKNOWN}; or it is in an archive: {', '.join(files)}" if files else UNKNOWN


def received(office: Office, capture_id: str) -> Received:
    """Return the record. Raises NotDone, which says what there is instead."""
    upload, verdict = office.store.find(capture_id), office.store.verdict(capture_id)
    if upload is None:
        raise NotDone(_unknown(office))
    if verdict is None:
        raise NotDone(
            f"this record is not here yet: {office.store.offset(upload)} of its {upload.length} "
            "bytes have come, and it has no receipt; wait until its device has sent the rest"
        )
    if verdict.reason is not None:
        raise NotDone(
            f"this record was refused on {verdict.at} ({verdict.reason}): it has no receipt, and "
            "proves nothing here; its device still has it, and `doorstep queue` there lists it"
        )
    filed = office.filing.filed(capture_id)
    if filed is None:
        raise NotDone(NOT_FILED)
    try:
        erased, store = filed.erased_at, office.store
        content = store.line(capture_id) + b"\n" if erased else store.received(capture_id)
        label, key = recordfile.open_label(content.partition(b"\n")[0])
    except (Missing, RecordDamaged) as error:
        raise NotDone(NOT_AS_RECEIVED) from error
    return Received(content, label, key, verdict, filed)
