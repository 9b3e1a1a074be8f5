"""A disk whose every write is logged: an ext4 image behind QEMU, FUSE and a loop device."""

import gc
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DISK_BYTES: Final = 16 << 20
"""The smallest that holds ext4's journal, a grown write-ahead log and a scenario's records."""

READY_WITHIN_S: Final = 20.0

FREE_WITHIN_S: Final = 10.0
"""Longest wait for the end of a process that holds a disk: a killed one takes milliseconds."""

NEEDS: Final = ("qemu-storage-daemon", "mkfs.ext4", "fusermount3")
"""Commands, by the names of tests/support/needs.py."""


def make(image: Path, size_bytes: int = DISK_BYTES) -> None:
    """An empty ext4 file system in blocks of 4 KB, as on a card; no thread of its own writes."""
    with image.open("wb") as file:
        file.truncate(size_bytes)
    options = ["-b", "4096", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
    subprocess.run(["mkfs.ext4", "-q", "-F", *options, image], check=True)


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[None]:
    """The image's file system, mounted while the block runs."""
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", "-o", "loop", image, at], check=True)
    try:
        yield
    finally:
        _unmount(at)


def _unmount(at: Path) -> None:
    """Wait for the last process that holds the mount, after a file that an exception left open.

    Raises:
        RuntimeError: somebody holds it for good.
    """
    until_s = time.monotonic() + FREE_WITHIN_S
    while (tried := _try_to_unmount(at)).returncode:
        if time.monotonic() > until_s:
            raise RuntimeError(tried.stderr)
        gc.collect()
        time.sleep(0.05)


def _try_to_unmount(at: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["umount", at], capture_output=True, text=True, check=False)


@contextmanager
def logged(image: Path, log: Path, at: Path) -> Iterator[None]:
    """As `mounted`; every write and flush is in `log` before it has ended."""
    with exported(image, log) as export, mounted(export, at):
        yield


@contextmanager
def exported(image: Path, log: Path) -> Iterator[Path]:
    """A file that is the image; every write to it and flush is in `log` before it has ended."""
    export, ready = log.with_suffix(".export"), log.with_suffix(".pid")
    for file in (log, export):
        file.touch()
    limits = "log-sector-size=512,log-super-update-interval=1"
    blocks = (
        f"driver=file,node-name=disk,filename={image},cache.no-flush=on",
        "driver=raw,node-name=raw,file=disk",
        f"driver=file,node-name=log,filename={log},cache.no-flush=on",
        f"driver=blklogwrites,node-name=top,file=raw,log=log,{limits}",
    )
    command = ["qemu-storage-daemon", "--pidfile", str(ready)]
    for block in blocks:
        command += ["--blockdev", block]
    command += ["--export", f"type=fuse,id=e,node-name=top,mountpoint={export},writable=on"]
    daemon = subprocess.Popen(command)
    try:
        _await(ready, daemon)
        yield export
    finally:
        daemon.terminate()
        daemon.wait()


def _await(ready: Path, daemon: "subprocess.Popen[bytes]") -> None:
    until_s = time.monotonic() + READY_WITHIN_S
    while not (ready.exists() and ready.stat().st_size):
        if daemon.poll() is not None or time.monotonic() > until_s:
            raise RuntimeError("qemu-storage-daemon did not start; is /dev/fuse there?")
        time.sleep(0.002)
