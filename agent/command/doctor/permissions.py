"""Check of the owners and modes that keep the processes apart in the state folder."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.queue.opening import parts
from agent.queue.paths import Layout

_REMEDY: Final = "on a device `systemd-tmpfiles --create` as root does it"


def wrong(layout: Layout) -> Iterator[str]:
    """Yield each wrong owner or mode with its remedy, to the owner of `queue/`.

    Another user gets none, and a missing file is not reported.
    """
    with suppress(OSError):
        owner = layout.queue.stat().st_uid
        if owner == os.geteuid():
            for path, mode in (*layout.folders(), *layout.files()):
                if words := _amiss(path, mode, owner if _is_captures(layout, path) else None):
                    yield f"{path}: {words}; {_REMEDY}"
            yield from _closed(layout)


def _is_captures(layout: Layout, path: Path) -> bool:
    """Return True for all except those of sync and serve."""
    others = (layout.sync_keys, layout.serve_keys, layout.sync_socket.parent)
    return path not in others


def _amiss(path: Path, mode: int, owner: int | None) -> str | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    if stat.S_ISLNK(found.st_mode):
        return "a link, which nobody of Doorstep makes; look where it leads, and remove it"
    if owner is not None and found.st_uid != owner:
        return f"belongs to user {found.st_uid}; `chown {owner} {path}`"
    if stat.S_IMODE(found.st_mode) != mode:
        return f"has mode {stat.S_IMODE(found.st_mode):o}; `chmod {mode:o} {path}`"
    return None


def _closed(layout: Layout) -> Iterator[str]:
    """Report a closed log or key: the log may be another user's, a key may not."""
    wanted = dict.fromkeys(parts(layout.database)[:2], os.R_OK | os.W_OK)
    wanted |= dict.fromkeys(layout.capture_keys.glob("*.pem"), os.R_OK)
    for path, access in wanted.items():
        if path.exists() and not os.access(path, access, effective_ids=True):
            yield f"{path}: its owner may not read or write it; `chmod u+rw {path}`"
