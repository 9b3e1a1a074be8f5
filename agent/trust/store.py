"""The files in `trust/`: capture alone writes them, and each reader verifies them again."""

import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.models import from_rfc3339, rfc3339
from agent.queue.disk import disk_errors, sync_folder, write_durably
from agent.queue.paths import Layout
from agent.queue.wiping import wipe_file
from agent.trust import LINKS_LIMIT
from agent.trust.certain import Agreement
from hardware.floor import GnssAllowance
from hardware.foreign import read_json

_log = logging.getLogger(__name__)

_SHARED: Final = 0o640
"""Mode with read access for the group: prune and sync verify the files again."""

_PRIVATE: Final = 0o600
"""Mode of the manifest, which names today's doors: for capture's user alone."""

_MOST_BYTES: Final = 8_388_608
"""Nothing in the folder is as big: twice the longest manifest."""

_SHORT_BYTES: Final = 4_096
"""Longest file in the folder, except documents and certificates.

A `time.json` of 7 MB took 196 MB and 0.9 s, in each process that reads it.
"""

_MOST_S: Final = 1e10
"""No machine runs for three hundred years."""

_LEFTOVERS: Final = ("manifest.old", "manifest.part")
"""The manifest before this one, while it is overwritten; and one that was being written."""


@dataclass(frozen=True, slots=True)
class KeptTime:
    """The knowledge of time that is kept across restarts.

    Attributes:
        floor: None if none was ever kept.
        agreed: None if nothing has agreed yet.
        allowance: how far GNSS may raise the floor; None if GNSS alone never raised it.
    """

    floor: datetime | None = None
    agreed: Agreement | None = None
    allowance: GnssAllowance | None = None


