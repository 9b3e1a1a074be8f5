"""Who can open what devices seal: age identities and their recipients, in the backend's folder.

`recipients.txt` says whom devices seal to: the fleet document names them. `keys/identities/` has
what opens it here, any number of files: an old identity stays, so that old records stay readable.
The escrow identity is made with the first one and belongs elsewhere: nothing here needs it.
"""

from pathlib import Path
from typing import Final

import pyrage  # noqa: TID251 - makes identities, which no device does

from agent.record import sealing
from agent.record.sealing import Identity, Recipients
from tests.backend import keys

OFFICE: Final = "office.txt"

ESCROW: Final = "escrow-identity.txt"
"""To be moved to a safe place: it opens every record when the office's own identities are lost."""


class Seals:
    """The files of one backend; each question reads them anew, since a command may change them."""

    def __init__(self, folder: Path) -> None:
        self._recipients = folder / "recipients.txt"
        self._escrow = folder / ESCROW
        self.identities_folder: Final = folder / "keys" / "identities"

    def identities(self) -> list[Identity]:
        """All that open records here; none before there are any. Raises NotIdentities."""
        files = sorted(self.identities_folder.glob("*.txt"))
        return [one for file in files for one in sealing.read_identities(file.read_text())]

    def recipients(self) -> Recipients:
        """Whom devices seal to; made when first asked for: office, escrow. Raises NoRecipients."""
        if not self._recipients.exists():
            names = [self._make(self.identities_folder / OFFICE), self._make(self._escrow)]
            self._name(names)
        lines = self._recipients.read_text().splitlines()
        return Recipients.of([line for line in lines if line and not line.startswith("#")])

    def rotate(self) -> None:
        """Another office identity from the next document on; the old one opens old records."""
        made = self.identities_folder / f"office-{len(self.identities()) + 1}.txt"
        own = {one.recipient for one in self.identities()}
        others = [name for name in self.recipients().names if name not in own]
        self._name([self._make(made), *others])

    def _make(self, file: Path) -> str:
        secret = pyrage.x25519.Identity.generate()
        recipient = str(secret.to_public())
        file.parent.mkdir(parents=True, exist_ok=True)
        keys.write_whole(file, f"# public key: {recipient}\n{secret}\n".encode(), mode=0o600)
        return recipient

    def _name(self, names: list[str]) -> None:
        keys.write_whole(self._recipients, "\n".join([*names, ""]).encode(), mode=0o644)
