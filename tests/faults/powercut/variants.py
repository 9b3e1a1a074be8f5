"""Changes to the product, made from outside: some must break nothing, the others must be caught.

A rig that cannot fail proves nothing.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from agent.capture import record_writer
from agent.command import retire
from agent.identity import tls_identity
from agent.models import CaptureId
from agent.queue import database, disk, retention
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.trust import store
from hardware.indicator import Signal
from tests.support.benchtop import SetLight
from tests.system.machines.trial import part


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
    name = "open_database"
    opened = getattr(database, name)

    def normal(path: Path, *, migrates: bool, patience_s: float) -> database.Connection:
        connection: database.Connection = opened(path, migrates=migrates, patience_s=patience_s)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    _put(database, name, normal)


def _after_the_light(*calls: tuple[object, str]) -> None:
    """Put calls off until the driver has seen that the record is kept."""
    late: list[Callable[[], Any]] = []
    show = SetLight.show

    def put_off(call: Callable[..., Any]) -> Callable[..., None]:
        return lambda *words, **named: late.append(partial(call, *words, **named))

    def show_first(light: SetLight, signal: Signal, *, silent: bool = False) -> None:
        show(light, signal, silent=silent)
        while late:
            late.pop(0)()

    for owner, name in calls:
        _put(owner, name, put_off(getattr(owner, name)))
    _put(SetLight, "show", show_first)


def _flush_portably() -> None:
    """As on a file system that is not known to make names durable with their file."""
    _put(disk, "flushes_names", lambda _folder: False)


def _commit_each_name() -> None:
    """Flush after each rename and deletion: ext4's timer may do so between any two of them."""
    for name in ("rename", "replace", "symlink_to", "unlink"):
        _put(Path, name, _committed(getattr(Path, name)))
    _put(os, "unlink", _committed_in(os.unlink))


def _committed(call: Callable[..., Any]) -> Callable[..., Any]:
    def committed(path: Path, *words: Any, **named: Any) -> Any:
        result = call(path, *words, **named)
        disk.sync_folder(path.parent)
        return result

    return committed


def _committed_in(unlink: Callable[..., None]) -> Callable[..., None]:
    """Return an `unlink` that flushes after each deletion in an open folder."""

    def committed(path: Path | str, *, dir_fd: int | None = None) -> None:
        unlink(path, dir_fd=dir_fd)
        if dir_fd is not None:
            os.fsync(dir_fd)

    return committed


def _wipe_unflushed() -> None:
    """Overwrite a manifest before it has lost its name for good."""
    _put(store, "sync_folder", lambda _folder: None)


def _ask_with_unkept_key() -> None:
    """Ask for a certificate before the new key is durable."""

    def unkept(target: Path, content: bytes, mode: int, *, whole: bool) -> None:
        if target.name == "next-key.pem":
            target.write_bytes(content)
        else:
            plain(target, content, mode, whole=whole)

    plain = vars(tls_identity)["write_durably"]
    _put(tls_identity, "write_durably", unkept)


def _flush_no_trial() -> None:
    """Leave out the flush that makes the names of a trial's links durable."""
    _put(part("release"), "flush", lambda _folder: None)


def _use_before_previous() -> None:
    """Put a release in place, and note the previous release only then."""
    release = part("release")

    def begin(places: Any, tried: Path) -> None:
        before = places.current.readlink()
        release.keep_units(places, before)
        release.use(places, tried)
        release.lead(places.previous, before)

    _put(release, "begin", begin)


def _mark_after_configuration() -> None:
    """Remove the configuration before the mark says what is to be wiped."""
    rename, late = Path.rename, list[Callable[[], Any]]()

    def keep(*words: Any) -> None:
        late.append(partial(kept, *words))

    def renamed(path: Path, target: Path) -> Path:
        there = rename(path, target)
        if path.name == "config.toml":
            late.pop()()
            _put(retire, "_keep", kept)
        return there

    kept = vars(retire)["_keep"]
    _put(retire, "_keep", keep)
    _put(Path, "rename", renamed)


