"""An incomplete upload in a folder of an earlier version continues."""

import os
from pathlib import Path

from doorstep_backend.wire.parts import adopt_old_parts
from doorstep_backend.wire.store import PIECE_BYTES, IntakeVerdict, Store, Upload
from tests.support.factory import new_id


def part_of(folder: Path, capture_id: str, content: bytes) -> Path:
    part = folder / "uploads" / f"{capture_id}.part"
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(content)
    return part


def test_parts_become_pieces_as_old_as_they_are_and_the_folder_goes(tmp_path: Path) -> None:
    store, content = Store(tmp_path), os.urandom(PIECE_BYTES * 2 + 7)
    upload = Upload(new_id(), len(content), "0" * 64, "")
    store.create(upload)
    os.utime(part_of(tmp_path, upload.capture_id, content), (1_700_000_000, 1_700_000_000))

    adopt_old_parts(store)
    adopt_old_parts(store)

    assert (store.offset(upload), store.to_judge(upload)) == (len(content), content)
    told = store.db.execute("SELECT last_byte_at FROM uploads").fetchone()[0]
    assert told == "2023-11-14T22:13:20.000Z"
    assert not (tmp_path / "uploads").exists()


def test_interrupted_it_goes_on_where_it_was(tmp_path: Path) -> None:
    store, content = Store(tmp_path), os.urandom(PIECE_BYTES * 2)
    upload = Upload(new_id(), len(content) + 1, "0" * 64, "")
    store.create(upload)
    store.append(upload, 0, content[:PIECE_BYTES])  # and dies
    part_of(tmp_path, upload.capture_id, content)

    adopt_old_parts(store)
    store.append(upload, len(content), b"z")

    assert store.to_judge(upload) == content + b"z"


def test_part_of_a_judged_or_unknown_upload_is_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    upload = Upload(new_id(), 4, "0" * 64, "")
    store.create(upload)
    store.settle(IntakeVerdict(upload.capture_id, "2026-11-01T09:00:00.000Z", None, "jws"))
    for capture_id in (upload.capture_id, new_id()):
        part_of(tmp_path, capture_id, b"half")

    adopt_old_parts(store)

    assert store.db.execute("SELECT * FROM pieces").fetchall() == []
    assert not (tmp_path / "uploads").exists()
