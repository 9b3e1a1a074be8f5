"""Uploads and verdicts: objects for the bytes, SQL for what is known about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from agent.models import rfc3339
from doorstep_backend.engines import chosen
from doorstep_backend.engines.objects import REFUSED, Missing, Objects
from doorstep_backend.engines.opening import open_database
from doorstep_backend.engines.sql import Conflict, Database, EngineStep, Schema, statements
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.seals import Seals
from doorstep_backend.wire.begun import UploadsWithoutReceipt
from doorstep_backend.wire.filing_backlog import FilingBacklog
from doorstep_backend.wire.records import Records

UPLOADS: Final = Schema(
    "uploads",
    [
        [
            *statements("""
CREATE TABLE uploads (
    capture_id TEXT PRIMARY KEY, length BIGINT NOT NULL, sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL, device_id TEXT, received BIGINT NOT NULL DEFAULT 0,
    last_byte_at TEXT NOT NULL);
CREATE TABLE verdicts (
    capture_id TEXT PRIMARY KEY REFERENCES uploads ON DELETE CASCADE,
    accepted BOOLEAN NOT NULL, at TEXT NOT NULL, reason TEXT, jws TEXT NOT NULL);
CREATE TABLE devices (device_id TEXT PRIMARY KEY, kid TEXT NOT NULL);
CREATE TABLE pieces (
    capture_id TEXT NOT NULL REFERENCES uploads ON DELETE CASCADE, at BIGINT NOT NULL,
    bytes BYTEA NOT NULL, PRIMARY KEY (capture_id, at));
"""),
            EngineStep("postgresql", "ALTER TABLE pieces ALTER COLUMN bytes SET STORAGE EXTERNAL"),
        ],
    ],
)
"""In `backend`. `devices` pins the first label key seen of each device, where no certificate
vouches for it. `device_id`: who began an upload, if a certificate said so. `received`: how many
bytes have come; `pieces` has them until there is a verdict, each from its offset `at` on, and
sealed bytes cannot be compressed.
"""

BATCH: Final = 1000
"""Rows that are read at once of a table that may have millions: some milliseconds' worth."""

PIECE_BYTES: Final = 262_144
"""Bytes of one row of `pieces`: read, written and sent to the database as one value."""


_FIND: Final = """SELECT capture_id, length, sha256, metadata, device_id FROM uploads
    WHERE capture_id = ?"""


class WrongOffsetError(ValueError):
    """The upload stands elsewhere: somebody else went on with it, and nothing was kept.

    Attributes:
        offset: where it stands.
    """

    def __init__(self, offset: int) -> None:
        super().__init__(f"the upload stands at {offset}")
        self.offset = offset


class NoUploadError(LookupError):
    """There is no upload of this id: it never came, or was dropped meanwhile."""


