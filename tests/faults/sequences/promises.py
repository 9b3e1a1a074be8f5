"""The promises so far, and a check that card, queue and backend still keep them."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from agent.errors import DoorstepError
from agent.models import Item, RecordLabel, RecordState
from agent.record import receipt, signing
from agent.status import document as status
from agent.status.values import QueuePart, Status, compact
from agent.trust.keys import receipt_keys
from tests.faults.sequences.device import InProcessDevice
from tests.support.backend import Backend
from tests.support.sealed import unpack

LIMIT: Final = 10_000
STATUS_LIMIT_BYTES: Final = 1_500
"""Most of the status document, as agent/docs/status.md promises it."""

HAD: Final = frozenset({RecordState.DELIVERED, RecordState.PRUNED})
"""States of what the backend has."""


@dataclass(frozen=True, slots=True)
class Known:
    """A record as it was when it was first seen on the card."""

    label: RecordLabel
    label_sha256: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class Held:
    """A file, whatever its name is meanwhile; that takes no lock, and drops none."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_PATH)

    def __del__(self) -> None:
        os.close(self.descriptor)

    @classmethod
    def at(cls, path: Path) -> "Held | None":
        return cls(path) if path.exists() else None

    def has_name(self) -> bool:
        """True if the file can still be found in a folder."""
        return os.fstat(self.descriptor).st_nlink > 0

    def is_at(self, path: Path) -> bool:
        """Return True if this is the file of this name."""
        return path.exists() and path.stat().st_ino == os.fstat(self.descriptor).st_ino


