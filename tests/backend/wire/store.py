"""Uploads and verdicts on disk: files for the bytes, SQL for what is known about them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from agent.record import file as recordfile
from agent.record import sealing, signing
from tests.backend.copies.shows import Shows
from tests.backend.engines.opening import open_database
from tests.backend.engines.sql import Column, Conflict, Database, Room, statements
from tests.backend.seals import Seals

UPLOADS: Final = Room(
    "uploads",
    [
        statements("""
CREATE TABLE IF NOT EXISTS uploads (
    capture_id TEXT PRIMARY KEY, length BIGINT NOT NULL, sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS verdicts (
    capture_id TEXT PRIMARY KEY REFERENCES uploads ON DELETE CASCADE,
    accepted BOOLEAN NOT NULL, at TEXT NOT NULL, reason TEXT, jws TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS devices (device_id TEXT PRIMARY KEY, kid TEXT NOT NULL);
"""),
        [Column("uploads", "device_id TEXT")],
    ],
)
"""In `backend`. `devices` pins the first label key seen of each device, where no certificate
vouches for it. `device_id`: who began an upload; nobody that is known before there were
certificates.
"""


UNOPENED: Final[dict[str, Any]] = {"simulated": False}
"""Stands for the record.json of a body that is sealed to others; only itself is it, no equal."""


class UploadExistsError(ValueError):
    """An upload of this id was begun before; it is never overwritten."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What a device declared when it created an upload.

    Attributes:
        length: bytes of the whole record file.
        sha256: of the whole record file, lower-case hex.
        metadata: the Upload-Metadata header as received; HEAD gives it back.
        device_id: who began it, by its certificate; of one that a technician began, once it has
            its receipt, whose record it is. None without a device's certificate.
    """

    capture_id: str
    length: int
    sha256: str
    metadata: str
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the backend signed about a finished upload: a receipt, or a refusal with a reason."""

    capture_id: str
    at: str
    reason: str | None
    jws: str

    @property
    def accepted(self) -> bool:
        return self.reason is None


class Store:
    """The backend's folder. One thread uses it; every answer it gives survives `kill -9`.

    A record's bytes are in `uploads/<id>.part` until all have come, then in `received/<id>.rec`
    or `refused/<id>.rec`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("uploads", "received", "refused", "photos", "copies", "records"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._seals = Seals(folder)
        self._db = open_database(folder, "backend")
        self._db.migrate(UPLOADS)

    @property
    def db(self) -> Database:
        """For what else is known about uploads (quota.py)."""
        return self._db

    def create(self, upload: Upload) -> None:
        """Begins an upload with no bytes. Raises UploadExistsError for an id begun before."""
        row = (upload.capture_id, upload.length, upload.sha256, upload.metadata, upload.device_id)
        try:
            self._db.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", row)
        except Conflict as error:
            raise UploadExistsError(f"{upload.capture_id} was begun before") from error
        self._part(upload.capture_id).write_bytes(b"")

    def own(self, upload: Upload, device_id: str) -> None:
        """Whose it is, where nobody's device has begun it."""
        change = "UPDATE uploads SET device_id = ? WHERE capture_id = ? AND device_id IS NULL"
        self._db.execute(change, (device_id, upload.capture_id))

    def find(self, capture_id: str) -> Upload | None:
        query = "SELECT * FROM uploads WHERE capture_id = ?"
        row = self._db.execute(query, (capture_id,)).fetchone()
        return Upload(*row) if row else None

    def offset(self, upload: Upload) -> int:
        """Returns how many bytes of the upload have come; all, also once its body is erased."""
        verdict = self.verdict(upload.capture_id)
        if verdict is not None and verdict.accepted:
            return upload.length
        path = self.bytes_file(upload.capture_id)
        return path.stat().st_size if path.exists() else 0

    def last_byte_s(self, capture_id: str) -> float:
        """Returns when the upload's last byte came, in Unix seconds; 0 when it has no file."""
        path = self.bytes_file(capture_id)
        return path.stat().st_mtime if path.exists() else 0.0

    def bytes_file(self, capture_id: str) -> Path:
        """Returns where the upload's bytes lie now, also when the last move was interrupted."""
        places = (self.folder / name / f"{capture_id}.rec" for name in ("received", "refused"))
        return next((path for path in places if path.exists()), self._part(capture_id))

    @contextmanager
    def appending(self, upload: Upload) -> Iterator[BinaryIO]:
        """Opens the upload unbuffered, so that what was written stays when the line is cut."""
        with self._part(upload.capture_id).open("ab", buffering=0) as part:
            yield part

    def place(self, upload: Upload, folder: str) -> bytes:
        """Moves a finished upload to `folder`, flushes file and names, and reads it back."""
        here = self.bytes_file(upload.capture_id)
        there = self.folder / folder / f"{upload.capture_id}.rec"
        _flush(here)
        here.rename(there)
        _flush(there.parent)
        _flush(here.parent)
        return there.read_bytes()

    def write(self, path: str, content: bytes) -> None:
        """Writes what can be made again from the record: whole or not at all, not flushed."""
        part = self.folder / f"{path}.part"
        part.write_bytes(content)
        part.rename(self.folder / path)

    def open(self, content: bytes) -> recordfile.RecordFile:
        """What a record holds; its `record` is UNOPENED where no identity here opens it.

        Raises:
            RecordDamaged: it does not verify.
        """
        found = recordfile.check(content)
        try:
            return recordfile.open_checked(found, self._seals.identities())
        except sealing.Unopened:
            return recordfile.RecordFile(found.label, found.label_sha256, found.key, UNOPENED, None)

    def unpack(self, opened: recordfile.RecordFile, content: bytes) -> None:
        """Lays the photo and what label and record say into the open; `content` is the file."""
        line = content.partition(b"\n")[0].decode()
        label = signing.verify(line, {signing.thumbprint(opened.key): opened.key})
        capture_id = opened.label.capture_id
        self.write(f"records/{capture_id}.json", _text({"label": label, "record": opened.record}))
        if opened.photo is not None:
            self.write(f"photos/{capture_id}.jpg", opened.photo)

    def settle(self, verdict: Verdict) -> None:
        """Keeps the verdict, in place of an earlier one. Durable when it returns."""
        row = (verdict.capture_id, verdict.accepted, verdict.at, verdict.reason, verdict.jws)
        upsert = """INSERT INTO verdicts VALUES (?, ?, ?, ?, ?) ON CONFLICT (capture_id) DO UPDATE
            SET accepted = excluded.accepted, at = excluded.at, reason = excluded.reason,
            jws = excluded.jws"""
        self._db.execute(upsert, row)

    def verdict(self, capture_id: str) -> Verdict | None:
        query = "SELECT capture_id, at, reason, jws FROM verdicts WHERE capture_id = ?"
        row = self._db.execute(query, (capture_id,)).fetchone()
        return Verdict(*row) if row else None

    def accepted(self) -> list[Verdict]:
        """Returns all that has a receipt, as it came in."""
        query = "SELECT capture_id, at, reason, jws FROM verdicts WHERE accepted ORDER BY at"
        return [Verdict(*row) for row in self._db.execute(query)]

    def verdicts(self) -> list[Verdict]:
        """Returns every verdict, receipts and refusals."""
        return [
            Verdict(*row)
            for row in self._db.execute("SELECT capture_id, at, reason, jws FROM verdicts")
        ]

    def photo_file(self, capture_id: str) -> Path:
        """Returns where the photo of an accepted record lies, as the device made it."""
        return self.folder / "photos" / f"{capture_id}.jpg"

    def copy_file(self, capture_id: str, shows: Shows) -> Path:
        """Returns where a copy of the photo lies that people may be shown, once it was made."""
        return self.folder / "copies" / f"{capture_id}.{shows}.jpg"

    def received_file(self, capture_id: str) -> Path:
        """Returns where the bytes of an accepted record lie; only its label once erased."""
        return self.folder / "received" / f"{capture_id}.rec"

    def label(self, capture_id: str) -> dict[str, Any]:
        """Returns the label's payload; empty when the record never came."""
        return self._unpacked(capture_id).get("label", {})

    def record(self, capture_id: str) -> dict[str, Any]:
        """Returns record.json; empty when its body was erased or never came."""
        return self._unpacked(capture_id).get("record", {})

    def erase(self, capture_id: str) -> None:
        """Erases the body of a record and leaves its label, so that the chain still verifies.

        Durable when it returns; after an interruption, do it again.
        """
        self._erase_photo(capture_id)
        if label := self.label(capture_id):
            self.write(f"records/{capture_id}.json", _text({"label": label}))
        whole = self.received_file(capture_id)
        if whole.exists():
            self.write(f"received/{whole.name}", whole.read_bytes().partition(b"\n")[0] + b"\n")
        for name in ("received", "records", "photos", "copies"):
            _flush(self.folder / name)

    def pinned(self, device_id: str, kid: str) -> str:
        """Returns the key id pinned for the device; pins `kid` at first sight."""
        into = "INSERT INTO devices VALUES (?, ?) ON CONFLICT DO NOTHING"
        self._db.execute(into, (device_id, kid))
        query = "SELECT kid FROM devices WHERE device_id = ?"
        return str(self._db.execute(query, (device_id,)).fetchone()[0])

    def drop(self, capture_id: str) -> None:
        """Loses an upload, its bytes and its verdict: the id can be created again."""
        self._erase_photo(capture_id)
        for name in ("received/{}.rec", "refused/{}.rec", "records/{}.json"):
            (self.folder / name.format(capture_id)).unlink(missing_ok=True)
        self._part(capture_id).unlink(missing_ok=True)
        self._db.execute("DELETE FROM uploads WHERE capture_id = ?", (capture_id,))

    def drop_all(self) -> None:
        for (capture_id,) in self._db.execute("SELECT capture_id FROM uploads"):
            self.drop(capture_id)

    def _unpacked(self, capture_id: str) -> dict[str, dict[str, Any]]:
        path = self.folder / "records" / f"{capture_id}.json"
        found: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def _erase_photo(self, capture_id: str) -> None:
        """The photo first: a copy that is being made meanwhile is dropped by who makes it."""
        self.photo_file(capture_id).unlink(missing_ok=True)
        for shows in Shows:
            self.copy_file(capture_id, shows).unlink(missing_ok=True)

    def _part(self, capture_id: str) -> Path:
        return self.folder / "uploads" / f"{capture_id}.part"


def _text(found: dict[str, Any]) -> bytes:
    """Half a surrogate pair, which JSON can say and UTF-8 cannot, stays the escape that it was."""
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
