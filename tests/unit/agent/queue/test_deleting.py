"""Deletion of a folder that another process filled: step by step, in flat memory."""

import ctypes
import errno
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from agent.queue import deleting
from agent.queue.deleting import Deleter, Left
from tests.support.filled import fill, nest
from tests.support.peak import peak_mb

SECRET = b"a key that nobody should find " * 100


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("overwrites", [False, True])
@pytest.mark.parametrize(
    ("depth", "branches"),
    [
        (1_100, False),
        (100, True),
        pytest.param(5_000, False, marks=pytest.mark.slow),
        pytest.param(1_500, True, marks=pytest.mark.slow),
    ],
)
def test_nested_folders_are_deleted_however_deep(
    tmp_path: Path, depth: int, *, branches: bool, overwrites: bool
) -> None:
    """A call per level ends at 1,000, a descriptor per level at 1,024, a path at 4,096 bytes."""
    nest(tmp_path / "deep", depth, branches=branches)
    before, most = descriptors(), 0
    deleter = Deleter(tmp_path / "deep", overwrites=overwrites)

    while deleter.step(0.0):
        most = max(most, descriptors())

    assert not deleter.left.count, str(deleter.left)
    assert list(tmp_path.iterdir()) == []
    assert most - before <= 2
    assert descriptors() <= before  # fewer if an earlier test's file was closed


