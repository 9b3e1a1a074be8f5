"""The files in `trust/`: capture alone writes them, whoever reads one verifies it again."""

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
from hardware.floor import Allowance

_log = logging.getLogger(__name__)

_SHARED: Final = 0o640
"""For the group to read: prune and sync verify what they find."""

_PRIVATE: Final = 0o600
"""The manifest: today's doors are nobody else's business."""

_MOST_BYTES: Final = 8_388_608
"""Nothing in the folder is as big: twice the longest manifest."""

_MOST_S: Final = 1e10
"""No machine runs for three hundred years."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """A clock and a receipt of the same boot that agree: what is past by both is past.

    Attributes:
        boot_id: the boot in which they did; in another one it says nothing.
        utc: what the earlier of the two said.
        boottime_s: CLOCK_BOOTTIME then.
    """

    boot_id: str
    utc: datetime
    boottime_s: float


@dataclass(frozen=True, slots=True)
class KeptTime:
    """What is known of time across restarts.

    Attributes:
        floor: None where it was never kept.
        agreed: None where nothing has agreed yet.
        allowance: how far GNSS may raise the floor; None where it did not alone.
    """

    floor: datetime | None = None
    agreed: Agreed | None = None
    allowance: Allowance | None = None


class TrustStore:
    """Each method is durable when it returns; a power cut before that leaves what was there.

    What cannot be read counts as not there, with a line in the log. Those that write raise
    StorageFault.
    """

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.trust

    def fleet(self) -> tuple[str, ...]:
        """The fleet document and the links to its key (`agent.trust.fleet`), unverified."""
        return tuple((self._text("fleet.jws") or "").split())

    def keep_fleet(self, tokens: tuple[str, ...]) -> None:
        """Replace them."""
        self._write("fleet.jws", "\n".join(tokens))

    def manifest(self) -> str | None:
        """The manifest in hand, unverified."""
        return self._text("manifest.jws")

    def manifest_version(self) -> int | None:
        """Of the newest that was ever in hand; it stays when the manifest is wiped."""
        text = self._text("manifest.version")
        try:
            return None if text is None else int(text)
        except ValueError:
            _log.error("event=trust_unreadable file=manifest.version")
            return None

    def keep_manifest(self, token: str, version: int) -> None:
        """Put this one in hand; the one before is overwritten where it lay.

        The version first: after a cut in between an older one is not taken in again.
        """
        self._write("manifest.version", str(version))
        with _overwriting(self._folder / "manifest.jws"):
            self._write("manifest.jws", token, _PRIVATE)

    def wipe_manifest(self) -> None:
        """Overwrite and delete the one in hand; its version stays.

        What a flash card keeps of old blocks is beyond a program.
        """
        with _overwriting(self._folder / "manifest.jws"), disk_errors("cannot wipe the manifest"):
            (self._folder / "manifest.jws").unlink(missing_ok=True)
            sync_folder(self._folder)

    def evidence(self) -> bytes | None:
        """The evidence certificate and what leads to its root, PEM, unverified."""
        text = self._text("evidence.pem")
        return None if text is None else text.encode()

    def keep_evidence(self, pem: bytes) -> None:
        """Replace it."""
        self._write("evidence.pem", pem.decode())

    def time(self) -> KeptTime:
        """What is known of time."""
        text = self._text("time.json")
        if text is None:
            return KeptTime()
        try:
            found = json.loads(text)
            floor, agreed, allowance = map(found.get, ("floor", "agreed", "allowance"))
            return KeptTime(
                floor and from_rfc3339(floor),
                agreed and Agreed(*_in_boot(agreed, "utc", "boottime_s")),
                allowance and _allowance(*_in_boot(allowance, "base", "begun_s")),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            _log.error("event=trust_unreadable file=time.json")
            return KeptTime()

    def keep_time(self, known: KeptTime) -> None:
        """Replace it."""
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
            },
        }
        self._write("time.json", json.dumps(told))

    def _write(self, name: str, text: str, mode: int = _SHARED) -> None:
        write_durably(self._folder / name, text.encode(), mode, whole=True)

    def _text(self, name: str) -> str | None:
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(_MOST_BYTES).decode("ascii")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.error("event=trust_unreadable file=%s error=%r", name, str(error))
            return None


def _in_boot(found: Any, utc: str, boottime: str) -> tuple[str, datetime, float]:
    boottime_s = found[boottime]
    if not isinstance(boottime_s, float) or not 0 <= boottime_s < _MOST_S:
        raise ValueError("no seconds since a boot")
    return str(found["boot_id"]), from_rfc3339(found[utc]), boottime_s


def _allowance(boot_id: str, base: datetime, begun_s: float) -> Allowance:
    return Allowance(boot_id, begun_s, base)


class _overwriting:  # noqa: N801 - reads as a verb in a with
    """Overwrite with zeros, in place, what `path` holds now, once the block has replaced it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        with suppress(FileNotFoundError):
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW)

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        if self._descriptor is None:
            return
        try:
            if kind is None:
                with disk_errors("cannot overwrite the old manifest"):
                    os.pwrite(self._descriptor, bytes(os.fstat(self._descriptor).st_size), 0)
                    os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
