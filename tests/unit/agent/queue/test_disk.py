"""Durable writes, errors of the disk in our words, and locks between processes."""

import errno
import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from agent.errors import NotNow, StorageFault, StorageFull
from agent.queue.disk import (
    disk_errors,
    flushes_names,
    free_bytes,
    lock,
    sync_folder,
    write_durably,
    write_new,
)
from tests.support.factory import fill, remount, small_disk


@contextmanager
def held_elsewhere(path: Path, *, shared: bool) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock: util-linux's flock, not our code."""
    process = subprocess.Popen(
        ["flock", "--shared" if shared else "--exclusive", path, "sh", "-c", "echo held; cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_the_short_way_is_for_ext4_with_ordered_data_and_barriers(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    told = {"rw\nbarrier\ndata=ordered\n": True, None: False}
    told |= dict.fromkeys(("rw\ndata=ordered\n", "barrier\ndata=writeback\n", "barrier\n"), False)
    for name, (options, is_short) in enumerate(told.items()):
        system = tmp_path / str(name)
        (system / "sys/dev/block").mkdir(parents=True)
        (system / "devices/sdx2").mkdir(parents=True)
        (system / "sys/dev/block" / number).symlink_to(system / "devices/sdx2")
        if options is not None:
            (system / "proc/fs/ext4/sdx2").mkdir(parents=True)
            (system / "proc/fs/ext4/sdx2/options").write_text(options)

        assert flushes_names(tmp_path, system) == is_short


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    path = tmp_path / "x.lock"
    path.touch()
    return path


def test_a_written_file_is_whole_and_shared_with_the_group(tmp_path: Path) -> None:
    """At any umask: sync must read what capture wrote."""
    before = os.umask(0o077)
    try:
        write_durably(tmp_path / "a.rec", b"evidence" * 100_000)
    finally:
        os.umask(before)

    assert (tmp_path / "a.rec").read_bytes() == b"evidence" * 100_000
    assert stat.S_IMODE((tmp_path / "a.rec").stat().st_mode) == 0o660
    assert [path.name for path in tmp_path.iterdir()] == ["a.rec"]


def test_bytes_are_flushed_first_and_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other order loses a saved photo at a power cut."""
    order: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        flushed = Path(f"/proc/self/fd/{descriptor}").readlink().name
        renamed = (tmp_path / "a.rec").exists()
        order.append(f"{flushed} {'after' if renamed else 'before'} the rename")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write_durably(tmp_path / "a.rec", b"evidence")

    assert order == ["a.part before the rename", f"{tmp_path.name} after the rename"]


def test_remains_of_an_earlier_power_cut_are_overwritten(tmp_path: Path) -> None:
    """Otherwise the key of a first start could never be made."""
    (tmp_path / "key.part").write_bytes(b"half a k")

    write_durably(tmp_path / "key.pem", b"a whole key")

    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]
    assert (tmp_path / "key.pem").read_bytes() == b"a whole key"


@pytest.mark.parametrize("failing", ["file", "folder"])
@pytest.mark.parametrize("write", [write_durably, partial(write_new, mode=0o600)])
def test_a_failed_flush_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, write: Callable[..., None]
) -> None:
    """A file that stayed would hold a number of the chain that the next record takes as well."""
    fsync = os.fsync

    def worn_card(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if is_folder == (failing == "folder"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", worn_card)

    with pytest.raises(StorageFault, match=r"cannot write .*a\.rec: Input/output error"):
        write(tmp_path / "a.rec", b"evidence")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_has_an_error_of_its_own(code: int) -> None:
    with (
        pytest.raises(StorageFull, match="cannot write x: ") as caught,
        disk_errors("cannot write x"),
    ):
        raise OSError(code, os.strerror(code))
    assert isinstance(caught.value.__cause__, OSError)


def test_an_error_is_translated_once() -> None:
    with pytest.raises(StorageFull, match=r"^first$"), disk_errors("second"):
        raise StorageFull("first")


def test_a_missing_folder_is_a_storage_fault(tmp_path: Path) -> None:
    with pytest.raises(StorageFault, match="No such file"):
        write_durably(tmp_path / "nowhere" / "a.rec", b"")
    with pytest.raises(StorageFault, match="free space"):
        free_bytes(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind_and_works_again_with_room(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        filler = fill(disk)
        names = {path.name for path in disk.iterdir()}

        with pytest.raises(StorageFull, match=r"cannot write a\.rec: No space left"):
            write_durably(disk / "a.rec", bytes(300_000))
        assert {path.name for path in disk.iterdir()} == names
        assert free_bytes(disk) < 65_536

        filler.unlink()
        assert free_bytes(disk) > 4_000_000
        write_durably(disk / "a.rec", bytes(300_000))
        assert (disk / "a.rec").stat().st_size == 300_000


@pytest.mark.slow
def test_a_card_gone_read_only_is_a_fault_and_its_locks_still_work(tmp_path: Path) -> None:
    """`doorstep status` must be able to say so."""
    with small_disk(tmp_path) as disk:
        (disk / "x.lock").touch()
        remount(disk, "ro")

        with pytest.raises(StorageFault, match="Read-only file system") as caught:
            write_durably(disk / "a.rec", b"evidence")
        assert not isinstance(caught.value, StorageFull)
        with lock(disk / "x.lock", exclusive=False, wait=False):
            sync_folder(disk)


@pytest.mark.parametrize(("held", "wanted"), [(False, False), (False, True), (True, False)])
def test_lock_held_by_another_process_is_reported(
    lock_file: Path, *, held: bool, wanted: bool
) -> None:
    """Only two shared locks go together."""
    with (
        held_elsewhere(lock_file, shared=held),
        pytest.raises(NotNow, match="held by another process"),
        lock(lock_file, exclusive=not wanted, wait=False),
    ):
        pass


def test_shared_locks_go_together(lock_file: Path) -> None:
    with held_elsewhere(lock_file, shared=True), lock(lock_file, exclusive=False, wait=False):
        pass


def test_a_lock_keeps_other_processes_out_until_its_block_ends(lock_file: Path) -> None:
    attempt = ["flock", "--nonblock", "--shared", str(lock_file), "true"]

    with lock(lock_file, exclusive=True, wait=True):
        assert subprocess.run(attempt, check=False).returncode == 1
    assert subprocess.run(attempt, check=False).returncode == 0


def test_a_killed_process_leaves_no_lock(lock_file: Path) -> None:
    with held_elsewhere(lock_file, shared=False) as process:
        os.killpg(process.pid, signal.SIGKILL)

        with lock(lock_file, exclusive=True, wait=True):
            pass


def test_an_error_inside_a_lock_keeps_its_meaning(lock_file: Path) -> None:
    """A socket that would block is no held lock."""
    with (
        pytest.raises(BlockingIOError, match="a socket"),
        lock(lock_file, exclusive=True, wait=False),
    ):
        raise BlockingIOError("a socket")


def test_a_lock_that_is_not_made_yet_is_for_later(tmp_path: Path) -> None:
    with (
        pytest.raises(NotNow, match="start `doorstep capture` first"),
        lock(tmp_path / "x.lock", exclusive=True, wait=True),
    ):
        pass
