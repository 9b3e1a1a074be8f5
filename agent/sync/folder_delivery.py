"""Delivers the records of a card one after the other, and keeps each receipt beside them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, assert_never

from agent.errors import NotGenuine
from agent.models import Item
from agent.queue.disk import RECORD_MODE
from agent.queue.owned import OwnedFolder
from agent.record.receipt import Keys, Receipt, Refusal, verified_receipt
from agent.sync.delivery import Delivery
from agent.sync.outcome import (
    Deferred,
    NoService,
    Outcome,
    StuckUpload,
    Unauthorised,
    UnsignedRejection,
)
from agent.sync.read_verified import read_verified
from agent.sync.record_folder import FolderRecord, RecordFolder
from agent.wire.http import Backend
from agent.wire.tus import Answer

TRIES: Final = 3
"""Tries for a record while the connection fails: the technician starts the next run."""

RECEIPT_LIMIT_BYTES: Final = 65_536
"""Longest file that is looked at for a receipt of before; one has 400."""


class ObservedBackend(Backend):
    """A backend; `gave` is True if it was sent any part of a record since the last reset."""

    gave = False

    def create(self, length: int, metadata: str, content: bytes | None) -> Answer:
        """Create an upload as Backend does."""
        self.gave = True
        return super().create(length, metadata, content)

    def append(self, url: str, offset: int, piece: bytes) -> Answer:
        """Append a piece as Backend does."""
        self.gave = True
        return super().append(url, offset, piece)


@dataclass(slots=True)
class FolderTally:
    """The result for the records of a card.

    Attributes:
        sent: delivered now.
        there: the backend had them, or their receipt was in the folder.
        refused: the name of each file and why the backend refuses it.
        left: the same of those that may be delivered another time.
        stopped: why nothing more was tried; None if all was.
    """

    sent: int = 0
    there: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    stopped: str | None = None


class FolderDelivery:
    """The delivery of a card's records to a backend.

    Args:
        backend: the backend, with the technician's certificate.
        keys: the keys that may sign receipts.
        receipts: the folder for receipts; a record with a valid one there is not sent again.
        objection: returns why the backend refuses the technician; None if it does not.
    """

    def __init__(
        self,
        backend: ObservedBackend,
        keys: Keys,
        receipts: OwnedFolder,
        objection: Callable[[], str | None],
    ) -> None:
        self._backend = backend
        self._keys = keys
        self._receipts = receipts
        self._objection = objection
        self._delivery = Delivery(backend, lambda: keys, lambda _item, _url: None)
        self._barred: dict[str, str] = {}

    def deliver_all(self, card: RecordFolder, progress: Callable[[int, int], None]) -> FolderTally:
        """Deliver each record once; a delivery survives a kill and a power cut at any point."""
        tally, total = FolderTally(), len(card.records)
        for done, found in enumerate(card.records):
            progress(done, total)
            if tally.stopped is None:
                self._deliver(found, tally)
            if tally.stopped is not None:
                tally.left.append((found.path.name, tally.stopped))
        progress(total, total)
        return tally

    def _deliver(self, found: FolderRecord, tally: FolderTally) -> None:
        if self._has_receipt(found.item):
            tally.there += 1
        elif found.kid in self._barred:
            tally.refused.append((found.path.name, self._barred[found.kid]))
        else:
            self._note(found, self._outcome(found), tally)

    def _outcome(self, found: FolderRecord) -> Outcome:
        content = read_verified(found.path, found.item)
        if not isinstance(content, bytes):
            words = content.answer if isinstance(content, Deferred) else content.what
            return Deferred(f"{words}; the card gives way: copy it first")
        self._backend.gave = False
        for _ in range(TRIES):
            outcome = self._delivery.send(found.item, content)
            if not isinstance(outcome, NoService) or outcome.retry_after_s is not None:
                break
        return outcome

    def _note(self, found: FolderRecord, outcome: Outcome, tally: FolderTally) -> None:
        name = found.path.name
        match outcome:
            case Receipt(token):
                self._keep(found.item, token)
                tally.sent += self._backend.gave
                tally.there += not self._backend.gave
            case Refusal():
                tally.refused.append((name, f"refused: {outcome.reason}"))
            case Unauthorised(answer):
                tally.stopped = self._objection()
                if tally.stopped is None:  # it is about this record, and all by its key
                    self._barred[found.kid] = answer
                    tally.refused.append((name, answer))
            case NoService(answer):
                tally.stopped = answer
            case Deferred(answer) | StuckUpload(answer) | UnsignedRejection(answer):
                tally.left.append((name, answer))
            case other:
                assert_never(other)

    def _keep(self, item: Item, token: str) -> None:
        name = f"{item.capture_id}.jws"
        self._receipts.write(name, f"{token}\n".encode(), RECORD_MODE, whole=True)

    def _has_receipt(self, item: Item) -> bool:
        with suppress(OSError, NotGenuine, ValueError):
            content = self._receipts.read(f"{item.capture_id}.jws", RECEIPT_LIMIT_BYTES)
            verified_receipt((content or b"").decode("ascii").split()[0], item, self._keys)
            return True
        return False


def by_reason(told: Sequence[tuple[str, str]]) -> list[str]:
    """Return a line for each reason: the number of records, and the name of the first."""
    first: dict[str, list[str]] = {}
    for name, why in told:
        first.setdefault(why, []).append(name)
    return [
        f"{names[0]}: {why}" if len(names) == 1 else f"{len(names)} records: {why}"
        for why, names in first.items()
    ]
