"""`doorstep open`: checks one record file by itself, and opens it."""

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from agent.command.shared import named, read_input
from agent.errors import ConfigError, ExitCode, NotGenuine
from agent.models import LARGEST_RECORD_BYTES
from agent.queue.disk import disk_errors, sync_folder, write_new
from agent.record import file as recordfile
from agent.record import sealing, signing
from agent.record.file import CheckedRecord, RecordFile
from agent.record.sealing import AgeIdentity

_FOLDER_MODE: Final = 0o700
"""Only for the owner: a record has the place and the picture of a door."""

_FILE_MODE: Final = 0o600
"""In a folder that was there already, only for its owner too."""


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep open FILE`, with the given identity and folder."""
    content = read_input(arguments.record, LARGEST_RECORD_BYTES)
    name = named(arguments.record)
    identities = sealing.read_identity_file(arguments.identity) if arguments.identity else ()
    try:
        checked = recordfile.check(content)
        opened = _opened(checked, identities)
    except NotGenuine as error:
        raise NotGenuine(f"{name}: {error}") from error
    if arguments.to is not None:
        if opened is None:
            raise ConfigError(f"{name}: sealed; name the file of an age identity by --identity")
        _write(_label(content), opened, arguments.to)
    if arguments.json:
        print(json.dumps(_document(content, checked, opened), indent=1))
    else:
        print("\n".join(_lines(checked, opened)))
    return ExitCode.DONE


def _opened(checked: CheckedRecord, identities: Sequence[AgeIdentity]) -> RecordFile | None:
    """Open a record; return None if it is sealed and there is no identity."""
    if checked.label.body.type == sealing.SEALED_TYPE and not identities:
        return None
    return recordfile.open_checked(checked, identities)


def _lines(checked: CheckedRecord, opened: RecordFile | None) -> Iterator[str]:
    """Yield the words for people; `check` has refused a label with unprintable text."""
    label = checked.label
    yield f"record:   {label.capture_id} ({label.kind}), number {label.seq} of chain {label.chain}"
    yield f"device:   {label.device_id}, as the label says"
    yield f"time:     {label.utc} (clock: {label.clock})"
    yield f"key:      {signing.thumbprint(checked.key)}, as the label says"
    yield "verified: this key signed the label, and the body is what the label says"
    yield "          `doorstep verify` checks whose key it is; anybody can make a key"
    if opened is None:
        yield "body:     sealed, and not opened: name the file of an age identity by --identity"
    else:
        photo = [] if opened.photo is None else [f"photo.jpg ({len(opened.photo):,} bytes)"]
        yield f"body:     {', '.join(['record.json', *photo, *opened.others])}"


def _document(content: bytes, checked: CheckedRecord, opened: RecordFile | None) -> dict[str, Any]:
    """Return the same for programs; `bytes` and `sha256` are those of a receipt."""
    photo = None if opened is None else opened.photo
    return {
        "label": _label(content),
        "kid": signing.thumbprint(checked.key),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "record": None if opened is None else opened.record,
        "photo_bytes": None if photo is None else len(photo),
    }


def _label(content: bytes) -> dict[str, Any]:
    """Return the label of a checked file, with members that this release does not know."""
    return signing.unverified_payload(content[: content.index(b"\n")].decode("ascii"))


def _write(label: dict[str, Any], opened: RecordFile, folder: Path) -> None:
    files = {
        "label.json": _text(label),
        "record.json": _text(opened.record),
        "photo.jpg": opened.photo,
    }
    _make_empty(folder)
    for name, content in files.items():
        if content is not None:
            write_new(folder / name, content, _FILE_MODE)


def _text(document: dict[str, Any]) -> bytes:
    return f"{json.dumps(document, indent=1)}\n".encode()


def _make_empty(folder: Path) -> None:
    """Make a folder, or accept an empty one; raise ConfigError for anything else."""
    with disk_errors(f"cannot make {folder}"):
        try:
            folder.mkdir(_FOLDER_MODE)
            sync_folder(folder.parent)
        except FileExistsError:
            if not folder.is_dir() or any(folder.iterdir()):
                raise ConfigError(f"{folder}: not an empty folder; name a new one") from None
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"{folder.parent}: not a folder") from error