class TrustStore:
    """The files in `trust/`: a change is durable when its method returns.

    A power cut before that leaves the earlier file. A file that cannot be read counts as missing,
    with a line in the log. Methods that write raise StorageFault.
    """

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.trust
        self._manifest, self._old = self._folder / "manifest.jws", self._folder / "manifest.old"
        self._troubles: dict[str, str] = {}

    def fleet(self) -> tuple[str, ...]:
        """Return the fleet document and the links to its key (`agent.trust.fleet`), unverified.

        The document in force is the last line of `fleet.jws`; before it is one document for each
        change of the fleet key.
        """
        return tuple((self._text("fleet.jws") or "").split(maxsplit=LINKS_LIMIT))

    def keep_fleet(self, tokens: tuple[str, ...]) -> None:
        """Replace the fleet document and its links."""
        self._write("fleet.jws", "\n".join(tokens))

    def fleet_version(self, kid: str) -> int | None:
        """Return the version of the newest document from this fleet key, even if it is corrupt.

        `fleet.version` has it behind the thumbprint of `identity.fleet_key`.
        """
        text = self._text("fleet.version", _SHORT_BYTES)
        try:
            if text is None:
                return None
            kept, version = text.split()
            return int(version) if kept == kid else None
        except ValueError as error:
            self._tell_unreadable("fleet.version", error)
            return None

    def keep_fleet_version(self, kid: str, version: int) -> None:
        """Replace the version, before the document, so that no power cut lets an older one in."""
        self._write("fleet.version", f"{kid} {version}")

    def manifest(self) -> str | None:
        """Return the kept manifest, unverified."""
        return self._text("manifest.jws")

    def manifest_version(self) -> int | None:
        """Return the version of the newest manifest ever kept; it outlasts the manifest."""
        text = self._text("manifest.version", _SHORT_BYTES)
        try:
            return None if text is None else int(text)
        except ValueError as error:
            self._tell_unreadable("manifest.version", error)
            return None

    def keep_manifest(self, token: str, version: int) -> None:
        """Keep this manifest, and overwrite the bytes of the earlier one on the card.

        The version is written first: after a power cut in between, no older manifest is accepted.
        """
        self.wipe_leftovers()
        self._write("manifest.version", str(version))
        with disk_errors("cannot set the old manifest aside"), suppress(FileNotFoundError):
            os.link(self._manifest, self._old)  # a cut must not leave blocks that nobody names
        self._write("manifest.jws", token, _PRIVATE)
        self.wipe_leftovers()

    def wipe_manifest(self) -> None:
        """Overwrite and delete the present manifest; its version stays."""
        self.wipe_leftovers()
        with disk_errors("cannot set the manifest aside"), suppress(FileNotFoundError):
            self._manifest.rename(self._old)
            sync_folder(self._folder)  # else a cut could leave zeros under its name
        self.wipe_leftovers()

    def wipe_leftovers(self) -> None:
        """Overwrite and delete what a cut left of an old manifest, or of one half written.

        What a flash card keeps of old blocks is beyond a program.
        """
        with disk_errors("cannot overwrite the old manifest"):
            if _is_same(self._old, self._manifest):  # cut before the new one took its place
                self._old.unlink()
            for name in _LEFTOVERS:
                wipe_file(self._folder / name)

    def certificate(self, use: str) -> bytes | None:
        """Return the certificate and the chain to its root, PEM, unverified.

        Args:
            use: `evidence` or `serve`, here and in the other methods for certificates.
        """
        text = self._text(f"{use}.pem")
        return None if text is None else text.encode()

    def keep_certificate(self, use: str, pem: bytes) -> None:
        """Replace the certificate."""
        self._write(f"{use}.pem", pem.decode())

    def request(self, use: str) -> str | None:
        """Return the request for a certificate, PEM, unverified."""
        return self._text(f"{use}.csr")

    def keep_request(self, use: str, pem: str) -> None:
        """Replace the request for a certificate."""
        self._write(f"{use}.csr", pem)

    def delete_request(self, use: str) -> None:
        """Delete the request for a certificate: it is answered."""
        with disk_errors("cannot delete the request that is answered"):
            (self._folder / f"{use}.csr").unlink(missing_ok=True)
            sync_folder(self._folder)

    def time(self) -> KeptTime:
        """Return the kept knowledge of time."""
        text = self._text("time.json", _SHORT_BYTES)
        if text is None:
            return KeptTime()
        try:
            found = read_json(text)
            floor, agreed, allowance = map(found.get, ("floor", "agreed", "allowance"))
            return KeptTime(
                None if floor is None else from_rfc3339(floor),
                None if agreed is None else Agreement(*_in_boot(agreed, "utc", "boottime_s")),
                None if allowance is None else _allowance(allowance),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            _log.error("event=trust_unreadable file=time.json")
            return KeptTime()

    def keep_time(self, known: KeptTime) -> None:
        """Replace the kept knowledge of time."""
        agreed, allowance = known.agreed, known.allowance
        told = {
            "floor": known.floor and rfc3339(known.floor),
            "agreed": agreed
            and {
                "boot_id": agreed.boot_id,
                "utc": rfc3339(agreed.utc),
                "boottime_s": agreed.boottime_s,
            },
            "allowance": allowance
            and {
                "boot_id": allowance.boot_id,
                "base": rfc3339(allowance.base),
                "begun_s": allowance.begun_s,
                "reached": rfc3339(allowance.reached),
                "firm": rfc3339(allowance.firm),
            },
        }
        self._write("time.json", json.dumps(told))

    def _write(self, name: str, text: str, mode: int = _SHARED) -> None:
        write_durably(self._folder / name, text.encode(), mode, whole=True)

    def _text(self, name: str, most_bytes: int = _MOST_BYTES) -> str | None:
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(most_bytes).decode("ascii")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._tell_unreadable(name, error)
            return None

    def _tell_unreadable(self, name: str, error: Exception) -> None:
        """Log an error once: the loop asks for some of these every second."""
        words = getattr(error, "strerror", None) or str(error)
        if self._troubles.get(name) != words:
            self._troubles[name] = words
            _log.error("event=trust_unreadable file=%s error=%r", name, words)


def _in_boot(found: Any, utc: str, boottime: str) -> tuple[str, datetime, float]:
    boottime_s = found[boottime]
    if not isinstance(boottime_s, float) or not 0 <= boottime_s < _MOST_S:
        raise ValueError("no seconds since a boot")
    return str(found["boot_id"]), from_rfc3339(found[utc]), boottime_s


def _allowance(found: Any) -> GnssAllowance:
    boot_id, base, begun_s = _in_boot(found, "base", "begun_s")
    reached, firm = from_rfc3339(found["reached"]), from_rfc3339(found["firm"])
    return GnssAllowance(boot_id, begun_s, base, reached, firm)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return False
