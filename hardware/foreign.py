"""The one reader of bytes that another program or a person wrote: JSON, and files with a limit."""

import json
import math
import os
from pathlib import Path
from typing import Any, BinaryIO, Final

SMALL_BYTES: Final = 1_048_576
"""Longest file of keys, certificates or settings that is read: a thousand certificates."""

DEPTH_MOST: Final = 64
"""Deepest nesting that is read: all documents here have fewer than ten levels.

Python's own limit depends on how deeply the reader was called, so the text of a document that it
had read could be too deep to be written again.
"""


def read_json(text: bytes | str, *, strict: bool = True) -> Any:
    """Parse JSON in the one way that every reader agrees on.

    Args:
        text: whole; the caller has limited its length.
        strict: False accepts a name twice, NaN and infinities, as some programs write them.

    Raises:
        ValueError: not UTF-8, not JSON, nested too deeply; or a name twice in one object, NaN or
            an infinity.
    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        raise ValueError("not text (UTF-8)") from None
    hooks: dict[str, Any] = (
        {"object_pairs_hook": _unique, "parse_float": _finite, "parse_constant": _finite}
        if strict
        else {}
    )
    try:
        found = json.loads(decoded, **hooks)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if decoded.count("[") + decoded.count("{") > DEPTH_MOST:
        _check_depth(found)
    return found


def _check_depth(found: Any) -> None:
    level = [found]
    for _ in range(DEPTH_MOST):
        members = [one.values() if isinstance(one, dict) else one for one in level]
        level = [one for each in members for one in each if isinstance(one, dict | list)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a number in JSON")
    return number


def read_file(path: Path, limit_bytes: int) -> bytes:
    """Read a file that a command line or a configuration names.

    A pipe is read until its writers close it, and a pipe without a writer is not waited for.

    Raises:
        OSError: it cannot be read.
        ValueError: it is longer than the limit, or a pipe that is empty.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size  # 0 of a pipe and of a device
        content = read_whole(file, limit_bytes, size)
    if not content and path.is_fifo():
        raise ValueError("a pipe into which no program has written")
    return content


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading without waiting for the writer of a pipe; raise OSError."""
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    os.set_blocking(file.fileno(), True)
    return file


def read_whole(file: BinaryIO, limit_bytes: int, size_bytes: int = 0) -> bytes:
    """Read an open file to its end; a known size saves memory. Raises as `read_file` does."""
    content = file.read(1 + min(limit_bytes, size_bytes or limit_bytes))
    if len(content) > limit_bytes:
        raise ValueError(f"longer than {limit_bytes:,} bytes")
    return content


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # else a pipe without a writer is waited for
