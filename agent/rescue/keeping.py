"""Saves what was found into a folder of the technician's, durably and once."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.errors import ConfigError
from agent.queue.disk import disk_errors, read_plain, write_durably
from agent.record import certificates
from agent.record.certificates import Chain
from agent.rescue.found import Found, Torn, Whole, name_of

_MODE: Final = 0o644
"""What is sealed needs no other; the folder is for its owner alone where it is made here."""

_FOLDER_MODE: Final = 0o700


class Keeper:
    """A second run saves what the first one has not, and nothing twice.

    What is saved belongs to the owner of the folder: root mounts, a person sends.

    Attributes:
        kept: whole records that were saved.
        before: those that lay there before.
        torn: torn ones that lie there now.
        others: names of records that lie there with other bytes; these stay.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.kept = 0
        self.before = 0
        self.torn = 0
        self.others: list[str] = []
        with disk_errors(f"cannot make {folder}"):
            if folder.exists() and not folder.is_dir():
                raise ConfigError(f"{folder}: a file, not a folder; name another folder with --to")
            _make(folder)
            self._owner = folder.stat()

    def keep(self, one: Found) -> None:
        """Save a record, or what is left of one.

        Raises:
            StorageFull: no room; what was saved before stays.
            StorageFault: the disk failed.
        """
        if isinstance(one, Whole):
            target = self._folder / name_of(one)
            was_there = os.path.lexists(target)
            if not self._put(target, one.content):
                self.others.append(name_of(one))
            elif was_there:
                self.before += 1
            else:
                self.kept += 1
        elif isinstance(one, Torn) and one.content is not None:
            with disk_errors("cannot make a folder for what is torn"):
                _make(self._folder / "torn")
            self._own(self._folder / "torn")
            self.torn += self._put(self._folder / "torn" / name_of(one), one.content)

    def keep_certificate(self, chain: Chain) -> None:
        """The device's own, for `doorstep verify`."""
        if chain:
            self._put(self._folder / "evidence.pem", certificates.pem(chain))

    def _put(self, target: Path, content: bytes) -> bool:
        """Whether it lies there now."""
        with disk_errors(f"cannot read {target}"), suppress(FileNotFoundError):
            return read_plain(target, len(content) + 1) == content
        write_durably(target, content, _MODE)
        self._own(target)
        return True

    def _own(self, path: Path) -> None:
        if self._owner.st_uid != os.geteuid():
            os.chown(path, self._owner.st_uid, self._owner.st_gid, follow_symlinks=False)


def _make(folder: Path) -> None:
    """With the owner of the folder that it lies in, where it is not there yet."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(_FOLDER_MODE)
    above = folder.parent.stat()
    if above.st_uid != os.geteuid():
        os.chown(folder, above.st_uid, above.st_gid)
