"""What a file system says of itself is read with care."""

import struct
import subprocess
from pathlib import Path

import pytest

from agent.queue import superblock
from agent.queue.superblock import LENGTH, OFFSET


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


@pytest.mark.slow
@pytest.mark.parametrize(("at", "content"), [(0xE4, b"\x01"), (0x60, b"\x08"), (0x200, b"data=")])
def test_what_mkfs_leaves_on_no_device_is_odd(tmp_path: Path, at: int, content: bytes) -> None:
    block = bytearray(made(tmp_path))
    block[at : at + len(content)] = content

    found = superblock.read(bytes(block))

    assert found is not None
    assert found.is_odd


@pytest.mark.slow
def test_a_journal_that_is_not_played_back_is_told(tmp_path: Path) -> None:
    block = bytearray(made(tmp_path))
    bits = struct.unpack_from("<I", block, 0x60)[0]
    struct.pack_into("<I", block, 0x60, bits | 0x4)

    found = superblock.read(bytes(block))

    assert found is not None
    assert found.is_dirty


@pytest.mark.parametrize("content", [b"", bytes(LENGTH), b"\x53\xef" * 512, b"x" * LENGTH])
def test_what_is_no_file_system_is_none(content: bytes) -> None:
    assert superblock.read(content) is None
