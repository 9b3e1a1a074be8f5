"""Readers of the labels in `records/`: the head of the chain, and what this boot knew of the time.

A label is the first line of a record's file, or the file that stays when the record is deleted.
The files are capture's own; rows are ignored, since other processes write them too.
"""

import base64
import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from agent.errors import NotGenuine, TooManyFiles
from agent.models import CaptureId, ChainHead, RecordKind, RecordLabel
from agent.queue.content import MOST_ROWS
from agent.queue.disk import disk_errors, read_plain
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record.signing import PublicKey, thumbprint
from hardware.clock import ClockSource
from hardware.foreign import read_json

ALIVE_EVERY: Final = 1_000
"""Labels between two signs of life: 0.05 s on a laptop, a second on the slowest card."""


MOST_FILES: Final = MOST_ROWS
"""Most names that are read in `records/`: a device makes fewer in the weeks that labels stay."""


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """A label that was read and not verified: enough to choose the one to verify.

    `is_plain_photo`: True if the card has the record's file, with a photo that is not sealed.
    """

    capture_id: CaptureId
    kid: str
    device_id: str
    chain: str
    seq: int
    boot_id: str
    utc: str
    clock: str
    monotonic_ns: int
    is_plain_photo: bool
    is_time: bool


_FIRST_BYTES: Final = 2_048
"""Read at first: a label has 900 bytes."""


def read_labels(layout: Layout, alive: Callable[[], None] = lambda: None) -> list[LabelSummary]:
    """Read every label in `records/`; leave out those that are unreadable or invalid.

    1,500 take 0.02 s of a processor, 100,000 take 1.3 s (November 2026, x86-64, from tmpfs).
    Every file is read, because the head of the chain may be the last one; names without a label
    take no memory.

    Raises:
        TooManyFiles: there are more than MOST_FILES; none was read.
        StorageFault: the folder cannot be read.
    """
    _check_count(layout.records)
    with disk_errors("cannot read the records"), os.scandir(layout.records) as entries:
        folder = os.open(layout.records, os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = (one.name for one in entries if one.is_file(follow_symlinks=False))
            names = (name for name in found if name.endswith((".rec", ".label")))
            return list(_summaries(folder, names, alive))
        finally:
            os.close(folder)


def _check_count(records: Path) -> None:
    with disk_errors("cannot read the records"), os.scandir(records) as entries:
        if sum(1 for _ in islice(entries, MOST_FILES + 1)) > MOST_FILES:
            raise TooManyFiles(
                f"{records}: has more files than a device makes; move strange ones away"
            )


def _summaries(
    folder: int, names: Iterable[str], alive: Callable[[], None]
) -> Iterator[LabelSummary]:
    kids: dict[bytes, str] = {}
    for number, name in enumerate(names, 1):
        if number % ALIVE_EVERY == 0:
            alive()
        try:
            header, payload, _ = _line(folder, name).split(b".")
            if (kid := kids.get(header)) is None:
                kid = kids[header] = str(_json(header).get("kid"))
            yield _summary(name, kid, _json(payload))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue


def _line(folder: int, name: str) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        line, newline, _ = os.read(descriptor, _FIRST_BYTES).partition(b"\n")
        if not newline:
            line += os.read(descriptor, recordfile.LABEL_LIMIT_BYTES).partition(b"\n")[0]
    finally:
        os.close(descriptor)
    return line


def _summary(name: str, kid: str, payload: dict[str, Any]) -> LabelSummary:
    stem, _, suffix = name.rpartition(".")
    capture_id, is_whole = CaptureId(stem), suffix == "rec"
    is_plain = payload["kind"] == RecordKind.PHOTO
    is_plain &= payload["body"]["type"] == recordfile.BODY_TYPE
    seen = LabelSummary(
        capture_id,
        kid,
        payload["device_id"],
        payload["chain"],
        payload["seq"],
        payload["boot_id"],
        payload["utc"],
        payload["clock"],
        payload["monotonic_ns"],
        is_whole and is_plain,
        payload["kind"] == RecordKind.TIME,
    )
    is_sound = type(seen.seq) is int is type(seen.monotonic_ns)
    is_sound &= type(seen.chain) is str is type(seen.utc)
    if payload["capture_id"] != capture_id or not is_sound:
        raise ValueError("no label, or under another name")
    return seen


def _json(segment: bytes) -> Any:
    # strict reading took twice as long, and all that counts here is verified later
    return read_json(base64.urlsafe_b64decode(segment + b"=="), strict=False)


def first_line(path: Path) -> bytes | None:
    """Read a record's label without its newline; None if the file has none, or is unreadable."""
    try:
        content = read_plain(path, recordfile.LABEL_LIMIT_BYTES + 1)
    except OSError:
        return None
    line, newline, _ = (content or b"").partition(b"\n")
    return line if newline else None


def head(
    layout: Layout, seen: Collection[LabelSummary], key: PublicKey, device_id: str
) -> ChainHead | None:
    """Return the record that this device and key continue from; None without such a chain.

    It is the highest number of the chain that has the latest time, as far as a clock knew it. Only
    its signature is verified; if that fails, as of a file that a card garbled, the record before it
    is taken.
    """
    kid = thumbprint(key)
    own = [one for one in seen if (one.kid, one.device_id) == (kid, device_id)]
    latest: dict[str, str] = {}
    for one in own:
        latest[one.chain] = max(one.utc, latest.get(one.chain, ""))
    for one in sorted(own, key=lambda one: (latest[one.chain], one.chain, one.seq), reverse=True):
        if (found := _verified(layout, one.capture_id)) and found[1] == key:
            label, _, digest = found
            return ChainHead(label.chain, label.seq, digest)
    return None


def gnss_label(
    layout: Layout, seen: Collection[LabelSummary], keys: Collection[PublicKey], boot_id: str
) -> RecordLabel | None:
    """Return this boot's newest label that GNSS dated and one of `keys` signed, or None."""
    dated = [one for one in seen if (one.boot_id, one.clock) == (boot_id, ClockSource.GNSS)]
    for one in sorted(dated, key=attrgetter("monotonic_ns"), reverse=True):
        if (found := _verified(layout, one.capture_id)) and found[1] in keys:
            return found[0]
    return None


def newest_of_each_chain(seen: Collection[LabelSummary]) -> dict[str, CaptureId]:
    """Return, by chain, the record that the next label may build on: its label stays."""
    newest: dict[str, LabelSummary] = {}
    for one in seen:
        if one.chain not in newest or one.seq > newest[one.chain].seq:
            newest[one.chain] = one
    return {chain: one.capture_id for chain, one in newest.items()}


def _verified(layout: Layout, capture_id: CaptureId) -> tuple[RecordLabel, PublicKey, str] | None:
    line = first_line(layout.record(capture_id)) or first_line(layout.label(capture_id))
    try:
        label, key = recordfile.open_label(line or b"")
    except NotGenuine:
        return None
    if label.capture_id != capture_id:
        return None
    return label, key, hashlib.sha256(line or b"").hexdigest()
