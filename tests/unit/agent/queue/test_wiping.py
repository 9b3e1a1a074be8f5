"""Files and disks that are overwritten in place before their names are deleted."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.queue.wiping import FIRST_BYTES, wipe_file, zero_backwards

SECRET = b"a key that nobody should find " * 100


def test_file_is_wiped_alone_and_a_link_in_its_place_is_an_error(tmp_path: Path) -> None:
    file, link = tmp_path / "manifest.old", tmp_path / "link"
    file.write_bytes(SECRET)
    link.symlink_to(file)

    with pytest.raises(OSError, match="link"):
        wipe_file(link)
    with file.open("rb") as held:
        wipe_file(file)
        assert held.read() == bytes(len(SECRET))
    wipe_file(file)

    assert not file.exists()


@pytest.mark.parametrize("length", [1, 4_096, 1_048_576, 2_500_000])
def test_a_disk_is_zero_from_end_to_beginning(tmp_path: Path, length: int) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(b"x" * length)
    with image.open("r+b") as disk:
        zero_backwards(disk.fileno(), length)

    assert image.read_bytes() == bytes(length)


def test_piece_of_a_disk_that_cannot_be_overwritten_keeps_no_other(tmp_path: Path) -> None:
    """The last ones are overwritten first; a card that is worn there would keep all its rest."""
    image = tmp_path / "disk.img"
    image.write_bytes(b"x" * 4 * 2**20)
    with image.open("r+b") as disk, largest_file(3 * 2**20), pytest.raises(OSError, match="large"):
        zero_backwards(disk.fileno(), 4 * 2**20)

    content = image.read_bytes()
    assert content[FIRST_BYTES : 3 * 2**20] == bytes(3 * 2**20 - FIRST_BYTES)
    assert content[:FIRST_BYTES] == b"x" * FIRST_BYTES


@contextmanager
def largest_file(length: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
