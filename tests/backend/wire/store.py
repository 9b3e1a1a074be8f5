"""Uploads and verdicts: objects for the bytes, SQL for what is known about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from tests.backend.engines.away import Away
from tests.backend.engines.folder import Folder
from tests.backend.engines.objects import REFUSED, Missing, Objects
from tests.backend.engines.opening import open_database
from tests.backend.engines.sql import Column, Conflict, Database, Room, statements
from tests.backend.seals import Seals
from tests.backend.wire.records import Records

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


class Store(Records):
    """The backend's folder. One thread uses it; every answer it gives survives `kill -9`.

    A record's bytes are in `uploads/<id>.part` until its verdict is kept; from then on they are one
    of the `objects`, which are files in the folder too where none are given. Whatever asks for
    objects raises Away.
    """

    def __init__(self, folder: Path, objects: Objects | None = None) -> None:
        self.folder = folder
        (folder / "uploads").mkdir(parents=True, exist_ok=True)
        super().__init__(Folder(folder) if objects is None else objects, Seals(folder))
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
        if self.verdict(upload.capture_id) is not None:
            return upload.length
        path = self._part(upload.capture_id)
        return path.stat().st_size if path.exists() else 0

    def last_byte_s(self, capture_id: str) -> float:
        """Returns when the upload's last byte came, in Unix seconds; 0 when it has no file."""
        path = self._part(capture_id)
        return path.stat().st_mtime if path.exists() else 0.0

    def to_judge(self, upload: Upload) -> bytes:
        """Returns what came of a finished upload; of one that was refused before, what is kept.

        Raises:
            Missing: nothing is there any more.
        """
        part = self._part(upload.capture_id)
        return part.read_bytes() if part.exists() else self.objects.get(upload.capture_id, REFUSED)

    @contextmanager
    def appending(self, upload: Upload) -> Iterator[BinaryIO]:
        """Opens the upload unbuffered, so that what was written stays when the line is cut."""
        with self._part(upload.capture_id).open("ab", buffering=0) as part:
            yield part

    def keep(self, upload: Upload, content: bytes, *, accepted: bool) -> None:
        """Makes a judged upload an object, and reads it back; `release` it once it is settled.

        Durable when it returns. Raises Away also where it is read back differently than written.
        """
        name = upload.sha256 if accepted else REFUSED
        self.objects.put(upload.capture_id, name, content)
        if self.is_changed(upload.capture_id, name, upload.sha256):
            raise Away(f"{upload.capture_id} is read back differently than written: no receipt")

    def release(self, upload: Upload, *, was_refused: bool, accepted: bool) -> None:
        """Removes what a settled upload leaves behind; interrupted, that goes with the record."""
        self._part(upload.capture_id).unlink(missing_ok=True)
        if was_refused and accepted:
            self.objects.remove(upload.capture_id, REFUSED)

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

    def erase(self, capture_id: str) -> None:
        self._part(capture_id).unlink(missing_ok=True)
        super().erase(capture_id)

    def pinned(self, device_id: str, kid: str) -> str:
        """Returns the key id pinned for the device; pins `kid` at first sight."""
        into = "INSERT INTO devices VALUES (?, ?) ON CONFLICT DO NOTHING"
        self._db.execute(into, (device_id, kid))
        query = "SELECT kid FROM devices WHERE device_id = ?"
        return str(self._db.execute(query, (device_id,)).fetchone()[0])

    def drop(self, capture_id: str) -> None:
        """Loses an upload, its bytes and its verdict: the id can be created again."""
        self.objects.erase(capture_id)
        self._part(capture_id).unlink(missing_ok=True)
        self._db.execute("DELETE FROM uploads WHERE capture_id = ?", (capture_id,))

    def drop_all(self) -> None:
        for (capture_id,) in self._db.execute("SELECT capture_id FROM uploads"):
            self.drop(capture_id)

    def sha256_of(self, capture_id: str) -> str:
        upload = self.find(capture_id)
        if upload is None:
            raise Missing(f"no record {capture_id} ever came")
        return upload.sha256

    def _part(self, capture_id: str) -> Path:
        return self.folder / "uploads" / f"{capture_id}.part"
