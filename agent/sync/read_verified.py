"""Reads a record file again before it is sent: some cards return other bytes than were written."""

import hashlib
from pathlib import Path

from agent.models import Item
from agent.queue.disk import read_plain
from agent.sync.outcome import Damaged, Deferred


def read_verified(path: Path, item: Item) -> bytes | Damaged | Deferred:
    """Return the file's bytes, if they are the queued ones.

    An error of the disk only defers: it may be over next time, and the bytes be right. So does a
    link: it is not followed, and capture's next sweep moves it.
    """
    try:
        content, size = read_plain(path, item.bytes + 1), path.lstat().st_size
    except FileNotFoundError:
        return Damaged("its file is missing")
    except OSError as error:
        return Deferred(f"its file cannot be read: {error.strerror}")
    if content is None:
        return Deferred("its file cannot be read: a link or a folder is in its place")
    if len(content) != item.bytes:
        return Damaged(f"its file has {size} bytes, {item.bytes} were queued")
    if hashlib.sha256(content).hexdigest() != item.sha256:
        return Damaged("its file holds other bytes than were queued")
    return content