@dataclass(slots=True)
class Promises:
    """The model: what each record was, and the last that was known of it.

    Attributes:
        seen: states of records that any example came to, and other things worth having met.
        known: every record that was ever on the card, by capture_id.
        kept: those that a press was answered with.
        spoiled: those whose file the machine altered or removed.
        removed: those of them without a file.
        forgotten: those that the backend had, and was made to forget.
        gone: those whose file was deleted, as a receipt allows.
        rows: the queue at the last look.
        broken: whether the machine broke the queue since it was last sound.
        starts: how often capture has started.
        held: the queue; None when the machine has put another in its place.
    """

    seen: Counter[str]
    known: dict[str, Known] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    spoiled: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    rows: dict[str, Item] = field(default_factory=dict)
    broken: bool = False
    starts: int = 1
    held: "Held | None" = None

    def check(self, device: InProcessDevice, backend: Backend) -> None:
        """Look everywhere; fails with what is wrong."""
        self._learn(device)
        self._check_chain()
        self._check_backend(backend)
        self._check_card(device)
        self._check_set_aside(device)
        if self.broken:
            self._peek(device)
        else:
            self._check_queue(device, backend)

    def _check_set_aside(self, device: InProcessDevice) -> None:
        """Check that unverified files are kept, and a queue is deleted only if it was broken.

        It is sound again once another is in its place, or capture has started on it.
        """
        held, self.held = self.held, Held.at(device.layout.database)
        is_another = held is not None and not held.is_at(device.layout.database)
        assert held is None or held.has_name() or self.broken, "a sound queue was deleted"
        if self.broken and (is_another or self.starts != device.starts):
            self.broken, self.rows = False, {}
        self.starts = device.starts
        for name in self.spoiled - self.removed - self.gone:
            places = (device.layout.records, device.layout.torn)
            if not any(list(folder.glob(f"{name}.rec*")) for folder in places):
                row = self.rows.get(name)
                is_had = row is not None and row.state in HAD
                assert is_had, f"deleted: {_of(self.known[name])}"
                self.gone.add(name)

    def _peek(self, device: InProcessDevice) -> None:
        """Read the rest of a broken queue, and leave no mark that capture would find."""
        mark = device.layout.rebuild_mark
        was_marked = mark.exists()
        with suppress(DoorstepError), device.queue() as (outbox, _):
            self.rows = {row.capture_id: row for row in outbox.items(None, 0, LIMIT)}
        if not was_marked:
            mark.unlink(missing_ok=True)

    def has(self, *states: RecordState) -> bool:
        """Return True if the queue had a record in one of these states at the last look."""
        return any(row.state in states for row in self.rows.values())

    def sound(self, device: InProcessDevice) -> list[str]:
        """Records whose file is there as it was written, oldest first."""
        names = self.known.keys() - self.spoiled - self.gone
        there = [name for name in names if device.layout.record(name).exists()]
        return sorted(there, key=lambda name: self.known[name].label.seq)

    def _learn(self, device: InProcessDevice) -> None:
        for path in device.layout.records.glob("*.rec"):
            if path.stem not in self.known:
                content = path.read_bytes()
                opened = unpack(content)
                self.known[path.stem] = Known(opened.label, opened.label_sha256, content)
        assert self.kept <= self.known.keys(), (
            f"answered, but not there: {self.kept - self.known.keys()}"
        )

    def _check_chain(self) -> None:
        """No gaps, no forks; who loses a file may lose its number with it."""
        sound = [one for name, one in self.known.items() if name not in self.spoiled]
        numbers = Counter((one.label.chain, one.label.seq) for one in sound)
        assert max(numbers.values(), default=1) == 1, f"a fork: {numbers.most_common(3)}"
        every = {(one.label.chain, one.label.seq): one for one in [*self.known.values(), *sound]}
        for (chain, seq), one in every.items():
            before = every.get((chain, seq - 1))
            assert before or seq == 1, f"a gap before {seq}"
            if before and not {before.label.capture_id, one.label.capture_id} & self.spoiled:
                assert one.label.prev == before.label_sha256, f"{seq} does not follow {seq - 1}"
        if not self.spoiled:
            assert len({chain for chain, _ in every}) == 1, "a second chain"

    def _check_card(self, device: InProcessDevice) -> None:
        """A file is whole, or was delivered before it was deleted, and long enough ago."""
        now = device.true_utc()
        for name, one in self.known.items():
            path = device.layout.record(name)
            if name in self.spoiled or name in self.gone:
                continue
            if path.exists():
                assert path.read_bytes() == one.content, f"other bytes on the card: {_of(one)}"
                continue
            row = self.rows.get(name)
            assert row, f"lost, and never in the queue: {_of(one)}"
            assert row.state is RecordState.DELIVERED, f"deleted while {row.state}: {_of(one)}"
            self._check_age(device, row, now, timedelta(hours=device.config.retention.file_hours))
            self.gone.add(name)

    def _check_age(
        self, device: InProcessDevice, row: Item, now: datetime, least: timedelta
    ) -> None:
        received = receipt.verified_receipt(row.decision or "", row, _keys(device)).received
        assert now - received >= least, f"deleted {now - received} after its receipt"

    def _check_queue(self, device: InProcessDevice, backend: Backend) -> None:
        with device.queue() as (outbox, database):
            with database.look() as sql:
                assert [row[0] for row in sql.execute("PRAGMA quick_check")] == ["ok"]
            rows: dict[str, Item] = {row.capture_id: row for row in outbox.items(None, 0, LIMIT)}
            counts = outbox.counts()
            document = status.document(device.config, status.queue_part(outbox))
        self._check_counts(rows, counts, document)
        now = device.true_utc()
        for name in self.rows.keys() - rows.keys():
            before = self.rows[name]
            if self._is_replaced(name):
                continue
            assert before.state in HAD, f"a row is gone: {before}"
            self._check_age(device, before, now, timedelta(days=device.config.retention.row_days))
        assert rows.keys() <= self.known.keys(), "a row of no record"
        for name in self.kept - rows.keys() - self.gone - self.spoiled:
            raise AssertionError(f"on the card, but not in the queue: {_of(self.known[name])}")
        for name, row in rows.items():
            self._check_row(device, backend, self.known[name], row)
            self.seen[row.state] += 1
        if len(_signers(rows.values())) > 1:
            self.seen["receipts by two keys"] += 1
        self.rows = rows

    def _is_replaced(self, name: str) -> bool:
        """Return True if the newest file was lost, and another record has its number.

        Where the chain goes on is said by files and by no row, which other processes write too.
        """
        label = self.known[name].label
        number = (label.chain, label.seq)
        same = [one for one in self.known.values() if (one.label.chain, one.label.seq) == number]
        return name in self.spoiled and len(same) > 1

    def _check_row(self, device: InProcessDevice, backend: Backend, one: Known, row: Item) -> None:
        name = row.capture_id
        if name not in self.spoiled:
            assert (row.sha256, row.bytes) == (one.sha256, len(one.content)), "a row of other bytes"
        match row.state:
            case RecordState.DELIVERED | RecordState.PRUNED:
                receipt.verified_receipt(row.decision or "", row, _keys(device))
                if name not in self.forgotten:
                    path = backend.received_file(name)
                    assert path.exists(), f"delivered, but the backend has it not: {_of(one)}"
            case RecordState.REFUSED:
                receipt.verified_refusal(row.decision or "", row, _keys(device))
                assert row.answer, "refused without a reason"
            case RecordState.DAMAGED:
                assert name in self.spoiled, f"called damaged: {_of(one)}: {row.answer}"
                assert row.answer, "damaged without a reason"
            case RecordState.PENDING:
                pass

    def _check_counts(self, rows: dict[str, Item], counts: Any, document: Status) -> None:
        by_state = Counter(row.state for row in rows.values())
        pending = [row for row in rows.values() if row.state is RecordState.PENDING]
        told = (counts.waiting, counts.suspected, counts.refused, counts.damaged)
        assert told == (
            by_state[RecordState.PENDING],
            sum(row.suspected > 0 for row in pending),
            by_state[RecordState.REFUSED],
            by_state[RecordState.DAMAGED],
        ), f"{counts} for {by_state}"
        assert counts.oldest_utc == (pending[0].utc if pending else None)
        assert len(compact(document)) <= STATUS_LIMIT_BYTES
        shown = document.queue
        assert isinstance(shown, QueuePart)
        assert told == (shown.waiting, shown.suspected, shown.refused, shown.damaged)
        assert len(shown.alarms) == min(sum(told[1:]), status.ALARMS)

    def _check_backend(self, backend: Backend) -> None:
        """Check that the backend has only the device's records, byte for byte, each once."""
        received = {path.stem: path for path in (backend.data / "received").glob("*.rec")}
        for name in received.keys() & self.known.keys():
            assert received[name].read_bytes() == self.known[name].content, "other bytes arrived"
            refused = backend.data / "refused" / f"{name}.rec"
            assert not refused.exists(), f"at the backend twice: {_of(self.known[name])}"


def _keys(device: InProcessDevice) -> receipt.Keys:
    """Return the keys whose receipts count, as capture keeps them and prune believes them."""
    return receipt_keys(device.config)


def _signers(rows: Iterable[Item]) -> set[str]:
    """Thumbprints of who signed the receipts of these."""
    return {signing.key_id(row.decision) for row in rows if row.state in HAD and row.decision}


def _of(one: Known) -> str:
    return f"#{one.label.seq} {one.label.kind} {one.label.capture_id}"
