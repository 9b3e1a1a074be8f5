"""The records of a device that the backend does not have, counted as the queue's owner."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from agent.command.state_access import open_queue
from agent.config import Config
from agent.errors import NotGenuine, NotNow
from agent.models import Item, RecordState
from agent.queue.disk import disk_errors
from agent.queue.paths import Layout
from agent.record.receipt import Keys, verified_receipt
from agent.trust.keys import receipt_keys

_WITH_THE_BACKEND: Final = {RecordState.DELIVERED, RecordState.PRUNED}


@dataclass(frozen=True, slots=True)
class Unsent:
    """The number of records of each kind.

    Attributes:
        waiting: records that are to be sent.
        refused: by the backend, with its signature.
        damaged: the file is missing, or holds other bytes.
        unproven: called delivered or pruned, the file is here, and the receipt does not verify.
        unqueued: record files without a row.
        torn: files that a power cut left in `torn/`, or `e2fsck` in `lost+found/`.
    """

    waiting: int = 0
    refused: int = 0
    damaged: int = 0
    unproven: int = 0
    unqueued: int = 0
    torn: int = 0

    @property
    def total(self) -> int:
        """Number of all these records."""
        return sum(asdict(self).values())


_WAYS_OUT: Final = {
    "waiting": "`doorstep sync --once` sends them",
    "refused": "`doorstep queue` says why, `doorstep queue retry` offers them again",
    "damaged": "`doorstep queue` says why, `doorstep queue retry` offers them again",
    "unproven": "`doorstep sync` asks for their receipts again within an hour",
    "unqueued": "a start of `doorstep capture` queues them",
    "torn": "only the office can say what they are",
}


def why_not(unsent: Unsent, given_up: int) -> str | None:
    """Return why the device cannot be retired; None if nothing is lost that was not given up."""
    if unsent.total == given_up:
        return None
    told = [
        f"{count} {kind} ({_WAYS_OUT[kind]})" for kind, count in asdict(unsent).items() if count
    ]
    words = f"{unsent.total} not with the backend: {', '.join(told) or 'none'}; nothing was done"
    if given_up:
        return f"{words}; --discard says {given_up}, and the device {unsent.total}: look again"
    return (
        f"{words}; what cannot be sent from here is saved with the card in a computer, by "
        "`doorstep rescue CARD --to DIR` and `doorstep sync --from DIR`; when it was, or when the "
        f"office says that it may be lost: --discard {unsent.total}"
    )


def look(config: Config) -> dict[str, Any]:
    """Return `unsent`, and of each chain its last number and its count of receipts; JSON types.

    Raises:
        NotNow: capture has not made the queue yet.
        StorageFault: the queue or the disk cannot be read.
    """
    layout = Layout.of(config.state)
    keys: Keys = {}
    with suppress(NotNow):  # no fleet document: then no receipt verifies
        keys = receipt_keys(config)
    with disk_errors("cannot look at the records"):
        files = {path.stem for path in layout.records.glob("*.rec")}
        with os.scandir(layout.torn) as entries:
            torn = sum(1 for _ in entries)
    chains: dict[str, list[int]] = {}
    with open_queue(config) as outbox:
        unsent = counted(_noted(outbox.every(), chains), files, torn, keys)
    return {"unsent": asdict(unsent), "chains": chains}


def _noted(items: Iterable[Item], chains: dict[str, list[int]]) -> Iterator[Item]:
    """Yield the same items one by one, and note each in its chain."""
    for item in items:
        last, receipts = chains.get(item.chain, [0, 0])
        chains[item.chain] = [max(last, item.seq), receipts + (item.state in _WITH_THE_BACKEND)]
        yield item


def counted(items: Iterable[Item], files: set[str], torn: int, keys: Keys) -> Unsent:
    """Count the rows and files that are not with the backend."""
    states: Counter[RecordState] = Counter()
    unproven, unqueued = 0, set(files)
    for item in items:
        states[item.state] += 1
        if item.state in _WITH_THE_BACKEND and item.capture_id in files:
            unproven += not _is_proven(item, keys)
        unqueued.discard(item.capture_id)
    return Unsent(
        waiting=states[RecordState.PENDING],
        refused=states[RecordState.REFUSED],
        damaged=states[RecordState.DAMAGED],
        unproven=unproven,
        unqueued=len(unqueued),
        torn=torn,
    )


def _is_proven(item: Item, keys: Keys) -> bool:
    try:
        verified_receipt(item.decision or "", item, keys)
    except NotGenuine:
        return False
    return True