def _delete_without_receipt() -> None:
    """Delete every record, as if each had a receipt of long ago."""

    def all_records(layout: Layout) -> list[CaptureId]:
        return sorted(CaptureId(path.stem) for path in layout.records.iterdir())

    _put(retention, "_receipts", all_records)
    _put(retention, "_is_past", lambda *_words: True)
    _put(retention, "_is_proven", lambda *_words: True)


def _adopt_unverified() -> None:
    """Believe the label, and leave the body unread."""

    def label_only(content: bytes) -> recordfile.CheckedRecord:
        line, _, body = content.partition(b"\n")
        label, key = recordfile.open_label(line)
        return recordfile.CheckedRecord(label, recordfile.label_digest(content), key, body)

    _put(recordfile, "check", label_only)


def _both(*changes: Callable[[], None]) -> None:
    for change in changes:
        change()


def _put(owner: object, name: str, what: object) -> None:
    """Replace a function of the product."""
    assert hasattr(owner, name), f"the product has no {name} any more"
    setattr(owner, name, what)


_ROW: Final = (Outbox, "add")
_FILE: Final = (record_writer, "write_durably")

_WITHOUT_FILE: Final = partial(_without_fsync, stat.S_ISREG)
_WITHOUT_FOLDER: Final = partial(_without_fsync, stat.S_ISDIR)

SOUND: Final = {
    "portable": Variant(_flush_portably, ("capture", "restart", "rebuild", "first_start")),
    "commits": Variant(
        _commit_each_name,
        (
            *("capture", "prune", "rebuild", "restart", "first_start", "trust"),
            *("enrolment", "renewal", "retirement", "update"),
        ),
    ),
}
"""Each keeps every promise."""

BROKEN: Final = {
    "no-file-fsync": Variant(_WITHOUT_FILE, ("capture",)),
    "no-file-fsync-portable": Variant(partial(_both, _flush_portably, _WITHOUT_FILE), ("capture",)),
    "no-folder-fsync-portable": Variant(
        partial(_both, _flush_portably, _WITHOUT_FOLDER), ("capture",)
    ),
    "no-folder-fsync-prune": Variant(_WITHOUT_FOLDER, ("prune",)),
    "delete-without-receipt": Variant(_delete_without_receipt, ("prune",)),
    "no-folder-fsync-full": Variant(_WITHOUT_FOLDER, ("full",)),
    "synchronous-normal": Variant(_synchronous_normal, ("capture",)),
    "synchronous-normal-sync": Variant(_synchronous_normal, ("sync",)),
    "green-before-row": Variant(partial(_after_the_light, _ROW), ("capture",)),
    "green-before-file": Variant(partial(_after_the_light, _FILE, _ROW), ("capture",)),
    "wipe-unflushed": Variant(_wipe_unflushed, ("trust",)),
    "no-folder-fsync-trust": Variant(_WITHOUT_FOLDER, ("trust",)),
    "adopt-unverified": Variant(_adopt_unverified, ("restart",)),
    "no-file-fsync-sealed": Variant(_WITHOUT_FILE, ("sealed",)),
    "green-before-row-sealed": Variant(partial(_after_the_light, _ROW), ("sealed",)),
    "no-file-fsync-enrolment": Variant(_WITHOUT_FILE, ("enrolment",)),
    "ask-with-unkept-key": Variant(_ask_with_unkept_key, ("enrolment",)),
    "no-file-fsync-renewal": Variant(_WITHOUT_FILE, ("renewal",)),
    "no-folder-fsync-renewal": Variant(_WITHOUT_FOLDER, ("renewal",)),
    "no-file-fsync-retirement": Variant(_WITHOUT_FILE, ("retirement",)),
    "no-folder-fsync-retirement": Variant(_WITHOUT_FOLDER, ("retirement",)),
    "mark-after-configuration": Variant(_mark_after_configuration, ("retirement",)),
    "no-file-fsync-update": Variant(_WITHOUT_FILE, ("update",)),
    "no-folder-fsync-update": Variant(_flush_no_trial, ("update",)),
    "use-before-previous": Variant(_use_before_previous, ("update",)),
}
"""Each loses or invents something at a power cut."""
