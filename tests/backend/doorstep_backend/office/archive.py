"""A month of records that were erased, out of the database into one file: labels and receipts.

Else rows and an object of each stay for good. In the file is what `verify` needs of them.

Partitions of the tables by month would not do: PostgreSQL wants the month in every unique key, and
then one capture_id could be in two months. It is random, and says no time.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from agent.errors import RecordDamaged
from agent.models import CAPTURE_ID, RecordLabel, rfc3339
from agent.record import file as recordfile
from doorstep_backend import keys
from doorstep_backend.engines.objects import Missing
from doorstep_backend.engines.sql import Database
from doorstep_backend.office import erased
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.model import Office
from doorstep_backend.wire.store import Store
from hardware.foreign import SMALL_BYTES, open_file, read_json

BATCH: Final = 500
"""Records of one device that are taken out at once."""

REQUESTS_AT_ONCE: Final = 8
"""Labels that are read or removed at once: each is a request to the bucket."""

Seqs = dict[str, set[int]]
"""Numbers by chain."""


@dataclass(frozen=True, slots=True)
class _File:
    """A month's.

    Attributes:
        places: where the line begins of each that is in it, flushed: some 150 bytes of memory for
            each record of the month.
    """

    path: Path
    places: dict[str, int]

    def label(self, capture_id: str) -> RecordLabel:
        """Return the label of a record that is in the file."""
        with self.path.open("rb") as opened:
            opened.seek(self.places[capture_id])
            label, _ = recordfile.open_label(read_json(opened.readline())["label"].encode())
        return label


def archive(office: Office, month: str, folder: Path, now: datetime) -> str:
    """Take a month's erased records out into `FOLDER/MONTH.jsonl`; returns what to print.

    A line is in the file, and flushed, before anything of its record goes; interrupted, do it
    again. What is not erased yet, as of an order that is held, stays, and is added another time.

    Another one that wants the same folder waits.

    Raises:
        NotDone: the month is none, or not over; or its file is not there any more.
    """
    begins, ends = _bounds(month)
    if ends > now:
        raise NotDone(f"{month} is not over")
    folder.mkdir(parents=True, exist_ok=True)
    with keys.alone(folder):
        file = _opened(office.ledger, month, folder)
        left = 0
        for device_id in _devices(office.ledger):
            for ids in _batches(office.ledger, device_id, begins, ends):
                left += len(ids) - _take_out(office, device_id, ids, file)
        digest = _digest(file.path)
        change = "UPDATE archives SET records = ?, sha256 = ? WHERE month = ?"
        office.ledger.execute(change, (len(file.places), digest, month))
    words = f"; {left} stay: their labels or uploads are not as received" if left else ""
    return f"{file.path}: {len(file.places)} records, sha256 {digest}{words}"


def months(ledger: Database) -> list[str]:
    """Return the months that are in files by now, the earliest first."""
    return [row["month"] for row in ledger.execute("SELECT month FROM archives ORDER BY 1")]


def archived(ledger: Database, device_id: str) -> Iterator[tuple[str, int]]:
    """Yield chain and number, by the label, of each record of a device that is in a file."""
    for chain, seqs in _seqs(ledger, device_id).items():
        yield from ((chain, seq) for seq in seqs)


def has(ledger: Database, label: RecordLabel) -> bool:
    """Return whether a record of this number is in a file."""
    query = """SELECT 1 FROM archived_runs WHERE device_id = ? AND chain = ?
        AND first_seq <= ? AND last_seq >= ?"""
    row = (label.device_id, label.chain, label.seq, label.seq)
    return ledger.execute(query, row).fetchone() is not None


def lines_of(device_id: str, files: Iterable[Path]) -> Iterator[dict[str, str]]:
    """Return the files' lines of a device, each once: `capture_id`, `label`, `signed` about it."""
    told: set[str] = set()
    for path in files:
        for _, said in _lines(path):
            if said["device_id"] == device_id and said["capture_id"] not in told:
                told.add(said["capture_id"])
                yield said


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each line, and its place. Raises NotDone: it is not one of `archive`."""
    place = 0
    with open_file(path) as file:
        while line := file.readline(SMALL_BYTES):
            try:
                yield place, _members(line)
            except ValueError as error:
                raise NotDone(f"{path}: not a file of `archive`: {error}") from error
            place += len(line)


def _members(line: bytes) -> dict[str, str]:
    found: dict[str, str] = read_json(line)
    match found:
        case {"capture_id": str(capture_id), "device_id": str(), "label": str(), "signed": str()}:
            if CAPTURE_ID.fullmatch(capture_id):
                return found
    raise ValueError("a line without a record's id, its device, its label and what was signed")


def _bounds(month: str) -> tuple[datetime, datetime]:
    try:
        begins = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
    except ValueError as error:
        raise NotDone(f"{month} is no month: give it as 2026-05") from error
    last = begins.month == 12
    return begins, begins.replace(year=begins.year + last, month=1 if last else begins.month + 1)


def _opened(ledger: Database, month: str, folder: Path) -> _File:
    """Open the month's file; a row says so before there is a line in it. Raises NotDone.

    The row decides between two processes that archive one month into different folders at once.
    """
    path = folder / f"{month}.jsonl"
    is_new = not path.exists()
    _mend(path)
    _flush(folder)
    into = "INSERT INTO archives VALUES (?, 0, '') ON CONFLICT (month) DO NOTHING"
    if ledger.execute(into, (month,)).rowcount == 0 and is_new:
        path.unlink()
        raise NotDone(f"{month} was archived before: put {path.name} back into {folder}")
    return _File(path, _places(path))


def _places(path: Path) -> dict[str, int]:
    return {said["capture_id"]: place for place, said in _lines(path)}


def _flush(folder: Path) -> None:
    """Flush a folder: a new file in it could otherwise be lost in a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mend(path: Path) -> None:
    """Cut off half a line, which a power cut may leave: its record is still here."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end and (file.seek(end - 1), file.read(1))[1] != b"\n":
            end -= 1
        file.truncate(end)


def _devices(ledger: Database) -> Iterator[str]:
    query = "SELECT min(device_id) FROM captures WHERE device_id > ?"
    device_id = ""
    while (device_id := ledger.execute(query, (device_id,)).fetchone()[0]) is not None:
        yield device_id


def _batches(
    ledger: Database, device_id: str, begins: datetime, ends: datetime
) -> Iterator[list[str]]:
    query = f"""SELECT capture_id, received_at FROM captures WHERE device_id = ?
        AND received_at >= ? AND received_at < ? AND erased_at IS NOT NULL
        AND capture_id > ? ORDER BY capture_id LIMIT {BATCH}"""
    after = ""
    row = (device_id, rfc3339(begins), rfc3339(ends))
    while found := [one["capture_id"] for one in ledger.execute(query, (*row, after))]:
        yield found
        after = found[-1]


def _take_out(office: Office, device_id: str, ids: Sequence[str], file: _File) -> int:
    """Move labels to the file; return the number of those that are only there now."""
    store, ledger = office.store, office.ledger
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as threads:
        whole = [one for one in ids if store.find(one) is not None]
        found = [one for one in threads.map(partial(_labelled, store), whole) if one is not None]
        _add(office, file, found)
        # Also what an interrupted run has taken out by half, and what a restore brought back.
        out = {*ids} & file.places.keys()
        labels: dict[str, RecordLabel] = {label.capture_id: label for label, _ in found}
        _note(ledger, device_id, [labels.get(one) or file.label(one) for one in out])
        if out:
            marks = ", ".join("?" * len(out))
            store.db.execute(f"DELETE FROM uploads WHERE capture_id IN ({marks})", [*out])
            list(threads.map(store.objects.erase, out))
            ledger.execute(f"DELETE FROM captures WHERE capture_id IN ({marks})", [*out])
    return len(out)


def _add(office: Office, file: _File, found: Sequence[tuple[RecordLabel, bytes]]) -> None:
    """Add lines durably; those of an interrupted run are there already."""
    new = [(label, line) for label, line in found if label.capture_id not in file.places]
    places: dict[str, int] = {}
    with file.path.open("ab") as opened:
        for label, line in new:
            places[label.capture_id] = opened.tell()
            opened.write(_line(office, label, line))
        opened.flush()
        os.fsync(opened.fileno())
    file.places.update(places)


def _labelled(store: Store, capture_id: str) -> tuple[RecordLabel, bytes] | None:
    """Return its label and the label's line; None if that is not as received."""
    try:
        line = store.line(capture_id)
        label, _ = recordfile.open_label(line)
    except (Missing, RecordDamaged):
        return None
    return (label, line) if label.capture_id == capture_id else None


