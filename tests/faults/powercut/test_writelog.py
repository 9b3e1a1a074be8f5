"""The disk at a power cut follows from the log: what was flushed is there, the rest may be."""

import struct

from tests.faults.powercut.writelog import Cut, disks, plan, read_log

BLOCK = 4096
FLUSH, FUA, DISCARD = 1, 2, 4
BASE = bytes(16 * BLOCK)


def logged(*requests: tuple[int, bytes, int]) -> bytes:
    """A log as QEMU writes it, of (block, content, flags)."""
    log = struct.pack("<QQQI", 0x6A736677736872, 1, len(requests), 512).ljust(512, b"\0")
    for block, content, flags in requests:
        entry = struct.pack("<QQQQ", block * 8, len(content) // 512, flags, 0).ljust(512, b"\0")
        log += entry + (b"" if flags & DISCARD else content)
    return log


def write(block: int, letter: str, flags: int = 0) -> tuple[int, bytes, int]:
    return block, letter.encode() * BLOCK, flags


FLUSHED = (0, b"", FLUSH)
LOG = logged(write(1, "a"), write(2, "b"), FLUSHED, write(1, "c"), write(3, "d"), write(4, "e"))


def disk_at(log: bytes, cut: Cut) -> bytes:
    (pieces,) = disks(BASE, read_log(log), [cut])
    disk = bytearray()
    for offset, content in pieces:
        disk[offset : offset + len(content)] = content
    assert len(disk) == len(BASE)
    return bytes(disk)


def block(disk: bytes, number: int) -> bytes:
    return disk[number * BLOCK : (number + 1) * BLOCK]


def test_ordered_state_has_every_write_before_the_cut() -> None:
    disk = disk_at(LOG, Cut(4))

    assert [block(disk, number)[:1] for number in (1, 2, 3)] == [b"c", b"b", b"\0"]


def test_reordered_state_has_every_flushed_write_and_some_others() -> None:
    """Every write since the flush is missing in some states, and whole, torn or there in others."""
    found = [disk_at(LOG, Cut(6, f"dice {number}")) for number in range(200)]

    assert all(block(disk, 2) == b"b" * BLOCK for disk in found)
    assert {block(disk, 1)[:1] for disk in found} == {b"a", b"c"}
    assert {block(disk, 3)[:1] for disk in found} == {b"\0", b"d"}
    torn = [disk for disk in found if block(disk, 4)[:1] == b"e" and block(disk, 4)[-1:] == b"\0"]
    assert torn
    assert all(block(disk, 4).count(b"e") % 512 == 0 for disk in torn)


def test_write_with_fua_is_never_missing() -> None:
    log = logged(write(1, "a", FUA), write(2, "b"))

    assert all(block(disk_at(log, Cut(2, f"{n}")), 1) == b"a" * BLOCK for n in range(50))


def test_block_0_is_never_torn() -> None:
    """The superblock is in block 0; an ext4 with half of a new superblock cannot be mounted."""
    log = logged(write(0, "a"))

    found = {block(disk_at(log, Cut(1, f"{number}")), 0) for number in range(50)}

    assert found == {bytes(BLOCK), b"a" * BLOCK}


def test_a_discarded_block_reads_as_zeros() -> None:
    log = logged(write(1, "a"), FLUSHED, (1, bytes(BLOCK), DISCARD), write(2, "b"))

    disk = disk_at(log, Cut(4))

    assert block(disk, 1) == bytes(BLOCK)
    assert block(disk, 2) == b"b" * BLOCK


def test_a_plan_has_every_point_in_order_before_any_is_reordered_twice() -> None:
    entries = read_log(LOG)

    cuts = plan(entries, 2, 12, seed=1)

    assert {cut.entries for cut in cuts if cut.rng is None} == {2, 3, 4, 5, 6}
    assert cuts == sorted(cuts, key=lambda cut: cut.entries)
    assert len(cuts) == 12


def test_no_two_states_of_a_plan_are_the_same_disk_at_the_same_point() -> None:
    cuts = plan(read_log(LOG), 1, 1000, seed=1)

    assert len({(cut.entries, disk_at(LOG, cut)) for cut in cuts}) == len(cuts) < 1000
