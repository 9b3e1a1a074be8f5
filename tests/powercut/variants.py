"""Changes to the product, made from outside: broken ones that the rig must catch, and a candidate.

A rig that cannot fail proves nothing.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent import database, journal, storage, wiring
from agent.outbox import Outbox
from hardware.indicator import Signal
from tests.agent.benchtop import SetLight

Kind = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Variant:
    """Attributes:
    change: makes the change, for the rest of this process.
    scenario: where it is tried.
    what: in words.
    """

    change: Callable[[], None]
    scenario: str
    what: str


def _without_fsync(is_left_out: Kind) -> None:
    fsync = os.fsync

    def some(descriptor: int) -> None:
        if not is_left_out(os.fstat(descriptor).st_mode):
            fsync(descriptor)

    os.fsync = some  # type: ignore[assignment]  # the product's own calls; SQLite makes its own


def _without_file_fsync() -> None:
    _without_fsync(stat.S_ISREG)


def _without_folder_fsync() -> None:
    _without_fsync(stat.S_ISDIR)


def _synchronous_normal() -> None:
    opened = database._open

    def normal(path: Path, *, migrates: bool) -> database.Connection:
        connection = opened(path, migrates=migrates)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    database._open = normal


def _green_before_the_row() -> None:
    add, show = Outbox.add, SetLight.show
    late: list[Callable[[], None]] = []

    def add_later(outbox: Outbox, *words: Any, **named: Any) -> None:
        late.append(lambda: add(outbox, *words, **named))

    def show_first(light: SetLight, signal: Signal) -> None:
        show(light, signal)
        while late:
            late.pop(0)()

    Outbox.add = add_later  # type: ignore[method-assign]  # as above
    SetLight.show = show_first  # type: ignore[method-assign]  # as above


def _green_before_the_file() -> None:
    """Both the file and its row come after the light."""
    write = storage.write_durably
    show = SetLight.show
    add = Outbox.add
    late: list[Callable[[], None]] = []

    def write_later(target: Path, content: bytes, mode: int = storage.FILE_MODE) -> None:
        late.append(lambda: write(target, content, mode))

    def add_later(outbox: Outbox, *words: Any, **named: Any) -> None:
        late.append(lambda: add(outbox, *words, **named))

    def show_first(light: SetLight, signal: Signal) -> None:
        show(light, signal)
        while late:
            late.pop(0)()

    journal.write_durably = write_later
    Outbox.add = add_later  # type: ignore[method-assign]  # as above
    SetLight.show = show_first  # type: ignore[method-assign]  # as above


def rename_first(target: Path, content: bytes, mode: int = storage.FILE_MODE) -> None:
    """The candidate: rename, then one fsync of the file, which on ext4 commits the rename too."""
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        part.rename(target)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename_first() -> None:
    journal.write_durably = wiring.write_durably = rename_first


BROKEN: Final = {
    "no-file-fsync": Variant(_without_file_fsync, "capture", "no fsync of the file"),
    "no-folder-fsync": Variant(
        _without_folder_fsync, "capture", "no fsync of the folder, write-ahead log grown"
    ),
    "no-folder-fsync-prune": Variant(
        _without_folder_fsync, "prune", "no fsync of the folder before files are marked deleted"
    ),
    "synchronous-normal": Variant(_synchronous_normal, "capture", "PRAGMA synchronous = NORMAL"),
    "synchronous-normal-sync": Variant(
        _synchronous_normal, "sync", "PRAGMA synchronous = NORMAL while sending"
    ),
    "green-before-row": Variant(_green_before_the_row, "capture", "green before the row"),
    "green-before-file": Variant(_green_before_the_file, "capture", "green before the file"),
}
"""Each loses or invents something at a power cut."""

CANDIDATES: Final = {
    "rename-first": Variant(_rename_first, "capture", "rename, then fsync(file) only; ext4"),
}
"""Cheaper paths that would be right."""
