"""The files of a dead device: whole records, torn ones, and unreadable files."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.errors import NotGenuine, RecordDamaged
from agent.models import LARGEST_RECORD_BYTES, RecordLabel
from agent.queue.disk import read_plain
from agent.record import file as recordfile
from agent.record import signing
from agent.rescue.places import below

ENTRIES_MOST: Final = 200_000
"""Most names in a folder that are looked at: twice the longest queue that was tried."""

_SALVAGED: Final = "lost+found"
"""Folder in which e2fsck puts files that lost their name: only whole records in it count."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A record whose label and body are what the label says."""

    label: RecordLabel
    kid: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Torn:
    """A file among the records that is no record, or not a whole one.

    Attributes:
        name: as on the card: it may be anything.
        label: the record label, if at least that verifies.
        content: None if it is no plain file of a record's size.
    """

    name: str
    why: str
    label: RecordLabel | None = None
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unread:
    """A file or a folder that the card does not give."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A file that a power cut left while it was written: green was never shown for it."""

    name: str


CardFile = Whole | Torn | Unread | Unfinished


def files(state: Path) -> Iterator[CardFile]:
    """Yield the files one after the other, so that one is in memory; each name once, in order."""
    for folder in ("records", "torn", _SALVAGED):
        place = below(state, folder)
        if place is None:
            continue
        try:
            names, is_all = _names(place)
        except OSError as error:
            yield Unread(folder, error.strerror or str(error))
            continue
        found = (_file(place, name) for name in names)
        yield from (one for one in found if folder != _SALVAGED or isinstance(one, Whole))
        if not is_all:
            yield Unread(folder, f"more than {ENTRIES_MOST:,} names: the rest was not looked at")


def _names(folder: Path) -> tuple[list[str], bool]:
    names: list[str] = []
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number == ENTRIES_MOST:
                return sorted(names), False
            if not entry.name.endswith(".label"):  # its record was deleted, as a receipt allows
                names.append(entry.name)
    return sorted(names), True


def _file(folder: Path, name: str) -> CardFile:
    try:
        content = read_plain(folder / name, LARGEST_RECORD_BYTES + 1)
    except IsADirectoryError:
        content = None
    except OSError as error:
        return Unread(name, error.strerror or str(error))
    if name.endswith(".part") and content is not None:
        return Unfinished(name)
    return judged(name, content)


def judged(name: str, content: bytes | None) -> Whole | Torn:
    """Judge the bytes of a file; None stands for a link, a pipe or a folder."""
    if content is None or len(content) > LARGEST_RECORD_BYTES:
        return Torn(name, "not a plain file of a record's size")
    try:
        found = recordfile.check(content)
    except NotGenuine as error:
        return Torn(name, str(error), _label(content), content)
    return Whole(found.label, signing.thumbprint(found.key), content)


def _label(content: bytes) -> RecordLabel | None:
    line = content[: recordfile.LABEL_LIMIT_BYTES].partition(b"\n")[0]
    try:
        return recordfile.open_label(line)[0]
    except RecordDamaged:
        return None


def name_of(one: Whole | Torn) -> str:
    """Return the name of the saved file, safe even if the card chose a name that is hostile."""
    if isinstance(one, Whole):
        return f"{one.label.capture_id}.rec"  # the label's check made sure that it is a UUID
    tame = "".join(
        char if char.isascii() and (char.isalnum() or char in "-_.") else "_" for char in one.name
    )
    digest = hashlib.sha256(one.content or b"").hexdigest()
    return f"{digest[:12]}-{tame[:80]}"
