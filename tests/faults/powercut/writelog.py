"""The log of every write and flush that a file system made, and the disk it had at any point.

Pure over bytes. The format is dm-log-writes', as QEMU's `blklogwrites` filter writes it.
"""

import random
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

SECTOR_BYTES: Final = 512
"""Bytes that a disk writes whole: a power cut tears a longer write at a multiple of them."""

_MAGIC: Final = 0x6A736677736872
"""Source: WRITE_LOG_MAGIC in the kernel's dm-log-writes.c."""

_SUPER: Final = struct.Struct("<QQQI")
_ENTRY: Final = struct.Struct("<QQQQ")
_FLUSH, _FUA, _DISCARD = 1, 2, 4

_KEPT_SHARES: Final = (0.1, 0.5, 0.9)
"""Shares of the writes since the last flush that reach the disk in a reordered state."""


Piece = tuple[int, bytes | bytearray]
"""Where on the disk in bytes, and what."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A request to the disk.

    Attributes:
        end: size of the log in bytes once this was in it.
        offset: where on the disk `content` belongs, in bytes.
        content: empty when it only flushes.
        flushes: everything before it is on the disk once it has ended.
        is_durable: it is on the disk itself once it has ended.
    """

    end: int
    offset: int
    content: bytes
    flushes: bool
    is_durable: bool


Kept = tuple[Entry, int]
"""A request, and how many of its bytes reach the disk."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The power goes after the first `entries` of the log.

    Without `rng` all their writes are on the disk; with it a part of those since the last flush,
    chosen by it, and the last of that part torn.
    """

    entries: int
    rng: str | None = None


_ROUNDS: Final = 50
"""After so many a scenario gives few states that differ from those before."""


def read_log(log: bytes) -> list[Entry]:
    """All requests in their order; what was discarded reads as zeros.

    Raises:
        ValueError: it is no such log.
    """
    magic, version, _, sector_bytes = _SUPER.unpack_from(log)
    if (magic, version, sector_bytes) != (_MAGIC, 1, SECTOR_BYTES):
        raise ValueError("not a write log of version 1 with sectors of 512 bytes")
    entries, place = [], SECTOR_BYTES
    while place + _ENTRY.size <= len(log):
        sector, sectors, flags, _ = _ENTRY.unpack_from(log, place)
        place += SECTOR_BYTES
        size = sectors * SECTOR_BYTES
        content = bytes(size) if flags & _DISCARD else log[place : place + size]
        place += 0 if flags & _DISCARD else size
        is_durable = bool(flags & _FUA)
        offset = sector * SECTOR_BYTES
        entries.append(Entry(place, offset, content, bool(flags & _FLUSH), is_durable))
    return entries


def reached(entries: Sequence[Entry], log_bytes: int) -> int:
    """Return the number of entries in the log when the log had this size."""
    return bisect_right(entries, log_bytes, key=lambda entry: entry.end)


def plan(entries: Sequence[Entry], first: int, states: int, seed: int) -> list[Cut]:
    """Choose up to `states` different cuts after at least `first` entries, in the order of the log.

    A round has each point in order and reordered; fewer states than that are a sample of one round.
    """
    flushes = _flushes(entries)
    seen: set[int] = set()
    cuts: list[Cut] = []
    for number in range(_ROUNDS):
        round_ = [
            Cut(point, rng)
            for point in range(first, len(entries) + 1)
            for rng in (None, f"{seed}.{number}.{point}")
            if _is_new(seen, point, _kept(entries[flushes[point] : point], rng))
        ]
        missing = states - len(cuts)
        cuts += random.Random(seed).sample(round_, min(missing, len(round_)))
        if len(cuts) == states:
            break
    return sorted(cuts, key=lambda cut: cut.entries)


def _is_new(seen: set[int], point: int, kept: Sequence[Kept]) -> bool:
    """Return True if no state at this point had the same last request in every sector."""
    last: dict[int, int] = {}
    for entry, size in kept:
        sectors = range(entry.offset, entry.offset + size, SECTOR_BYTES)
        last.update(dict.fromkeys(sectors, entry.end))
    state = hash((point, frozenset(last.items())))
    is_new = state not in seen
    seen.add(state)
    return is_new


def _flushes(entries: Sequence[Entry]) -> list[int]:
    """Return for each point of the log the index of the last flush before the point, or 0."""
    last, found = 0, [0]
    for number, entry in enumerate(entries):
        last = number if entry.flushes else last
        found.append(last)
    return found


def disks(base: bytes, entries: Sequence[Entry], cuts: Sequence[Cut]) -> Iterator[list[Piece]]:
    """The disk at each of the cuts, which are in the order of the log; `base` is before its start.

    A disk is what to write in turn, the first piece all of it; good until the next is asked for.
    """
    flushed, done, flushes = bytearray(base), 0, _flushes(entries)
    for cut in cuts:
        last = flushes[cut.entries]
        for entry in entries[done:last]:
            flushed[entry.offset : entry.offset + len(entry.content)] = entry.content
        done = last
        kept = _kept(entries[done : cut.entries], cut.rng)
        yield [(0, flushed), *((entry.offset, entry.content[:size]) for entry, size in kept)]


def _kept(since: Sequence[Entry], rng: str | None) -> list[Kept]:
    """Return those of the writes since the last flush that reach the disk.

    Block 0 is never torn: a tear inside of its superblock leaves an ext4 that nothing mounts.
    """
    writes = [(entry, len(entry.content)) for entry in since if entry.content]
    if rng is None:
        return writes
    chance = random.Random(rng)
    share = chance.choice(_KEPT_SHARES)
    kept = [write for write in writes if write[0].is_durable or chance.random() < share]
    if kept and not kept[-1][0].is_durable:
        entry, size = kept[-1]
        if entry.offset and size > SECTOR_BYTES:
            kept[-1] = entry, SECTOR_BYTES * chance.randrange(1, size // SECTOR_BYTES)
    return kept
