"""Objects as files in the backend's folder, a folder for each kind: the embedded default."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from doorstep_backend.copies.shows import Shows
from doorstep_backend.engines.objects import (
    PHOTO,
    REFUSED,
    TEXT,
    Missing,
    copy_name,
    is_capture,
    is_record,
)
from doorstep_backend.engines.unavailable import Unavailable

_RECORD: Final = "received/{}.rec"

_PLACES: Final = {
    PHOTO: "photos/{}.jpg",
    **{copy_name(shows): f"copies/{{}}.{shows}.jpg" for shows in Shows},
    TEXT: "records/{}.json",
    REFUSED: "refused/{}.rec",
}
"""Files beside the records, in the order in which they are erased."""

_FOLDERS: Final = ("received", "refused", "photos", "copies", "records")


class Folder:
    """Files below one folder; an erased record's is its label line alone."""

    keeps_opened_copies: Final = True
    bucket: Final = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)

    def begin(self) -> list[str]:
        """Remove what the last process left half written; return nothing that was not checked."""
        for name in _FOLDERS:
            for part in (self._folder / name).glob("*.part"):
                part.unlink()
        return []

    def check(self) -> None:
        """Write a byte to a file without a name."""
        folder = self._folder / "received"
        with _translated(folder / "any"), tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")

    def put(self, capture_id: str, name: str, content: bytes) -> None:
        """Write the file, and flush it to the disk if it is a record. Raise Unavailable."""
        self._write(
            self._path(capture_id, name), content, durable=name == REFUSED or is_record(name)
        )

    def get(self, capture_id: str, name: str) -> bytes:
        """Return the content of the file. Raise Missing, as for a record whose body was erased."""
        content = _read(self._path(capture_id, name))
        return _whole(capture_id, content) if is_record(name) else content

    def found(self, capture_id: str) -> bytes:
        """Return a record by its capture alone. Raise Missing, as for one whose body was erased."""
        content = _read(self._folder / _RECORD.format(capture_id))
        return _whole(capture_id, content)

    def line(self, capture_id: str, name: str) -> bytes:
        """Return the first line of a record's file without its newline. Raise Missing."""
        return _first_line(self._path(capture_id, name))

    def line_found(self, capture_id: str) -> bytes:
        """Return the first line of a record by its capture alone. Raise Missing."""
        return _first_line(self._folder / _RECORD.format(capture_id))

    def remove(self, capture_id: str, name: str) -> None:
        """Delete one file, if it is there."""
        self._path(capture_id, name).unlink(missing_ok=True)

    def erase(self, capture_id: str, line: bytes = b"") -> None:
        """Delete all files of a capture, keep `line` of its record; durable when it returns."""
        for name in _PLACES:
            self.remove(capture_id, name)
        record = self._folder / _RECORD.format(capture_id)
        if line:
            self._write(record, line + b"\n", durable=True)
        else:
            record.unlink(missing_ok=True)
        for folder in _FOLDERS:
            _flush(self._folder / folder)

    def ids(self) -> Iterator[str]:
        """Return the ids of all captures that have a file, in ascending order."""
        files = [path for name in _FOLDERS for path in (self._folder / name).iterdir()]
        yield from sorted(filter(is_capture, {path.name.partition(".")[0] for path in files}))

    def bodies(self) -> Iterator[str]:
        """Return the ids of all records with more than a label line, in ascending order."""
        records = (self._folder / "received").glob("*.rec")
        yield from sorted(path.stem for path in records if _has_body(path))

    def _path(self, capture_id: str, name: str) -> Path:
        assert name in _PLACES or is_record(name), f"{name} names no object"
        return self._folder / _PLACES.get(name, _RECORD).format(capture_id)

    @staticmethod
    def _write(path: Path, content: bytes, *, durable: bool) -> None:
        part = path.with_name(f"{path.name}.{uuid4().hex}.part")  # another process may write it too
        with _translated(path):
            try:
                part.write_bytes(content)
                if durable:
                    _flush(part)
                part.rename(path)
            except OSError:
                part.unlink(missing_ok=True)
                raise
            if durable:
                _flush(path.parent)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = f"{path.parent.name}/ takes no file ({error.strerror})"
        raise Unavailable(
            f"{why}: look for room on its disk, and whether it can be written"
        ) from error


@contextmanager
def _there(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Missing(f"there is no {path.parent.name}/{path.name}") from error


def _read(path: Path) -> bytes:
    with _there(path):
        return path.read_bytes()


def _first_line(path: Path) -> bytes:
    with _there(path), path.open("rb") as file:
        return file.readline().removesuffix(b"\n")


def _has_body(path: Path) -> bool:
    with path.open("rb") as file:
        file.readline()
        return file.read(1) != b""


def _whole(capture_id: str, content: bytes) -> bytes:
    if not content.partition(b"\n")[2]:
        raise Missing(f"the body of {capture_id} was erased")
    return content


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
