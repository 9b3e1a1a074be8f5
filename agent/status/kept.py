"""`run/status.json`: what capture says of the queue, for when nobody has the database open.

Whoever may only read cannot open a database whose log is not there: the last process to close it
took that away.
"""

import json
import os
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from agent.errors import NotNow
from agent.models import rfc3339
from agent.queue.disk import disk_errors, read_plain
from agent.queue.paths import Layout

_MODE: Final = 0o640
"""For the group to read."""

_LIMIT_BYTES: Final = 4_096
"""The part of the queue has some 300."""


def keep(layout: Layout, queue: dict[str, Any], now: datetime) -> None:
    """Replace the file, whole; a power cut may take it: so it does all of `run/`.

    Raises:
        StorageFault: the disk failed.
    """
    text = json.dumps({"utc": rfc3339(now), "queue": queue}).encode()
    part = layout.status_file.with_suffix(".part")
    with disk_errors(f"cannot write {layout.status_file}"):
        with suppress(FileNotFoundError):
            part.unlink()
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _MODE)  # whatever the umask says
            file.write(text)
        part.rename(layout.status_file)


def read(layout: Layout) -> dict[str, Any]:
    """The part of the queue, and in `as_of` when it was so; unverified.

    Raises:
        NotNow: there is none, or none that can be read.
    """
    try:
        text = read_plain(layout.status_file, _LIMIT_BYTES)
        found = json.loads(text or b"")
        return {**found["queue"], "as_of": found["utc"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotNow("nobody has the queue open; start `doorstep capture`") from error