class UploadExistsError(ValueError):
    """An upload of this id was begun before; it is never overwritten."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A device's declaration when it created an upload.

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
class IntakeVerdict:
    """A signed statement about a finished upload: a receipt, or a refusal with a reason."""

    capture_id: str
    at: str
    reason: str | None
    jws: str

    @property
    def accepted(self) -> bool:
        """True if it is a receipt."""
        return self.reason is None


class Store(Records):
    """The backend's folder. Any thread and process may use it; what it answers survives `kill -9`.

    A record's bytes are pieces in the database until its verdict is kept; from then on they are one
    of the `objects`, by default of those that the folder goes by. Everything raises Unavailable.
    Who changes an upload that is there holds its row.
    """

    def __init__(self, folder: Path, objects: Objects | None = None) -> None:
        self.folder = folder
        chosen.check_rows(folder)
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(objects or chosen.objects_of(folder), Seals(folder))
        self._db = open_database(folder, "backend")
        self._db.migrate(UPLOADS)
        chosen.check(self._db, self.objects)
        self.filing_backlog = FilingBacklog(self._db)
        self.begun = UploadsWithoutReceipt(self._db)

    @property
    def db(self) -> Database:
        """Database, for other facts about uploads (quota.py)."""
        return self._db

    def create(self, upload: Upload, owner: str = "") -> None:
        """Begin an upload with no bytes. Raises UploadExistsError for an id begun before.

        Args:
            owner: whose quota it counts to; empty for nobody's.
        """
        into = """INSERT INTO uploads
            (capture_id, length, sha256, metadata, device_id, last_byte_at)
            VALUES (?, ?, ?, ?, ?, ?)"""
        row = (upload.capture_id, upload.length, upload.sha256, upload.metadata, upload.device_id)
        try:
            with self._db.transaction():
                self._db.execute(into, (*row, rfc3339(self._db.now())))
                self.begun.book(upload.capture_id, owner)
        except Conflict as error:
            raise UploadExistsError(f"{upload.capture_id} was begun before") from error

    def own(self, upload: Upload, device_id: str) -> None:
        """Note whose it is, if no device has begun it."""
        change = "UPDATE uploads SET device_id = ? WHERE capture_id = ? AND device_id IS NULL"
        self._db.execute(change, (device_id, upload.capture_id))

    def find(self, capture_id: str) -> Upload | None:
        """Return the upload of this id; None if it was never created, or was dropped."""
        row = self._db.execute(_FIND, (capture_id,)).fetchone()
        return Upload(*row) if row else None

    @contextmanager
    def upload_locked(self, capture_id: str, *, waits: bool = True) -> Iterator[Upload | None]:
        """Give an upload as it stands, None without one; nobody else changes it meanwhile.

        What is done inside with this store happens together, or not at all.

        Args:
            waits: if False, one that another process holds counts as missing; not on SQLite.
        """
        with self._db.row_locked(_FIND, (capture_id,), waits=waits) as row:
            yield Upload(*row) if row else None

    def offset(self, upload: Upload) -> int:
        """Return how many bytes of the upload have come; all, also once its body is erased."""
        query = "SELECT received FROM uploads WHERE capture_id = ?"
        row = self._db.execute(query, (upload.capture_id,)).fetchone()
        return row[0] if row else 0

    def append(self, upload: Upload, at: int, content: bytes, when: datetime | None = None) -> None:
        """Keep bytes of an upload from offset `at` on. Durable when it returns.

        Raises:
            WrongOffsetError: it ends elsewhere now; none of these were kept.
            NoUploadError.
        """
        with self.upload_locked(upload.capture_id) as found:
            if found is None:
                raise NoUploadError(f"{upload.capture_id} was dropped meanwhile")
            if (offset := self.offset(upload)) != at:
                raise WrongOffsetError(offset)
            into = "INSERT INTO pieces VALUES (?, ?, ?)"
            for begin in range(0, len(content), PIECE_BYTES):
                piece = content[begin : begin + PIECE_BYTES]
                self._db.execute(into, (upload.capture_id, at + begin, piece))
            change = "UPDATE uploads SET received = ?, last_byte_at = ? WHERE capture_id = ?"
            last_byte_at = rfc3339(when or self._db.now())
            self._db.execute(change, (at + len(content), last_byte_at, upload.capture_id))

    def cut_back(self, upload: Upload, at: int, to: int) -> None:
        """Delete the pieces from offset `to` up to `at`, if the upload still ends at `at`."""
        with self.upload_locked(upload.capture_id):
            if self.offset(upload) == at and self.verdict(upload.capture_id) is None:
                row = (upload.capture_id, to)
                self._db.execute("DELETE FROM pieces WHERE capture_id = ? AND at >= ?", row)
                change = "UPDATE uploads SET received = ? WHERE capture_id = ?"
                self._db.execute(change, (to, upload.capture_id))

    def to_judge(self, upload: Upload) -> bytes:
        """Return the bytes of a finished upload; if it was refused before, those that are kept.

        Raises:
            Missing: nothing is there any more.
        """
        query = "SELECT bytes FROM pieces WHERE capture_id = ? ORDER BY at"
        came = b"".join(row[0] for row in self._db.execute(query, (upload.capture_id,)))
        if len(came) == upload.length:
            return came
        try:
            return self.objects.get(upload.capture_id, REFUSED)
        except Missing:  # who accepted it then died after `release`, and before its verdict
            return self.objects.get(upload.capture_id, upload.sha256)

    def keep(self, upload: Upload, content: bytes, *, accepted: bool) -> None:
        """Make a judged upload an object; durable when it returns."""
        self.objects.put(upload.capture_id, _object(upload, accepted=accepted), content)

    def read_back(self, upload: Upload, *, accepted: bool) -> None:
        """Raise Unavailable if the object is not what was announced."""
        name = _object(upload, accepted=accepted)
        if self.is_changed(upload.capture_id, name, upload.sha256):
            raise Unavailable(
                f"{upload.capture_id} is read back differently than written: no receipt"
            )

    def release(self, upload: Upload, *, was_refused: bool, accepted: bool) -> None:
        """Remove what a settled upload leaves behind: pieces, and the object of another verdict.

        An earlier process may have put that and died before its own verdict.
        """
        self._db.execute("DELETE FROM pieces WHERE capture_id = ?", (upload.capture_id,))
        if was_refused or not accepted:
            self.objects.remove(upload.capture_id, _object(upload, accepted=not accepted))

    def settle(self, verdict: IntakeVerdict) -> None:
        """Keep the verdict, in place of an earlier one; all of its upload has come then.

        With its first receipt a record is marked as not filed yet.
        """
        row = (verdict.capture_id, verdict.accepted, verdict.at, verdict.reason, verdict.jws)
        upsert = """INSERT INTO verdicts VALUES (?, ?, ?, ?, ?) ON CONFLICT (capture_id) DO UPDATE
            SET accepted = excluded.accepted, at = excluded.at, reason = excluded.reason,
            jws = excluded.jws"""
        whole = "UPDATE uploads SET received = length WHERE capture_id = ?"
        with self.upload_locked(verdict.capture_id):
            if verdict.accepted:
                self.filing_backlog.mark(verdict.capture_id, verdict.at)
                self.begun.end(verdict.capture_id)
            self._db.execute(upsert, row)
            self._db.execute(whole, (verdict.capture_id,))

    def verdict(self, capture_id: str) -> IntakeVerdict | None:
        """Return what was signed about an upload; None without a verdict."""
        query = "SELECT capture_id, at, reason, jws FROM verdicts WHERE capture_id = ?"
        row = self._db.execute(query, (capture_id,)).fetchone()
        return IntakeVerdict(*row) if row else None

    def verdicts(self) -> Iterator[IntakeVerdict]:
        """Return every verdict, receipts and refusals, by id; a batch of them is read at once."""
        query = f"""SELECT capture_id, at, reason, jws FROM verdicts WHERE capture_id > ?
            ORDER BY capture_id LIMIT {BATCH}"""
        after = ""
        while found := self._db.execute(query, (after,)).fetchall():
            yield from (IntakeVerdict(*row) for row in found)
            after = found[-1]["capture_id"]

    def pinned(self, device_id: str, kid: str) -> str:
        """Return the key id pinned for the device; pins `kid` at first sight."""
        into = "INSERT INTO devices VALUES (?, ?) ON CONFLICT DO NOTHING"
        self._db.execute(into, (device_id, kid))
        query = "SELECT kid FROM devices WHERE device_id = ?"
        return str(self._db.execute(query, (device_id,)).fetchone()[0])

    def drop(self, capture_id: str) -> bool:
        """Drop an upload and its refusal: the id can be created again. False with a receipt."""
        with self.upload_locked(capture_id):
            verdict = self.verdict(capture_id)
            if is_dropped := verdict is None or not verdict.accepted:
                self.lose(capture_id)
        return is_dropped

    def lose(self, capture_id: str) -> None:
        """Delete an upload, whatever was signed about it: for a row without a record."""
        with self.upload_locked(capture_id):
            self._db.execute("DELETE FROM uploads WHERE capture_id = ?", (capture_id,))
            self.objects.erase(capture_id)  # after it: a row that is held no more is noticed there

    def sha256_of(self, capture_id: str) -> str:
        """Return the SHA-256 of a record as lower-case hex. Raise Missing if none came."""
        upload = self.find(capture_id)
        if upload is None:
            raise Missing(f"no record {capture_id} ever came")
        return upload.sha256


def _object(upload: Upload, *, accepted: bool) -> str:
    return upload.sha256 if accepted else REFUSED
