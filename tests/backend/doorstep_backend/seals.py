"""The keys of sealed records: age identities and their recipients, in the backend's folder.

`recipients.txt` names the recipients that devices seal to; the fleet document has them.
`keys/identities/` has the identities that open records here, in any number of files: an old one
stays, so that old records stay readable. The escrow identity is made with the first one and belongs
elsewhere: nothing here needs it, and it opens every record when the office's own are lost. Each
file is named by its recipient, so that none is ever overwritten.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyrage  # noqa: TID251 - makes identities, which no device does

from agent.record import sealing
from agent.record.sealing import AgeIdentity, NoRecipients, Recipients
from doorstep_backend import keys
from doorstep_backend.settings import WrongSettingError

log = logging.getLogger(__name__)

_TOLD: Final = 8
"""Characters of a recipient in a file's name: its checksum and a little more."""


class Seals:
    """The files of one backend; each query reads them again, since a command may change them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told: set[Path] = set()
        self._recipients = folder / "recipients.txt"
        self._identities = folder / "keys" / "identities"

    def identities(self) -> list[AgeIdentity]:
        """Return all identities that open records here, if any. Other files are ignored."""
        return [one for file in sorted(self._identities.glob("*.txt")) for one in self._in(file)]

    def recipients(self) -> Recipients:
        """Return the recipients; made when first asked for: office, escrow.

        Raises:
            WrongSettingError: `recipients.txt` is invalid.
        """
        if not self._recipients.exists():
            self._name([self._make(self._identities, "office"), self._make(self._folder, "escrow")])
        lines = self._recipients.read_text().splitlines()
        try:
            return Recipients.of([line for line in lines if line and not line.startswith("#")])
        except NoRecipients as error:
            raise WrongSettingError(f"{self._recipients.name}: {error}") from error

    def rotate(self) -> None:
        """Replace the first office identity by another one, from the next document on.

        The old one opens old records.
        """
        offices = self._identities.glob("office-*.txt")
        own = {one.recipient for file in offices for one in self._in(file)}
        names = list(self.recipients().names)
        old = next((name for name in names if name in own), None)
        made = self._make(self._identities, "office")
        if old is not None:
            names.remove(old)
        self._name(Recipients.of([made, *names]).names)

    def use_given_identities(self, identities: str, recipients: Sequence[str]) -> None:
        """Open by these too, an identity file's text; seal to those, unless it is settled."""
        for folder in (self._identities.parent, self._identities):
            folder.mkdir(mode=0o700, exist_ok=True)
        keys.write_whole(self._identities / "given.txt", identities.encode(), mode=0o600)
        if not self._recipients.exists():
            self._name(recipients)

    def _in(self, file: Path) -> list[AgeIdentity]:
        try:
            return sealing.read_identities(file.read_text())
        except (OSError, ValueError) as error:
            if file not in self._told:
                self._told.add(file)
                log.warning("identities=passed_over file=%s why=%s", file.name, error)
            return []

    def _make(self, folder: Path, name: str) -> str:
        secret = pyrage.x25519.Identity.generate()
        recipient = str(secret.to_public())
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}-{recipient[-_TOLD:]}.txt"
        keys.write_whole(file, f"# public key: {recipient}\n{secret}\n".encode(), mode=0o600)
        return recipient

    def _name(self, names: Sequence[str]) -> None:
        keys.write_whole(self._recipients, "\n".join([*names, ""]).encode(), mode=0o600)