def _line(office: Office, label: RecordLabel, line: bytes) -> bytes:
    said = {
        "capture_id": label.capture_id,
        "device_id": label.device_id,
        "label": line.decode("ascii"),
        "signed": erased.signed_about(office, label.capture_id),
    }
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def _note(ledger: Database, device_id: str, labels: Sequence[RecordLabel]) -> None:
    """Note the numbers that are in files now; a second time changes nothing."""
    with ledger.exclusive_transaction():
        seqs = _seqs(ledger, device_id)
        for label in labels:
            seqs.setdefault(label.chain, set()).add(label.seq)
        ledger.execute("DELETE FROM archived_runs WHERE device_id = ?", (device_id,))
        rows = [
            (device_id, chain, first, last)
            for chain, numbers in seqs.items()
            for first, last in _runs(numbers)
        ]
        ledger.executemany("INSERT INTO archived_runs VALUES (?, ?, ?, ?)", rows)


def _seqs(ledger: Database, device_id: str) -> Seqs:
    query = "SELECT chain, first_seq, last_seq FROM archived_runs WHERE device_id = ?"
    found: Seqs = {}
    for chain, first, last in ledger.execute(query, (device_id,)):
        found.setdefault(chain, set()).update(range(first, last + 1))
    return found


def _runs(numbers: set[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last number of each run."""
    for first in sorted(one for one in numbers if one - 1 not in numbers):
        last = first
        while last + 1 in numbers:
            last += 1
        yield first, last


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