@pytest.mark.parametrize("names", [5_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_many_names_are_deleted_in_flat_memory(tmp_path: Path, names: int) -> None:
    """A list of 5,000 would have 400 kB."""
    fill(tmp_path / "many", names)
    deleter = Deleter(tmp_path / "many")

    assert peak_mb(deleter.finish) < 0.15
    assert deleter.files == names
    assert list(tmp_path.iterdir()) == []


def test_step_ends_in_time_and_the_next_deleter_goes_on(tmp_path: Path) -> None:
    """As after a power cut: nothing but the folder is remembered."""
    fill(tmp_path / "many", 2_000)
    first = Deleter(tmp_path / "many")

    assert first.step(0.0)
    assert 0 < len(list((tmp_path / "many").iterdir())) < 2_000
    first.close()
    second = Deleter(tmp_path / "many")
    began_s, steps = time.thread_time(), 0
    while second.step(0.002):
        steps += 1

    assert steps > 1
    assert (time.thread_time() - began_s) / steps < 0.02  # without waits for a processor
    assert list(tmp_path.iterdir()) == []


def test_names_of_any_bytes_are_deleted(tmp_path: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", b"-rf", b"*", b"x" * 255, b"\xfc"):
        folder = tmp_path / "queue" / os.fsdecode(name)
        folder.mkdir(parents=True)
        (folder / os.fsdecode(b"\x80")).touch()
    deleter = Deleter(tmp_path / "queue")
    deleter.finish()

    assert (deleter.files, deleter.left.count) == (6, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder of another user's, to which links lead."""
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "file").write_bytes(SECRET)
    return folder


@pytest.mark.parametrize("overwrites", [False, True])
def test_links_lead_nowhere(tmp_path: Path, others: Path, *, overwrites: bool) -> None:
    """An owner of a folder of the state could have root wipe another's files."""
    keys = tmp_path / "keys"
    (keys / "below").mkdir(parents=True)
    for folder in (keys, keys / "below"):
        (folder / "folder").symlink_to(others)
        (folder / "file").symlink_to(others / "file")
        (folder / "hard").hardlink_to(others / "file")
        os.mkfifo(folder / "pipe")
    (tmp_path / "trust").symlink_to(others)

    for name in ("keys", "trust"):
        Deleter(tmp_path / name, overwrites=overwrites).finish()

    assert [path.name for path in tmp_path.iterdir()] == ["others"]
    assert (others / "file").read_bytes() == SECRET


@pytest.mark.slow
@pytest.mark.parametrize("overwrites", [False, True])
def test_mount_in_the_folder_stays(tmp_path: Path, others: Path, *, overwrites: bool) -> None:
    """Another file system, and a part of the same one, at the top and below it."""
    places = [tmp_path / "queue" / one for one in ("bound", "a/b/bound", "memory", "a/memory")]
    try:
        for place in places:
            place.mkdir(parents=True)
            what = ["--bind", others] if place.name == "bound" else ["-t", "tmpfs", "tmpfs"]
            subprocess.run(["mount", *what, place], check=True)
        (tmp_path / "queue" / "a" / "file").touch()
        deleter = Deleter(tmp_path / "queue", overwrites=overwrites)
        deleter.finish()

        assert (deleter.files, deleter.left.count) == (1, 4)
        assert "busy" in str(deleter.left)
        assert (others / "file").read_bytes() == SECRET
    finally:
        for line in Path("/proc/self/mounts").read_text().splitlines():
            if str(tmp_path) in line:  # their folders were renamed
                subprocess.run(["umount", line.split()[1]], check=True)


def test_files_are_overwritten_before_their_names_go(tmp_path: Path) -> None:
    """Through a descriptor that was open before, the old blocks can still be read."""
    (tmp_path / "keys" / "sync").mkdir(parents=True)
    files = [tmp_path / "keys" / "top.pem", tmp_path / "keys" / "sync" / "tls.pem"]
    for file in files:
        file.write_bytes(SECRET)
    (tmp_path / "keys" / "sync" / "same.pem").hardlink_to(files[1])
    held = [os.open(file, os.O_RDONLY) for file in files]
    deleter = Deleter(tmp_path / "keys", overwrites=True)
    deleter.finish()

    assert deleter.files == 3
    for descriptor in held:
        assert os.read(descriptor, 2 * len(SECRET)) == bytes(len(SECRET))
        os.close(descriptor)
    assert list(tmp_path.iterdir()) == []


def test_names_stay_if_the_zeros_cannot_be_made_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: int) -> int:
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr("agent.queue.deleting._LIBC.syncfs", fails)
    (tmp_path / "keys").mkdir()
    for name in ("a.pem", "b.pem"):
        (tmp_path / "keys" / name).write_bytes(SECRET)
    deleter = Deleter(tmp_path / "keys", overwrites=True)
    deleter.finish()

    assert (deleter.files, deleter.left.count) == (0, 2)
    assert str(deleter.left).endswith(".pem: Input/output error; and 1 more")


def test_only_file_larger_than_any_disk_is_overwritten_where_something_is(tmp_path: Path) -> None:
    """A process that may write beside the queue could keep the rest from being wiped."""
    file = tmp_path / "giant"
    with file.open("wb") as giant:
        giant.seek(2**33)
        giant.write(SECRET)
        giant.truncate(2**42)
    with file.open("rb") as held:
        deleter = Deleter(file, overwrites=True)
        deleter.finish()

        held.seek(2**33)
        assert held.read(len(SECRET)) == bytes(len(SECRET))
        assert os.fstat(held.fileno()).st_blocks * 512 < 100_000
    assert (deleter.files, deleter.left.count) == (1, 0)
    assert not file.exists()


def test_missing_folder_is_no_error(tmp_path: Path) -> None:
    for path in (tmp_path / "gone", tmp_path / "gone" / "deeper"):
        deleter = Deleter(path, overwrites=True)
        deleter.finish()

        assert (deleter.files, deleter.left.count) == (0, 0)


def test_deleter_ends_while_another_process_goes_on_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command would never end; the next one deletes the rest."""
    monkeypatch.setattr(deleting, "NAMES_MOST", 2_000)
    fill(tmp_path / "queue", 10)
    above = os.open(tmp_path / "queue", os.O_RDONLY)
    ends = threading.Event()
    writer = threading.Thread(target=_write, args=(above, ends))
    writer.start()
    try:
        first = Deleter(tmp_path / "queue")
        first.finish()
    finally:
        ends.set()
        writer.join()
        os.close(above)
    monkeypatch.undo()
    Deleter(tmp_path / "queue").finish()

    assert list(tmp_path.iterdir()) == []


def test_more_names_than_are_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleting, "NAMES_MOST", 5)
    fill(tmp_path / "queue", 10)
    deleter = Deleter(tmp_path / "queue")
    deleter.finish()

    assert deleter.files == 5
    assert str(deleter.left) == "queue: another process goes on writing there"


def _write(folder: int, ends: threading.Event) -> None:
    for number in range(10**9):
        if ends.is_set():
            return
        try:
            os.mkdir(f"new-{number}", dir_fd=folder)
            os.mknod(f"new-{number}/x", dir_fd=folder)
        except FileNotFoundError:
            continue


def test_rest_is_counted_and_only_the_first_are_named() -> None:
    left = Left()
    for number in range(10_000):
        left.add(b"\xff%d" % number, PermissionError(1, "Operation not permitted"))

    assert left.count == 10_000
    assert len(left.first) == deleting.NAMED_MOST
    assert str(left).endswith("; and 9995 more")
