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
"""What a disk writes whole: a power cut tears a longer write at a multiple of it."""

_MAGIC: Final = 0x6A736677736872
"""Source: WRITE_LOG_MAGIC in the kernel's dm-log-writes.c."""

_SUPER: Final = struct.Struct("<QQQI")
_ENTRY: Final = struct.Struct("<QQQQ")
_FLUSH, _FUA, _DISCARD = 1, 2, 4

_KEPT_SHARES: Final = (0.1, 0.5, 0.9)
"""How many of the writes since the last flush reach the disk in a reordered state."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request to the disk.

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


@dataclass(frozen=True, slots=True)
class Cut:
    """The power goes after the first `entries` of the log.

    Without `dice` all their writes are on the disk; with it a part of those since the last flush,
    chosen by it, and the last of that part torn.
    """

    entries: int
    dice: str | None = None


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
    """How many entries were in the log when it had this size."""
    return bisect_right(entries, log_bytes, key=lambda entry: entry.end)


def plan(entries: Sequence[Entry], first: int, states: int, seed: int) -> list[Cut]:
    """Choose about `states` cuts after at least `first` entries, in the order of the log.

    At every write and flush in order and reordered once comes before anything twice.
    """
    points = range(first, len(entries) + 1)
    rounds = [Cut(point) for point in points]
    rounds += [Cut(point, f"{seed}.0.{point}") for point in points]
    if states < len(rounds):
        chosen = random.Random(seed).sample(rounds, states)
    else:
        more = states - len(rounds)
        chosen = rounds + [
            Cut(point, f"{seed}.{number // len(points) + 1}.{point}")
            for number, point in zip(range(more), _cycle(points), strict=False)
        ]
    return sorted(chosen, key=lambda cut: cut.entries)


def _cycle(points: Sequence[int]) -> Iterator[int]:
    while points:
        yield from points


def disks(base: bytes, entries: Sequence[Entry], cuts: Sequence[Cut]) -> Iterator[bytearray]:
    """The disk at each of the cuts, which are in the order of the log; `base` is before its start.

    The caller may change what it is given.
    """
    flushed, done = bytearray(base), 0
    for cut in cuts:
        last = max((n for n in range(done, cut.entries) if entries[n].flushes), default=done)
        for entry in entries[done:last]:
            _write(flushed, entry.offset, entry.content)
        done = last
        disk = bytearray(flushed)
        for offset, content in _kept(entries[done : cut.entries], cut.dice):
            _write(disk, offset, content)
        yield disk


def _kept(since: Sequence[Entry], dice: str | None) -> list[tuple[int, bytes]]:
    """What of the writes since the last flush reaches the disk."""
    if dice is None:
        return [(entry.offset, entry.content) for entry in since]
    chance = random.Random(dice)
    share = chance.choice(_KEPT_SHARES)
    kept = [entry for entry in since if entry.is_durable or chance.random() < share]
    writes = [(entry.offset, entry.content) for entry in kept]
    if kept and not kept[-1].is_durable and len(kept[-1].content) > SECTOR_BYTES:
        sectors = chance.randrange(1, len(kept[-1].content) // SECTOR_BYTES)
        writes[-1] = (kept[-1].offset, kept[-1].content[: sectors * SECTOR_BYTES])
    return writes


def _write(disk: bytearray, offset: int, content: bytes) -> None:
    disk[offset : offset + len(content)] = content
