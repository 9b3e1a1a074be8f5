"""Contradictions of rows and objects: after a crash, or once one of the two was restored."""

import argparse
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from agent.errors import RecordDamaged
from agent.record import file as recordfile
from doorstep_backend import keys
from doorstep_backend.commandline import add_command, add_group
from doorstep_backend.engines.objects import Changed, Missing
from doorstep_backend.identity.fleet import KeyFiles
from doorstep_backend.identity.register import Register
from doorstep_backend.office import archive
from doorstep_backend.office.model import Office
from doorstep_backend.wire.intake import Intake, NotVouchedError
from doorstep_backend.wire.store import Store, Upload, UploadExistsError


class _LeftError(ValueError):
    """Why an object stays a stray, in words."""


def add_to(commands: Any) -> None:
    """Add the command `objects` to the subcommands of a parser."""
    what = add_group(commands, "objects", "find differences between rows and objects", "stray")
    stray = add_command(what, "stray", "list objects without a known upload", "--adopt")
    how = stray.add_mutually_exclusive_group()
    how.add_argument(
        "--adopt",
        action="store_true",
        help="make the rows of these records again, after a database was lost",
    )
    how.add_argument(
        "--delete",
        action="store_true",
        help="delete these objects for good; never do this after a database was restored",
    )
    returned = add_command(
        what, "returned", "list erased records whose objects came back", "--delete"
    )
    returned.add_argument("--delete", action="store_true", help="erase these records again")


def run(options: argparse.Namespace, office: Office) -> Iterator[str]:
    """Carry out the command; return line by line what to print.

    The backend may serve meanwhile: what begins until its turn comes is left alone. Interrupted,
    run it again.
    """
    store = office.store
    if options.what == "returned":
        back = (one for one in store.objects.bodies() if _was_erased(office, one))
        what, erase = "captures that were erased and are there again", partial(_erase, office)
        return _listed(back, what, erase if options.delete else None)
    if options.adopt:
        return _adopt(office)
    what, lose = "captures with objects and without an upload", partial(_lose, store)
    return _listed(_orphans(store), what, lose if options.delete else None)


def _orphans(store: Store) -> Iterator[str]:
    """Yield stray ids. An upload that begins meanwhile is not stray: its row comes first."""
    return (capture_id for capture_id in store.objects.ids() if store.find(capture_id) is None)


def _without_receipt(store: Store) -> Iterator[str]:
    """Yield ids of records whose upload is there without a receipt.

    The upload was begun before a time to which the database was restored, and accepted after it.
    """
    for capture_id in store.begun.all():
        verdict = store.verdict(capture_id)
        if (verdict is None or not verdict.accepted) and _has_body(store, capture_id):
            yield capture_id


def _has_body(store: Store, capture_id: str) -> bool:
    """Return True if there is a body, also a changed one, which is reported."""
    try:
        store.objects.found(capture_id)
    except Changed:
        return True
    except Missing:
        return False
    return True


def _was_erased(office: Office, capture_id: str) -> bool:
    if office.filing.is_erased(capture_id):
        return True
    if office.store.find(capture_id) is not None:
        return False
    try:
        label, _ = recordfile.open_label(office.store.line(capture_id))
    except (Missing, RecordDamaged):
        return False
    return label.capture_id == capture_id and archive.has(office.ledger, label)


def _erase(office: Office, capture_id: str) -> bool:
    """Erase a capture; of one that is in an archive, the label too: it is there."""
    if not office.filing.is_erased(capture_id):
        return _lose(office.store, capture_id)
    office.store.erase(capture_id)
    return True


def _lose(store: Store, capture_id: str) -> bool:
    """Delete objects under a row of their own: a device that sends it again waits, or has begun."""
    try:
        with store.db.transaction():
            store.create(Upload(capture_id, 0, "", ""))
            store.lose(capture_id)
    except UploadExistsError:
        return False
    return True


def _listed(found: Iterable[str], what: str, delete: Callable[[str], bool] | None) -> Iterator[str]:
    """List the captures, without those that `delete` says no to, and their number last."""
    count = 0
    for capture_id in found:
        if delete is not None and not delete(capture_id):
            continue
        count += 1
        yield capture_id
    yield f"{what}: {count}; " + ("deleted" if delete else "nothing was deleted: --delete does")


def _adopt(office: Office) -> Iterator[str]:
    folder = office.store.folder
    key = keys.KeyInUse(KeyFiles(folder).signs)
    intake = Intake(office.store, key, office, Register(folder))
    taken = left = 0
    for capture_id in chain(_orphans(office.store), _without_receipt(office.store)):
        try:
            _restore(office, intake, capture_id)
        except _LeftError as error:
            left += 1
            yield f"{capture_id} left as it is: {error}"
        else:
            taken += 1
            yield f"{capture_id} taken in"
    yield f"taken in: {taken}; left as they are: {left}"


def _restore(office: Office, intake: Intake, capture_id: str) -> None:
    """Judge a record again, in one step with its row, which is made if it is missing.

    Raises _LeftError: all is as before.
    """
    store = office.store
    try:
        content = store.objects.found(capture_id)
        closed = recordfile.check(content)
    except (Missing, RecordDamaged) as error:
        raise _LeftError(str(error)) from error
    label = closed.label
    if label.capture_id != capture_id:
        raise _LeftError(f"it is the record {label.capture_id}")
    if archive.has(office.ledger, label):
        raise _LeftError("it was erased and archived; `objects returned --delete` erases it again")
    digest = hashlib.sha256(content).hexdigest()
    upload = Upload(capture_id, len(content), digest, "", label.device_id)
    try:
        if intake.distrusts(upload, closed) is None:
            store.open_checked(closed)  # if damaged it would be refused, and its object dropped
        with store.upload_locked(capture_id) as known:
            _begin(store, upload, known)
            intake.judge(upload, content)
    except (NotVouchedError, RecordDamaged, UploadExistsError) as error:
        raise _LeftError(str(error)) from error


def _begin(store: Store, upload: Upload, known: Upload | None) -> None:
    """Begin the upload, or own a begun one; raise _LeftError if that is of other bytes.

    Judged by the other one, this object would be dropped.
    """
    if known is None:
        store.create(upload)
    elif (known.length, known.sha256) != (upload.length, upload.sha256):
        raise _LeftError(
            f"its upload is of {known.length} other bytes; copy the object before that is dropped"
        )
    else:  # a technician's would be dropped too, where nobody vouches for the key
        store.own(known, upload.device_id or "")
