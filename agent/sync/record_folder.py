"""The records in a folder that is no queue: a dead device's card, or what was copied from one."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.config import StateSettings
from agent.errors import ConfigError, NotNow, RecordDamaged, StorageFault
from agent.models import LARGEST_RECORD_BYTES, Item, RecordState
from agent.queue import disk
from agent.record import file as recordfile
from agent.record import signing

_LOCKS: Final = ("capture.lock", "sync.lock")
"""Held while a device works with the folder of its records."""


@dataclass(frozen=True, slots=True)
class FolderRecord:
    """A whole record: label and digest verify.

    Attributes:
        kid: thumbprint of the key that signed it.
        item: what a delivery is told of it; the backend may have it already.
    """

    path: Path
    device_id: str
    kid: str
    item: Item


@dataclass(frozen=True, slots=True)
class TornFile:
    """A file that is no whole record, and why; it is not sent."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class RecordFolder:
    """The records in a folder by device, chain and number."""

    records: tuple[FolderRecord, ...]
    torn: tuple[TornFile, ...]


def read(folder: Path) -> RecordFolder:
    """Read every `*.rec` in `folder` and in `records/` below it; write nothing, follow no link.

    Raises:
        ConfigError: it is no folder, has no such file, or a device works with it.
    """
    paths = [path for one in (folder, folder / "records") for path in _in(one, folder)]
    if not paths:
        raise ConfigError(f"{folder}: no record files (*.rec) in it, nor in records/ below it")
    if _is_live(folder):
        words = "a device's own queue: `doorstep sync` sends what waits in it"
        raise ConfigError(f"{folder}: {words}; --from is for a card that nobody works with")
    found: dict[str, FolderRecord] = {}
    torn: list[TornFile] = []
    for path in paths:
        name, one = str(path.relative_to(folder)), _record(path)
        if isinstance(one, str):
            torn.append(TornFile(name, one))
        elif found.setdefault(one.item.capture_id, one).item.sha256 != one.item.sha256:
            torn.append(TornFile(name, "another file holds another record of the same id"))
    return RecordFolder(tuple(sorted(found.values(), key=_place)), tuple(torn))


def _in(place: Path, folder: Path) -> Iterator[Path]:
    is_link = os.path.islink(place)  # noqa: PTH114 - without access it is none, and so below
    if place != folder and (is_link or not os.path.isdir(place)):  # noqa: PTH112
        return
    try:
        names = sorted(path.name for path in place.iterdir() if path.name.endswith(".rec"))
    except OSError as error:
        raise ConfigError(f"{place}: cannot be read: {error.strerror or error}") from error
    yield from (place / name for name in names)


def _record(path: Path) -> FolderRecord | str:
    """Read a file; if it is no whole record, return the reason as text."""
    try:
        content = disk.read_plain(path, LARGEST_RECORD_BYTES + 1)
        if content is None:
            return "a link or a folder"
        if len(content) > LARGEST_RECORD_BYTES:
            return "too long for a record"
        checked = recordfile.check(content)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except RecordDamaged as error:
        return str(error)
    item = _item(checked, len(content), hashlib.sha256(content).hexdigest())
    return FolderRecord(path, checked.label.device_id, signing.thumbprint(checked.key), item)


def _item(checked: recordfile.CheckedRecord, size: int, sha256: str) -> Item:
    label = checked.label
    return Item(
        number=label.seq,
        capture_id=label.capture_id,
        chain=label.chain,
        seq=label.seq,
        label_sha256=checked.label_sha256,
        kind=label.kind,
        about=label.about,
        utc=label.utc,
        clock=label.clock,
        bytes=size,
        sha256=sha256,
        state=RecordState.PENDING,
        adopted=True,  # so that the backend is asked before it is given anything
        attempts=1,
        suspected=0,
        dead_ends=0,
        sent_whole=0,
        due_s=0.0,
        upload_url=None,
        answer=None,
        decision=None,
        decided_utc=None,
    )


def _place(one: FolderRecord) -> tuple[str, str, int]:
    return one.device_id, one.item.chain, one.item.seq


def _is_live(folder: Path) -> bool:
    """Return True if this machine's device works there, or a process holds its locks now."""
    own, here = StateSettings().dir, folder.resolve()
    if here in {own, own / "records"}:
        return True
    return any(_is_held(place / name) for place in (here, here.parent) for name in _LOCKS)


def _is_held(path: Path) -> bool:
    if not os.path.isfile(path):  # noqa: PTH113 - the same
        return False
    with suppress(StorageFault):  # whose it is, others know
        try:
            with disk.lock(path, exclusive=False, wait=False):
                return False
        except NotNow:
            return True
    return False
