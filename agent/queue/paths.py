"""Where everything lies in the state folder, and the permissions that let three users share it."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.config import StateSettings
from agent.queue.disk import FILE_MODE, disk_errors

FOLDER_MODE: Final = 0o2770
"""Set-group-id: what any user makes here, SQLite's log too, is the group's. Source: inode(7)."""

KEYS_MODE: Final = 0o700
"""Only capture's user reads the signing key: sync faces the network."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below `state.dir` and `state.run_dir`."""

    state: Path
    run: Path

    @classmethod
    def of(cls, settings: StateSettings) -> "Layout":
        """The layout that the configuration names."""
        return cls(settings.dir, settings.run_dir)

    @property
    def queue(self) -> Path:
        """The database's files and the rebuild mark, and nothing else."""
        return self.state / "queue"

    @property
    def database(self) -> Path:
        """The queue."""
        return self.queue / "doorstep.db"

    @property
    def records(self) -> Path:
        """One file per record."""
        return self.state / "records"

    @property
    def torn(self) -> Path:
        """What a power cut left and does not verify; never deleted by a program."""
        return self.state / "torn"

    @property
    def trust(self) -> Path:
        """What capture has verified, and alone writes."""
        return self.state / "trust"

    @property
    def capture_keys(self) -> Path:
        """Keys of the capture process: records are signed with them."""
        return self.state / "keys" / "capture"

    @property
    def sync_keys(self) -> Path:
        """Keys of the sync process: its TLS key and certificate."""
        return self.state / "keys" / "sync"

    @property
    def capture_lock(self) -> Path:
        """Held while capturing: guards seq, sweep and rebuild."""
        return self.state / "capture.lock"

    @property
    def sync_lock(self) -> Path:
        """Held by the one sender."""
        return self.state / "sync.lock"

    @property
    def state_lock(self) -> Path:
        """Shared during each database step, exclusive to rebuild."""
        return self.state / "state.lock"

    @property
    def rebuild_mark(self) -> Path:
        """Left by whoever finds the queue broken, for capture to make it again."""
        return self.queue / "rebuild"

    @property
    def ballast(self) -> Path:
        """Room on a full card; see `disk.make_way`."""
        return self.state / "ballast"

    @property
    def capture_socket(self) -> Path:
        """Where `doorstep capture` listens."""
        return self.run / "capture.sock"

    @property
    def sync_socket(self) -> Path:
        """Where `doorstep sync` listens."""
        return self.run / "sync" / "sync.sock"

    def socket(self, process: str) -> Path:
        """Where a process listens, `capture` or `sync`."""
        return {"capture": self.capture_socket, "sync": self.sync_socket}[process]

    def record(self, capture_id: str) -> Path:
        """The file of one record."""
        return self.records / f"{capture_id}.rec"

    def _has_lost_its_database(self) -> bool:
        """Whether a log lies beside no database, or beside one that tmpfiles.d has just made."""
        log = self.database.with_name("doorstep.db-wal")
        return _is_empty(self.database) and not _is_empty(log)

    def make(self) -> None:
        """Make what tmpfiles.d has not made, with its modes, before SQLite touches anything.

        What is there keeps its mode. Several processes may do this at once.

        Raises:
            StorageFull: no room.
            StorageFault: the disk failed, is read-only, or this user may not write there.
        """
        with disk_errors(f"cannot make {self.state} and {self.run}"):
            for folder in (self.state, self.records, self.torn, self.run, self.queue, self.trust):
                _make_folder(folder, FOLDER_MODE)
            _make_folder(self.sync_socket.parent, FOLDER_MODE)
            for folder in (self.capture_keys, self.sync_keys):
                _make_folder(folder, KEYS_MODE)
            if self._has_lost_its_database():
                self.rebuild_mark.touch(FILE_MODE)  # SQLite would delete the log
            for file in (
                self.database,
                self.capture_lock,
                self.sync_lock,
                self.state_lock,
                self.ballast,
            ):
                make_file(file)


def _is_empty(file: Path) -> bool:
    return not file.exists() or file.stat().st_size == 0


def _make_folder(folder: Path, mode: int) -> None:
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # made by another process meanwhile
        folder.mkdir(mode & 0o700)
        folder.chmod(mode)


def make_file(file: Path) -> None:
    """Make an empty file that the group shares; one that is there stays as it is."""
    with suppress(FileExistsError):
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)  # whatever the umask says
        os.close(descriptor)
