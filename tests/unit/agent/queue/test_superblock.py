"""A superblock is untrusted input."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agent.queue import superblock
from agent.queue.superblock import LENGTH, OFFSET, Superblock


def made(folder: Path, *options: str) -> bytes:
    image = folder / "disk.img"
    subprocess.run(["mkfs.ext4", "-q", "-F", *options, image, "16M"], check=True)
    return image.read_bytes()[OFFSET : OFFSET + LENGTH]


@pytest.mark.slow
@pytest.mark.parametrize("block_bytes", ["1024", "4096"])
def test_a_new_file_system_is_read(tmp_path: Path, block_bytes: str) -> None:
    options = ["-L", "doorstep-state", "-U", "12345678-1234-1234-1234-123456789abc"]
    found = superblock.read(made(tmp_path, "-b", block_bytes, *options))

    assert found is not None
    assert (found.label, found.bytes) == ("doorstep-state", 16 * 2**20)
    assert found.uuid == "12345678-1234-1234-1234-123456789abc"
    assert (found.is_dirty, found.is_odd) == (False, False)


PLAIN = Superblock(
    "12345678-1234-1234-1234-123456789abc", "doorstep-state", 2**34, is_dirty=False, is_odd=False
)


def written(*values: tuple[int, bytes]) -> bytes:
    """Return the superblock of `mkfs.ext4` after a mount, with these values at their places."""
    usual = [(0x04, b"\0\0\x40\0"), (0x18, b"\2"), (0x38, b"\x53\xef"), (0x60, b"\x42\2")]
    names = [(0x68, UUID(PLAIN.uuid).bytes), (0x78, PLAIN.label.encode()), (0x88, b"/var/lib")]
    block = bytearray(LENGTH)
    for at, content in [*usual, *names, (0x240, b"\1"), *values]:
        block[at : at + len(content)] = content
    return bytes(block)


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        ([], {}),
        ([(0x18, b"\6")], {"bytes": 2**38}),
        ([(0x150, b"\1")], {}),
        ([(0x150, b"\1"), (0x60, b"\xc2")], {"bytes": 2**34 + 2**44}),
        ([(0x78, b"0123456789abcdef")], {"label": "0123456789abcdef"}),
        ([(0x78, b"\xff")], {"label": "\ufffdoorstep-state"}),
        ([(0x60, b"\x46")], {"is_dirty": True}),
        ([(0x60, b"\x4a")], {"is_odd": True}),
        ([(0xE4, b"\1")], {"is_odd": True}),
        ([(0x200, b"data=")], {"is_odd": True}),
        ([(0x23F, b"x")], {"is_odd": True}),
    ],
)
def test_each_value_is_read_where_the_kernel_has_it(
    values: list[tuple[int, bytes]], changes: dict[str, Any]
) -> None:
    assert superblock.read(written(*values)) == replace(PLAIN, **changes)


@pytest.mark.parametrize(
    "content",
    [b"", bytes(LENGTH), b"\x53\xef" * 512, b"x" * LENGTH, written((0x18, b"\7")), written()[:-1]],
)
def test_unknown_file_system_has_no_superblock(content: bytes) -> None:
    assert superblock.read(content) is None
