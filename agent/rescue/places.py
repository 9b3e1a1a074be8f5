"""The place of the state in a mounted file system; links on a card are never followed."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.config import StateSettings

STATE: Final = StateSettings().dir.parts[1:]
"""On a provisioned device, below the root."""

IMAGE: Final = (*STATE[:-1], "doorstep.ext4")
"""A file that is the state's file system.

Source: scripts/provisioning/roles/doorstep_state/files/state-file-system.sh.
"""


def is_state(folder: Path) -> bool:
    """Return True if the agent left this folder: records, and one more of its folders."""
    others = ("queue", "trust", "keys")
    return _is(folder / "records", stat.S_ISDIR) and any(
        _is(folder / name, stat.S_ISDIR) for name in others
    )


def state_below(root: Path) -> Path | None:
    """Return the state in this file system: its root, or a folder in a device's root."""
    if is_state(root):
        return root
    found = below(root, *STATE)
    return found if found is not None and is_state(found) else None


def below(root: Path, *parts: str) -> Path | None:
    """Return a folder, each part of its path a plain one; None if it is missing."""
    for part in parts:
        root /= part
        if not _is(root, stat.S_ISDIR):
            return None
    return root


@contextmanager
def image_below(root: Path) -> Iterator[int | None]:
    """Yield a descriptor of the state's file in a device's root; None if it is missing."""
    folder = below(root, *IMAGE[:-1])
    if folder is None or not _is(folder / IMAGE[-1], stat.S_ISREG):
        yield None
        return
    descriptor = os.open(folder / IMAGE[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is(path: Path, is_kind: Callable[[int], bool]) -> bool:
    try:
        return is_kind(path.lstat().st_mode)
    except OSError:
        return False
