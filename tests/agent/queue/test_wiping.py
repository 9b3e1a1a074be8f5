"""What is wiped is overwritten where it lies; links lead nowhere."""

import os
from pathlib import Path

import pytest

from agent.queue.wiping import wipe_below, wipe_file, zero_backwards

SECRET = b"a key that nobody should find " * 100


def test_files_are_overwritten_before_they_go(tmp_path: Path) -> None:
    """Through a descriptor that was open before, the old blocks can still be read."""
    (tmp_path / "keys" / "sync").mkdir(parents=True)
    file = tmp_path / "keys" / "sync" / "tls.pem"
    file.write_bytes(SECRET)
    with file.open("rb") as held:
        assert wipe_below(tmp_path / "keys") == 1

        assert held.read() == bytes(len(SECRET))
    assert list(tmp_path.iterdir()) == []
    assert wipe_below(tmp_path / "keys") == 0


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """Whoever owns a folder of the state could have root wipe another's files."""
    others = tmp_path / "others"
    others.mkdir()
    (others / "file").write_bytes(SECRET)
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "folder").symlink_to(others)
    (keys / "file").symlink_to(others / "file")
    (keys / "hard").hardlink_to(others / "file")
    os.mkfifo(keys / "pipe")
    (tmp_path / "trust").symlink_to(others)

    wipe_below(keys)
    wipe_below(tmp_path / "trust")

    assert [path.name for path in tmp_path.iterdir()] == ["others"]
    assert (others / "file").read_bytes() == SECRET


def test_one_file_is_wiped_too_and_a_link_in_its_place_is_an_error(tmp_path: Path) -> None:
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


def test_a_file_larger_than_any_disk_is_wiped_where_something_stands(tmp_path: Path) -> None:
    """Whoever may write beside the queue could keep the rest from being wiped."""
    file = tmp_path / "giant"
    with file.open("wb") as giant:
        giant.seek(2**33)
        giant.write(SECRET)
        giant.truncate(2**42)
    with file.open("rb") as held:
        wipe_below(file)

        held.seek(2**33)
        assert held.read(len(SECRET)) == bytes(len(SECRET))
        assert os.fstat(held.fileno()).st_blocks * 512 < 100_000
    assert not file.exists()


@pytest.mark.parametrize("length", [1, 4_096, 1_048_576, 2_500_000])
def test_a_disk_is_zero_from_end_to_beginning(tmp_path: Path, length: int) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(b"x" * length)
    with image.open("r+b") as disk:
        zero_backwards(disk.fileno(), length)

    assert image.read_bytes() == bytes(length)
