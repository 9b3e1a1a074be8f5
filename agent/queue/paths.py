"""The paths in the state folder, and the modes that limit each process to its part.

systemd/doorstep.tmpfiles makes the same on a device, with an owner for each path.

To add a folder with an owner, add the user to `systemd/doorstep.sysusers`, the folder to
`systemd/doorstep.tmpfiles`, and both here. If capture does not own it, also to
`agent/command/doctor/permissions.py`. Hide it from the other units (`InaccessiblePaths=`), add its
row to agent/README.md, and attacks to `tests/faults/privileges/attacks.py`.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_IMODE
from typing import Final

from agent.config import StateSettings
from agent.queue.disk import FILE_MODE, disk_errors

STATE_MODE: Final = 0o2750
"""Mode for capture, with read access for its group: no other user adds files here.

Set-group-id: files made below belong to the group. Source: inode(7).
"""

QUEUE_MODE: Final = 0o2770
"""Mode: each process that may use the database makes its log too. Not sticky: in a sticky folder
the kernel refuses O_CREAT on another user's file, which is how SQLite opens its log. Source: Linux,
Documentation/admin-guide/sysctl/fs.rst, protected_regular.
"""

RECORDS_MODE: Final = 0o2755
"""Mode: capture writes; a process that can enter the state folder reads."""

TRUST_MODE: Final = 0o750
"""Capture writes, the group reads and verifies."""

KEYS_MODE: Final = 0o750
"""To pass through."""

PRIVATE_MODE: Final = 0o700
"""Keys are seen by the one process that needs them."""

CAPTURE_LOCK_MODE: Final = 0o600
"""Mode: a process that can open a lock can hold it for ever, and could so stop capture."""


LARGEST_FOLDER_BYTES: Final = 1_048_576
"""Largest `queue/`: on ext4 a folder keeps the blocks of deleted names, and listing reads them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below `state.dir` and `state.run_dir`."""

    state: Path
    run: Path

    @classmethod
    def of(cls, settings: StateSettings) -> "Layout":
        """Return the layout that the configuration names."""
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
        """Folder with a file for each record."""
        return self.state / "records"

    @property
    def receipts(self) -> Path:
        """Folder with a file for each receipt that capture has verified."""
        return self.state / "receipts"

    @property
    def torn(self) -> Path:
        """Folder of files that a power cut left and that do not verify; no program deletes them."""
        return self.state / "torn"

    @property
    def trust(self) -> Path:
        """Folder of documents that capture has verified and alone writes."""
        return self.state / "trust"

    @property
    def keys(self) -> Path:
        """A folder for each process that has keys."""
        return self.state / "keys"

    @property
    def capture_keys(self) -> Path:
        """Keys of the capture process: records are signed with them."""
        return self.keys / "capture"

    @property
    def sync_keys(self) -> Path:
        """Keys of the sync process: its TLS key and certificate."""
        return self.keys / "sync"

    @property
    def serve_keys(self) -> Path:
        """Folder with the keys of `doorstep serve`."""
        return self.keys / "serve"

    @property
    def capture_lock(self) -> Path:
        """Held while capturing: guards seq, pruning, sweep and rebuild."""
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
        """File by which a process that finds the queue broken asks capture to make it again."""
        return self.queue / "rebuild"

    def aside(self, number: int) -> Path:
        """Return the path to which a broken queue is moved as a whole."""
        return self.state / f"queue.aside-{number}"

    def quarantined(self) -> list[Path]:
        """Return the broken queues that still exist."""
        return sorted(self.state.glob("queue.aside-*"))

    def corruption(self) -> str | None:
        """Return what is wrong with `queue/`, without opening a file; None if all is as usual.

        Raises:
            OSError: it cannot be read.
        """
        known = {f"{self.database.name}{suffix}" for suffix in ("", "-wal", "-shm")}
        if os.path.lexists(self.rebuild_mark):
            return "another process found it broken"
        if not self.queue.is_dir():
            return f"{self.queue} is gone"
        if self.queue.stat().st_size > LARGEST_FOLDER_BYTES:
            return f"{self.queue} had thousands of names"
        with os.scandir(self.queue) as entries:
            strange = next((entry.name for entry in entries if entry.name not in known), None)
        return strange and f"{strange[:80]!r} in {self.queue} is not Doorstep's"

    @property
    def ballast(self) -> Path:
        """Bytes that are released when the card is full; see `disk.release_ballast`."""
        return self.state / "ballast"

    @property
    def capture_socket(self) -> Path:
        """Socket on which `doorstep capture` listens."""
        return self.run / "capture.sock"

    @property
    def sync_socket(self) -> Path:
        """Socket on which `doorstep sync` listens."""
        return self.run / "sync" / "sync.sock"

    @property
    def status_file(self) -> Path:
        """File with capture's report on the queue, for readers while the database is closed."""
        return self.run / "status.json"

    @property
    def energy_file(self) -> Path:
        """File with the energy of the shift, for capture's next process in this boot."""
        return self.run / "energy.json"

    @property
    def doctor_file(self) -> Path:
        """File with the results of the last `doorstep doctor`."""
        return self.state / "doctor.json"

    def socket(self, process: str) -> Path:
        """Return the socket of a process, `capture` or `sync`."""
        return {"capture": self.capture_socket, "sync": self.sync_socket}[process]

    def record(self, capture_id: str) -> Path:
        """Return the path of a record's file."""
        return self.records / f"{capture_id}.rec"

    def label(self, capture_id: str) -> Path:
        """Return the path of the label that stays when the record's file is deleted."""
        return self.records / f"{capture_id}.label"

    def receipt(self, capture_id: str) -> Path:
        """Return the path of a record's receipt."""
        return self.receipts / f"{capture_id}.jws"

    def folders(self) -> Iterator[tuple[Path, int]]:
        """Yield every folder and its mode, each after the one that contains it."""
        yield self.state, STATE_MODE
        yield self.queue, QUEUE_MODE
        yield from ((folder, RECORDS_MODE) for folder in (self.records, self.receipts, self.torn))
        yield self.trust, TRUST_MODE
        yield self.keys, KEYS_MODE
        own = (self.capture_keys, self.sync_keys, self.serve_keys)
        yield from ((folder, PRIVATE_MODE) for folder in own)
        yield from ((folder, STATE_MODE) for folder in (self.run, self.sync_socket.parent))

    def files(self) -> Iterator[tuple[Path, int]]:
        """Yield every file that must exist before all others, and its mode."""
        yield self.database, FILE_MODE
        yield self.capture_lock, CAPTURE_LOCK_MODE
        yield from ((file, FILE_MODE) for file in (self.sync_lock, self.state_lock, self.ballast))

    def _has_lost_its_database(self) -> bool:
        """Return True if there is a log without a database, or with one that is empty."""
        log = self.database.with_name("doorstep.db-wal")
        return _is_empty(self.database) and not _is_empty(log)

    def make(self) -> None:
        """Make what tmpfiles.d has not made, with its modes, before SQLite touches anything.

        All of it is then this user's and of its group. What is there keeps its mode. Several
        processes may do this at once.

        Raises:
            StorageFull: no room.
            StorageFault: the disk failed, is read-only, or this user may not write there.
        """
        with disk_errors(f"cannot make {self.state} and {self.run}"):
            for folder, mode in self.folders():
                make_folder(folder, mode)
            if self._has_lost_its_database():
                make_file(self.rebuild_mark)  # SQLite would delete the log
            for file, mode in self.files():
                make_file(file, mode)


def _is_empty(file: Path) -> bool:
    return not file.exists() or file.stat().st_size == 0


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder with exactly this mode; one that is there stays as it is.

    Set-group-id comes from the parent folder, if that has it, and the rest from the umask of the
    units: in a unit, `RestrictSUIDSGID=` refuses every chmod that names the bit.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # made by another process meanwhile
        folder.mkdir(mode & 0o777)
        if S_IMODE(folder.stat().st_mode) != mode:
            folder.chmod(mode)


def make_file(file: Path, mode: int = FILE_MODE) -> None:
    """Make an empty file; one that is there, or a link, stays as it is."""
    with suppress(FileExistsError):
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)
        os.fchmod(descriptor, mode)  # whatever the umask says
        os.close(descriptor)
