"""The interface to the store of objects: a folder, or a bucket of S3."""

from collections.abc import Iterator
from typing import Final, Protocol

from agent.models import CAPTURE_ID, SHA256
from doorstep_backend.copies.shows import Shows

REFUSED: Final = "refused"
"""The object of a record that was refused; of an accepted one it is called by its SHA-256, hex."""

PHOTO: Final = "photo.jpg"
"""Photo of a record, as the device made it, beside the record; only if `keeps_opened_copies`."""

TEXT: Final = "record.json"
"""Contents of label and record, beside the record; only if `keeps_opened_copies`."""


class Missing(LookupError):
    """There is no such object; says which."""


class Changed(Missing):
    """An object that is not what was put: it is shown to nobody, and never acknowledged."""


class Objects(Protocol):
    """Objects of captures, each by the id of its capture and a name. Any thread may ask.

    Every operation raises Unavailable, which says what to do, and within 3 s.

    Attributes:
        keeps_opened_copies: whether PHOTO and TEXT of a record are kept beside it; else it is
            opened anew for each question.
        bucket: its name; None where objects are files.
    """

    @property
    def keeps_opened_copies(self) -> bool:
        """True if PHOTO and TEXT of a record are kept beside it."""

    @property
    def bucket(self) -> str | None:
        """Name of the bucket; None if objects are files."""

    def begin(self) -> list[str]:
        """Check the store before the first request; return sentences on what was not checked.

        Raises:
            WrongSettingError: an erased object would stay there, or the store is missing.
        """

    def check(self) -> None:
        """Put a byte of no capture, and delete it. Raises Unavailable, also on a full disk."""

    def put(self, capture_id: str, name: str, content: bytes) -> None:
        """Keep an object, in place of one of this name: whole or not at all.

        A record, accepted or refused, is durable when this returns; what can be made again from
        it need not be.
        """

    def get(self, capture_id: str, name: str) -> bytes:
        """Return the object; a record whose body was erased is missing. Raises Missing, Changed."""

    def found(self, capture_id: str) -> bytes:
        """Return a record of which nothing else is known any more. Raises Missing, Changed."""

    def line(self, capture_id: str, name: str) -> bytes:
        """Return the label line of a record without its newline, also once it was erased.

        Raises:
            Missing: there is no record.
        """

    def line_found(self, capture_id: str) -> bytes:
        """Return the label line of a record of which nothing else is known. Raise Missing."""

    def remove(self, capture_id: str, name: str) -> None:
        """Remove one object, if it is there."""

    def erase(self, capture_id: str, line: bytes = b"") -> None:
        """Erase all of a capture but its label line, where one is given.

        The record, or its photo where that is laid open, is erased before its copies: a process
        that put a copy meanwhile finds the record missing, and removes the copy. Durable when it
        returns; interrupted, do it again.
        """

    def ids(self) -> Iterator[str]:
        """Return the ids of all captures that have an object, each once."""

    def bodies(self) -> Iterator[str]:
        """Return the ids of all captures whose record is whole, each once."""


def copy_name(shows: Shows) -> str:
    """Return the object's name for a copy that people are shown."""
    return f"{shows}.jpg"


def is_record(name: str) -> bool:
    """Return whether an object of this name is an accepted record."""
    return SHA256.fullmatch(name) is not None


def is_capture(text: str) -> bool:
    """Return whether this is how ids of captures are spelled; all else is somebody else's."""
    return CAPTURE_ID.fullmatch(text) is not None
