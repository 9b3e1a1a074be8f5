"""The exports: about an order for its customer, or of a device for those who check it."""

import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from doorstep_backend.engines.objects import Changed, Missing
from doorstep_backend.office import erased
from doorstep_backend.office.archive import lines_of
from doorstep_backend.office.model import Office
from doorstep_backend.office.view_log import OFFICE, Act, write, write_each

LEFT_OUT: Final = (
    "The labels of these records are not here any more; `doorstep verify` finds a gap."
)


def export_order(office: Office, number: str, into: Path, now: datetime) -> None:
    """Write a zip of all that is kept about an order: the answer to a subject access request.

    `order.json` is the order with its customer, address, outcome and hold; `views.json` who looked,
    as the customer reads it; for each record `<capture_id>/` has `label.json`, `record.json` and,
    if there is one, `photo.jpg` as the device made it, with its place; `photo.txt` says where it is
    not that any more. Records that are shown to nobody any more are in it too.

    Raises:
        NoSuchOrder: there is none.
        FileExistsError: `into` is there.
    """
    order = office.orders.find(number)
    outcome = office.filing.outcomes.of(number)
    holds = [hold for hold in office.erasure.holds() if hold.number == number]
    about = {
        "order": asdict(order),
        "address": asdict(office.orders.address(order.address)),
        "customer": office.orders.customer_name(order.customer),
        "photo": order.photo,
        "outcome": outcome and asdict(outcome),
        "held": [asdict(hold) for hold in holds],
    }
    with new_zip(into) as archive:
        write(office.ledger, OFFICE, number, "", Act.EXPORTED_ORDER, at=now)
        archive.writestr("order.json", as_text(about))
        views = [asdict(view.for_customer()) for view in office.access.views_of(number)]
        archive.writestr("views.json", as_text(views))
        for capture_id in office.filing.of_order(number):
            _add_record(archive, office, capture_id)


def export_device(
    office: Office, device_id: str, into: Path, now: datetime, archives: Sequence[Path] = ()
) -> list[str]:
    """Write a zip of a device's records, without photos: those are the customers'.

    What is in files of `archive` by now is in it where these are given.

    `labels/<capture_id>.rec` is the signed label alone, for `doorstep verify`; it stays when a body
    is erased. `labels/receipts/<capture_id>.jws` is what was signed about it: its receipt, and
    when it was erased. `records/<capture_id>.json` is record.json while that is kept.

    Returns the ids of those whose label is not there any more: `verify` finds gaps in their places,
    and `left-out.txt` names them.

    Raises:
        FileExistsError: `into` is there.
    """
    left_out, act = [], Act.EXPORTED_DEVICE
    with new_zip(into) as archive:
        which = "c.device_id = :device_id"
        write_each(office.ledger, OFFICE, act, which, at=now, device_id=device_id)
        for said in lines_of(device_id, archives):
            archive.writestr(f"labels/{said['capture_id']}.rec", f"{said['label']}\n")
            archive.writestr(f"labels/receipts/{said['capture_id']}.jws", said["signed"])
        for capture_id in office.received_of(device_id):
            try:
                line = office.store.line(capture_id)
            except Missing:
                left_out.append(capture_id)
            else:
                archive.writestr(f"labels/{capture_id}.rec", line + b"\n")
            signed = erased.signed_about(office, capture_id)
            archive.writestr(f"labels/receipts/{capture_id}.jws", signed)
            record = office.store.record(capture_id)
            if record:
                archive.writestr(f"records/{capture_id}.json", as_text(record))
        if left_out:
            archive.writestr("left-out.txt", "\n".join([LEFT_OUT, *left_out, ""]))
    return left_out


def _add_record(archive: zipfile.ZipFile, office: Office, capture_id: str) -> None:
    archive.writestr(f"{capture_id}/label.json", as_text(office.store.label(capture_id)))
    archive.writestr(f"{capture_id}/record.json", as_text(office.store.record(capture_id)))
    try:
        archive.writestr(f"{capture_id}/photo.jpg", office.store.photo(capture_id))
    except Changed as error:
        archive.writestr(f"{capture_id}/photo.txt", f"The photo is not here: {error}.\n")
    except Missing:  # most records have none
        return


@contextmanager
def new_zip(into: Path) -> Iterator[zipfile.ZipFile]:
    """Make a file for its owner's eyes only. After an error inside, there is no file."""
    descriptor = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            yield archive
    except BaseException:  # Ctrl-C too
        into.unlink()
        raise


def as_text(found: Any) -> bytes:
    """Return indented JSON in UTF-8; a lone surrogate is written as its escape."""
    text = json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n"
    return text.encode(errors="backslashreplace")
