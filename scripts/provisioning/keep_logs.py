"""Keeps what a device's collect.sh gave: `keep_logs.py FILE`, in base64 from standard input.

A device may be taken over, or broken: what it gave is kept only where it is an archive of the
parts that are known, of a size that can be.
"""

import base64
import io
import os
import sys
import tarfile
import zlib
from pathlib import Path

NOTHING_KEPT = 1

PARTS = frozenset(
    f"logs/{name}"
    for name in (
        "clock.txt",
        "disk.txt",
        "doctor.json",
        "doorstep.log",
        "kernel.log",
        "machine.txt",
        "status.json",
        "units.txt",
        "versions.txt",
    )
)

PART_BYTES = 2_000_000
"""Largest part, as collect.sh cuts it."""


TAR_BYTES = 20_000
"""Bytes that tar adds to a part, and at its end; a multiple of the real number."""

GZIP = 16
"""To zlib: with gzip's header. Source: zlib.h, inflateInit2."""


class NoLogs(ValueError):
    """An answer that collect.sh does not give."""


def archive(given: str) -> bytes:
    """Check the archive, and return it.

    Raises:
        NoLogs: it is no archive, or holds something else.
    """
    if len(given) > len(PARTS) * PART_BYTES * 2:
        raise NoLogs("it gave more than logs can be")
    try:
        packed = base64.b64decode("".join(given.split()), validate=True)
        with tarfile.open(fileobj=io.BytesIO(_unpacked(packed)), mode="r:") as tar:
            _look_through(tar)
    except (ValueError, zlib.error, tarfile.TarError) as error:
        raise NoLogs(f"it gave something else than logs: {error or 'nothing'}") from error
    return packed


def _unpacked(packed: bytes) -> bytes:
    """Unpack no more than logs can be: some kilobytes may unpack without an end."""
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | GZIP)
    found = unpacking.decompress(packed, len(PARTS) * (PART_BYTES + TAR_BYTES))
    if not unpacking.eof:
        raise NoLogs("more than logs can be" if unpacking.unconsumed_tail else "it is cut off")
    if unpacking.unused_data:
        raise NoLogs("another archive stands behind it")
    return found


def _look_through(tar: tarfile.TarFile) -> None:
    found = set()
    for member in tar:
        if member.isdir() and member.name == "logs":
            continue
        known = member.isfile() and member.name in PARTS - found
        if not known or member.size > PART_BYTES:
            raise NoLogs(f"{member.name!r} is no part of them")
        found.add(member.name)
    if missing := PARTS - found:
        raise NoLogs(f"{', '.join(sorted(missing))} is missing")


def main(place: str) -> int:
    """Keep it whole, readable by this user alone, or say in one sentence why not."""
    try:
        packed = archive(sys.stdin.read())
    except NoLogs as error:
        sys.stderr.write(f"{error}; try again, or look at the device itself\n")
        return NOTHING_KEPT
    part = Path(f"{place}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(packed)
    part.replace(place)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
