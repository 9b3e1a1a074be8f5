"""Changes to the product, made from outside: broken ones that the rig must catch, and a candidate.

A rig that cannot fail proves nothing.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from agent import database, journal, storage, wiring
from agent.outbox import Outbox
from hardware.indicator import Signal
from tests.agent.benchtop import SetLight


@dataclass(frozen=True, slots=True)
class Variant:
    """A change of the product.

    Attributes:
        change: makes it, for the rest of this process.
        scenarios: where it is tried.
    """

    change: Callable[[], None]
    scenarios: tuple[str, ...]


def _without_fsync(is_left_out: Callable[[int], bool]) -> None:
    """For the product's own calls; SQLite makes its own."""
    fsync = os.fsync

    def some(descriptor: int) -> None:
        if not is_left_out(os.fstat(descriptor).st_mode):
            fsync(descriptor)

    _put(os, "fsync", some)


def _synchronous_normal() -> None:
    name = "_open"
    opened = getattr(database, name)

    def normal(path: Path, *, migrates: bool) -> database.Connection:
        connection: database.Connection = opened(path, migrates=migrates)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    _put(database, name, normal)


def _after_the_light(*calls: tuple[object, str]) -> None:
    """Put calls off until the driver has seen that the record is kept."""
    late: list[Callable[[], Any]] = []
    show = SetLight.show

    def put_off(call: Callable[..., Any]) -> Callable[..., None]:
        return lambda *words, **named: late.append(partial(call, *words, **named))

    def show_first(light: SetLight, signal: Signal) -> None:
        show(light, signal)
        while late:
            late.pop(0)()

    for owner, name in calls:
        _put(owner, name, put_off(getattr(owner, name)))
    _put(SetLight, "show", show_first)


def _rename_first() -> None:
    for module in (journal, wiring):
        _put(module, "write_durably", rename_first)


def rename_first(target: Path, content: bytes, mode: int = storage.FILE_MODE) -> None:
    """Rename, then one fsync of the file: on ext4 its commit of the journal has the rename too."""
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


def _put(owner: object, name: str, what: object) -> None:
    """Replace a function of the product."""
    assert hasattr(owner, name), f"the product has no {name} any more"
    setattr(owner, name, what)


_ROW: Final = (Outbox, "add")
_FILE: Final = (journal, "write_durably")

BROKEN: Final = {
    "no-file-fsync": Variant(partial(_without_fsync, stat.S_ISREG), ("capture",)),
    "no-folder-fsync": Variant(partial(_without_fsync, stat.S_ISDIR), ("capture",)),
    "no-folder-fsync-prune": Variant(partial(_without_fsync, stat.S_ISDIR), ("prune",)),
    "synchronous-normal": Variant(_synchronous_normal, ("capture",)),
    "synchronous-normal-sync": Variant(_synchronous_normal, ("sync",)),
    "green-before-row": Variant(partial(_after_the_light, _ROW), ("capture",)),
    "green-before-file": Variant(partial(_after_the_light, _FILE, _ROW), ("capture",)),
}
"""Each loses or invents something at a power cut."""

CANDIDATES: Final = {
    "rename-first": Variant(_rename_first, ("capture", "void", "restart", "first_start")),
}
"""Cheaper paths that would be right."""
