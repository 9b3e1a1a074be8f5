"""A disk keeps its superblock, which identifies it, until everything else is erased."""

import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.queue import superblock
from agent.queue.wiping import FIRST_BYTES, zero_backwards
from tests.faults.powercut import disk
from tests.faults.powercut.writelog import Entry, disks, plan, read_log
from tests.support import needs

DISK_BYTES = 4 << 20
STATES = 300

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _parts() -> None:
    if words := needs.missing_words(*disk.NEEDS):
        pytest.fail(words)


def filled(image: Path) -> bytes:
    """Make a file system in which every block except the first has secret content."""
    subprocess.run(["mkfs.ext4", "-q", "-F", image, str(DISK_BYTES >> 10)], check=True)
    first = image.read_bytes()[:FIRST_BYTES]
    image.write_bytes(first + random.Random(1).randbytes(DISK_BYTES - FIRST_BYTES))
    return image.read_bytes()


def in_blocks(entries: list[Entry]) -> Iterator[Entry]:
    """Split the writes into blocks, because a card may write the blocks in any order."""
    for entry in entries:
        starts = range(0, len(entry.content), FIRST_BYTES) or [0]
        for start in starts:
            content = entry.content[start : start + FIRST_BYTES]
            flushes = entry.flushes and start == starts[-1]
            yield replace(entry, offset=entry.offset + start, content=content, flushes=flushes)


def test_power_cut_leaves_an_erased_disk_that_is_empty_or_known(tmp_path: Path) -> None:
    """`doorstep retire` erases a disk again only while the disk still has its superblock."""
    image, log = tmp_path / "disk.img", tmp_path / "disk.log"
    base = filled(image)
    with disk.exported(image, log) as export:
        descriptor = os.open(export, os.O_RDWR)
        try:
            zero_backwards(descriptor, DISK_BYTES)
        finally:
            os.close(descriptor)
    entries = list(in_blocks(read_log(log.read_bytes())))
    cuts = plan(entries, 1, STATES, seed=1)

    found = {"known": 0, "empty": 0}
    for cut, pieces in zip(cuts, disks(base, entries, cuts), strict=True):
        left = bytearray()
        for offset, content in pieces:
            left[offset : offset + len(content)] = content
        is_known = superblock.read(bytes(left[superblock.OFFSET :][: superblock.LENGTH]))
        assert is_known or not any(left[FIRST_BYTES:]), cut
        found["known" if is_known else "empty"] += 1

    assert all(found.values()), found
