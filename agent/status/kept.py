"""Two files that are kept for the status: written whole, for the group, and read as input.

- `run/status.json`: what capture says of the queue, for when nobody has the database open.
  A process that may only read cannot open a database without its log, and the last process to
  close the database deletes the log.
- `doctor.json`: when `doorstep doctor` last ran, and which of its checks failed.
"""

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent.errors import NotNow, StorageFault
from agent.models import from_rfc3339, rfc3339, to_the_hour
from agent.queue.disk import disk_errors, read_plain, write_durably
from agent.queue.paths import Layout
from agent.status.reading import queue_kept
from agent.status.values import DoctorPart, QueueFailed, QueuePart, plain
from hardware.foreign import read_json

SHOWN: Final = 3
"""Number of failed checks that the status names: doctor itself names all."""

_MODE: Final = 0o640
"""Mode with read access for the group."""

_LIMIT_BYTES: Final = 4_096
"""The part of the queue has some 300, all checks together have some 150."""

_CHECK: Final = re.compile(r"[a-z ]{1,13}")
"""The name of a check."""


def keep_queue(layout: Layout, queue: QueuePart | QueueFailed, now: datetime) -> None:
    """Replace the file, whole; a power cut may take it: so it does all of `run/`.

    Raises:
        StorageFault: the disk failed.
    """
    text = json.dumps({"utc": rfc3339(now), "queue": plain(queue)}).encode()
    replace_whole(layout.status_file, text, _MODE)


def replace_whole(target: Path, content: bytes, mode: int) -> None:
    """Replace a file of `run/`, whole, without a flush: `run/` is in memory.

    Raises:
        StorageFault: the disk failed.
    """
    part = target.with_suffix(".part")
    with disk_errors(f"cannot write {target}"):
        with suppress(FileNotFoundError):
            part.unlink()
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask says
            file.write(content)
        part.rename(target)


def read_queue(layout: Layout) -> QueuePart | QueueFailed:
    """Return the part of the queue, as far as it can be believed; `as_of` says when it was so.

    Raises:
        NotNow: there is no file, or none that can be read.
    """
    try:
        text = read_plain(layout.status_file, _LIMIT_BYTES)
        found = read_json(text or b"")
        told = {**found["queue"], "as_of": found["utc"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotNow("nobody has the queue open; start `doorstep capture`") from error
    return queue_kept(told)


def keep_doctor(layout: Layout, failed: Iterable[str]) -> None:
    """Replace the file, whole and durably; a user who does not own the state keeps nothing.

    A card that cannot be written is found by the check of the disk, where it matters.
    """
    found = {"utc": rfc3339(datetime.now(UTC)), "failed": list(dict.fromkeys(failed))}
    with suppress(StorageFault):
        write_durably(layout.doctor_file, json.dumps(found).encode(), _MODE, whole=True)


def read_doctor(layout: Layout) -> DoctorPart | None:
    """Return the same, as far as it can be believed; None where doctor never ran."""
    try:
        found = read_json(read_plain(layout.doctor_file, _LIMIT_BYTES) or b"")
        utc = to_the_hour(from_rfc3339(found["utc"]))
        failed = [one for one in found["failed"] if _CHECK.fullmatch(one)]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return DoctorPart(rfc3339(utc), tuple(failed[:SHOWN]))
