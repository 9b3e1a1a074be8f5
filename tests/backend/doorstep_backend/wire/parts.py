"""Uploads that are not whole in a folder of before 2026.12: `uploads/<capture_id>.part`.

Processes of such a version know nothing of pieces: end all of them before the first one of 2026.12.
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from doorstep_backend.wire.store import PIECE_BYTES, NoUploadError, Store, WrongOffsetError


def adopt_old_parts(store: Store) -> None:
    """Turn parts into pieces of the same age; drop those of an upload that is no longer open.

    After an interruption it is done again. Raises Unavailable.
    """
    uploads = store.folder / "uploads"
    for part in sorted(uploads.glob("*.part")):
        with suppress(WrongOffsetError, NoUploadError):  # another process is at it too
            _adopt(store, part)
        part.unlink(missing_ok=True)
    with suppress(OSError):  # it is not there, or has what is not ours
        uploads.rmdir()


def _adopt(store: Store, part: Path) -> None:
    upload = store.find(part.stem)
    if upload is None or store.verdict(part.stem) is not None:
        return
    at, when = store.offset(upload), datetime.fromtimestamp(part.stat().st_mtime, UTC)
    with part.open("rb") as file:
        file.seek(at)
        while piece := file.read(PIECE_BYTES):
            store.append(upload, at, piece, when)
            at += len(piece)
