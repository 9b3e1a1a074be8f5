"""The contents of records, from their objects: label, record.json, photo and its copies."""

import hashlib
import json
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Final

from agent.errors import NotGenuine
from agent.record import file as recordfile
from agent.record import sealing, signing
from doorstep_backend.copies.shows import Shows
from doorstep_backend.engines.objects import PHOTO, TEXT, Changed, Missing, Objects, copy_name
from doorstep_backend.seals import Seals
from hardware.foreign import read_json

UNOPENED: Final[dict[str, Any]] = {"simulated": False}
"""Stands for the record.json of a body that is sealed to others; only itself is it, no equal."""


class Records(ABC):
    """The accepted records. All methods that ask for objects raise Unavailable."""

    def __init__(self, objects: Objects, seals: Seals) -> None:
        self.objects = objects
        self._seals = seals

    @abstractmethod
    def sha256_of(self, capture_id: str) -> str:
        """Return what the device announced, hex. Raises Missing: no such record ever came."""

    def open(self, content: bytes) -> recordfile.RecordFile:
        """Return what a record holds; its `record` is UNOPENED if no identity here opens it.

        Raises:
            RecordDamaged: it does not verify.
        """
        return self.open_checked(recordfile.check(content))

    def open_checked(self, found: recordfile.CheckedRecord) -> recordfile.RecordFile:
        """Open a record whose label and digest were checked; raises as `open` does."""
        try:
            return recordfile.open_checked(found, self._seals.identities())
        except sealing.Unopened:
            return recordfile.RecordFile(found.label, found.label_sha256, found.key, UNOPENED, None)

    def unpack(self, opened: recordfile.RecordFile, content: bytes) -> None:
        """Keep photo, label and record opened beside the record, if `keeps_opened_copies`."""
        if not self.objects.keeps_opened_copies:
            return
        capture_id, label = opened.label.capture_id, _payload(content.partition(b"\n")[0])
        self.objects.put(capture_id, TEXT, _text({"label": label, "record": opened.record}))
        if opened.photo is not None:
            self.objects.put(capture_id, PHOTO, opened.photo)

    def received(self, capture_id: str) -> bytes:
        """Return an accepted record as it came. Raises Missing, as once erased, and Changed."""
        return self._received(capture_id, self.sha256_of(capture_id))

    def line(self, capture_id: str) -> bytes:
        """Return the label line of a record, also once erased. Any thread may ask; as received.

        Where rows do not know it, of a database that was lost by half, it is looked for.
        """
        try:
            sha256 = self.sha256_of(capture_id)
        except Missing:
            return self.objects.line_found(capture_id)
        return self.objects.line(capture_id, sha256)

    def photo(self, capture_id: str) -> bytes:
        """Return the photo as the device made it. Raises Missing, as once erased, and Changed."""
        return self.photo_of(capture_id, self.sha256_of(capture_id))

    def photo_of(self, capture_id: str, sha256: str) -> bytes:
        """Return the photo of the record of this digest, as `photo` does. Any thread may ask."""
        if self.objects.keeps_opened_copies:
            return self.objects.get(capture_id, PHOTO)
        photo = self.open(self._received(capture_id, sha256)).photo
        if photo is None:
            raise Missing(f"{capture_id} has no photo that can be opened here")
        return photo

    def copy(self, capture_id: str, shows: Shows) -> bytes:
        """Return the copy of a photo that people may be shown. Raises Missing until it is made."""
        return self.objects.get(capture_id, copy_name(shows))

    def keep_copy(self, capture_id: str, sha256: str, shows: Shows, content: bytes) -> None:
        """Keep a copy; any thread may. Raises Missing, and keeps none, if the photo was erased."""
        self.objects.put(capture_id, copy_name(shows), content)
        try:
            self.objects.get(capture_id, PHOTO if self.objects.keeps_opened_copies else sha256)
        except Missing:
            self.objects.remove(capture_id, copy_name(shows))
            raise

    def label(self, capture_id: str) -> dict[str, Any]:
        """Return the label's payload; empty when the record never came. Any thread may ask."""
        if self.objects.keeps_opened_copies:
            return self._unpacked(capture_id).get("label", {})
        try:
            return _payload(self.line(capture_id))
        except Missing:
            return {}

    def record(self, capture_id: str) -> dict[str, Any]:
        """Return record.json; empty when its body was erased or never came."""
        if self.objects.keeps_opened_copies:
            return self._unpacked(capture_id).get("record", {})
        try:
            return self.open(self.received(capture_id)).record
        except Missing:
            return {}

    def erase(self, capture_id: str) -> None:
        """Erase the body of a record and leave its label, so that the chain still verifies.

        A label that is not as received is erased too. Durable when it returns; after an
        interruption, do it again.
        """
        line, label = self._kept_label(capture_id)
        self.objects.erase(capture_id, line)
        if label and self.objects.keeps_opened_copies:
            self.objects.put(capture_id, TEXT, _text({"label": label}))

    def is_changed(self, capture_id: str, name: str, sha256: str) -> bool:
        """Return whether something else is there now, or nothing."""
        try:
            return hashlib.sha256(self.objects.get(capture_id, name)).hexdigest() != sha256
        except Missing:
            return True

    def _kept_label(self, capture_id: str) -> tuple[bytes, dict[str, Any]]:
        """Return line and payload: the record's, or those that were kept when it was erased."""
        for ask in (self.line, self.objects.line_found):
            with suppress(Missing):  # or Changed
                line = ask(capture_id)
                return line, _payload(line)
        return b"", {}

    def _received(self, capture_id: str, sha256: str) -> bytes:
        content = self.objects.get(capture_id, sha256)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Changed(f"{capture_id} is not what was received any more")
        return content

    def _unpacked(self, capture_id: str) -> dict[str, dict[str, Any]]:
        try:
            found: dict[str, dict[str, Any]] = read_json(self.objects.get(capture_id, TEXT))
        except Missing:
            return {}
        return found


def _payload(line: bytes) -> dict[str, Any]:
    """Return what a label says, by the key that it carries. Raises Changed."""
    try:
        token = line.decode("ascii")
        key = signing.embedded_key(token)
        return signing.verify(token, {signing.thumbprint(key): key})
    except (NotGenuine, UnicodeDecodeError) as error:
        raise Changed(f"a label is not what was received any more: {error}") from error


def _text(found: dict[str, Any]) -> bytes:
    """Return the text; half a surrogate pair, which UTF-8 does not allow, stays an escape."""
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace")
