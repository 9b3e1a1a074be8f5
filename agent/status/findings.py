"""`doctor.json`: when `doorstep doctor` last ran, and which of its checks failed."""

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from agent.errors import StorageFault
from agent.models import from_rfc3339, rfc3339, to_the_hour
from agent.queue.disk import read_plain, write_durably
from agent.queue.paths import Layout

SHOWN: Final = 3
"""How many checks the status names: doctor itself names all."""

_MODE: Final = 0o640
"""For the group to read."""

_LIMIT_BYTES: Final = 4_096
"""All checks together have some 150."""

_CHECK: Final = re.compile(r"[a-z ]{1,13}")
"""The name of a check."""


def keep(layout: Layout, failed: Iterable[str]) -> None:
    """Replace the file, whole and durably; whoever does not own the state keeps nothing.

    A card that cannot be written is found by the check of the disk, where it matters.
    """
    found = {"utc": rfc3339(datetime.now(UTC)), "failed": list(dict.fromkeys(failed))}
    with suppress(StorageFault):
        write_durably(layout.doctor_file, json.dumps(found).encode(), _MODE, whole=True)


def read(layout: Layout) -> dict[str, Any] | None:
    """The same for a status, as far as it can be believed; None where doctor never ran."""
    try:
        found = json.loads(read_plain(layout.doctor_file, _LIMIT_BYTES) or b"")
        utc = to_the_hour(from_rfc3339(found["utc"]))
        failed = [one for one in found["failed"] if _CHECK.fullmatch(one)]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return {"utc": rfc3339(utc), "failed": failed[:SHOWN]}
