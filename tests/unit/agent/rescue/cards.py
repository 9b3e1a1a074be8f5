"""Cards of dead devices: real ext4 file systems in files, made of folders."""

import hashlib
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.device import REPOSITORY
from tests.support.factory import Made, RecordMaker

SECTOR_BYTES: Final = 512
FIRST_SECTOR: Final = 2_048


def rescue(*words: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`doorstep rescue WORDS` as a process."""
    return subprocess.run(
        [*command(), *map(str, words)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
    )


def command() -> list[str]:
    return [sys.executable, "-m", "agent", "rescue"]


def state(folder: Path, *records: Made) -> Path:
    """A state's folders, with these records in it."""
    for name in ("records", "torn", "trust", "keys", "queue"):
        (folder / name).mkdir(parents=True)
    for one in records:
        one.into(folder / "records")
    return folder


def file_system(
    folder: Path, image: Path, size_mb: int = 16, label: str = "doorstep-state"
) -> Path:
    """Write an ext4 with the content of `folder` into a file."""
    words = ["mkfs.ext4", "-q", "-F", "-L", label, "-d", str(folder), str(image), f"{size_mb}M"]
    subprocess.run(words, check=True)
    return image


def state_card(folder: Path, *records: Made) -> Path:
    """The file system of a state with these records, in a file in `folder`."""
    return file_system(state(folder / "state", *records), folder / "card.img")


def card(image: Path, *partitions: Path) -> Path:
    """A whole card: a table in the manner of a Pi's (MBR), and behind it what is in these files."""
    table, sector = bytearray(SECTOR_BYTES), FIRST_SECTOR
    with image.open("wb") as file:
        for number, partition in enumerate(partitions):
            content = partition.read_bytes()
            sectors = -(-len(content) // SECTOR_BYTES)
            entry = struct.pack("<B3sB3sII", 0, b"\0\0\0", 0x83, b"\0\0\0", sector, sectors)
            table[446 + 16 * number : 462 + 16 * number] = entry
            file.seek(sector * SECTOR_BYTES)
            file.write(content)
            sector += sectors
        table[510:] = b"\x55\xaa"
        file.seek(0)
        file.write(table)
    return image


def some(count: int, photo: bytes = b"\xff\xd8 no real picture \xff\xd9") -> list[Made]:
    maker = RecordMaker()
    return [maker.make(photo=photo) for _ in range(count)]


def saved(folder: Path) -> Mapping[str, bytes]:
    """Return the contents of the files there, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def contents(*records: Made) -> Mapping[str, bytes]:
    return {f"{one.label.capture_id}.rec": one.content for one in records}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
