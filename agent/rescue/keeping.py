"""Saves what was found into a folder of the technician's, durably and once."""

from contextlib import suppress
from typing import Final

from agent.queue.disk import disk_errors
from agent.queue.owned import OwnedFolder
from agent.record import certificates
from agent.record.certificates import CertificateChain
from agent.rescue.card_files import CardFile, Torn, Whole, name_of

_MODE: Final = 0o644
"""Mode of a sealed file; a folder made here is for its owner alone."""


class Keeper:
    """The folder of saved records; a second run adds missing ones, and saves none twice.

    Saved files belong to the owner of the folder: root mounts, another user sends.

    Attributes:
        kept: number of whole records that were saved.
        before: number of whole records that were there before.
        torn: number of torn files that are there now.
        others: names of records that are there with other bytes; these stay.
    """

    def __init__(self, folder: OwnedFolder) -> None:
        self._folder = folder
        self.kept = 0
        self.before = 0
        self.torn = 0
        self.others: list[str] = []

    def keep(self, one: CardFile) -> None:
        """Save a record, or what is left of one.

        Raises:
            ConfigError: `torn` is not a folder, or belongs to another user.
            StorageFull: no room; what was saved before stays.
            StorageFault: the disk failed, or the owner of the folder may not write there.
        """
        if isinstance(one, Whole):
            match _put(self._folder, name_of(one), one.content):
                case True:
                    self.kept += 1
                case False:
                    self.others.append(name_of(one))
                case None:
                    self.before += 1
        elif isinstance(one, Torn) and one.content is not None:
            with self._folder.below("torn") as torn:
                self.torn += _put(torn, name_of(one), one.content) is not False

    def keep_certificate(self, chain: CertificateChain) -> None:
        """Save the device's own certificate, for `doorstep verify`."""
        if chain:
            _put(self._folder, "evidence.pem", certificates.pem(chain))


def _put(folder: OwnedFolder, name: str, content: bytes) -> bool | None:
    """Save a file; return None if it was there, False if other content has its name."""
    with disk_errors(f"cannot read {folder.path / name}"), suppress(FileNotFoundError):
        return None if folder.read(name, len(content) + 1) == content else False
    folder.write(name, content, _MODE)
    return True
