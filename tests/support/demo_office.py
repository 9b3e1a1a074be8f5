"""The demo's orders in a backend's folder, and a van that delivers them, for tests."""

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from agent.capture import jpeg
from agent.models import CaptureId, RecordKind
from agent.record import signing
from agent.record.file import RecordFile
from agent.rule.manifest import Manifest, read
from doorstep_backend.engines.objects import Objects
from doorstep_backend.office import commands, demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.office.worker import Worker
from doorstep_backend.wire import manifest, orphans
from doorstep_backend.wire.store import IntakeVerdict, Store, Upload
from tests.support.engines import has
from tests.support.factory import Made, RecordMaker
from tests.support.waiting import until

NOON: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)
RECEIVED: Final = "2026-12-01T11:00:00.000Z"
WHO: Final = "dispatch ana"
PICTURE: Final = jpeg.encode(np.full((48, 64, 3), 90, dtype=np.uint8), 85)
KEY: Final = signing.new_key()
KID: Final = signing.thumbprint(KEY.public_key())


def photo_of(
    office: Office, device: RecordMaker, number: str, picture: bytes = PICTURE, **changes: Any
) -> Made:
    """Return a photo that a device bound to an order; `changes` go into record.json."""
    stop = {"id": office.orders.find(number).stop_id, "bound_by": "code", "ring": "inside"}
    record = {"stop": stop, "simulated": False, "quality": {"verdict": "ok"}, **changes}
    return device.make(RecordKind.PHOTO, record, picture)


@dataclass
class DemoOffice:
    """The demo's orders on one route, which `van` carries; without `objects`, in the folder."""

    folder: Path
    show_simulated: bool = False
    objects: Objects | None = None
    van: RecordMaker = field(default_factory=RecordMaker)

    def __post_init__(self) -> None:
        store = Store(self.folder, self.objects)
        self.office: Office = open_office(store, show_simulated=self.show_simulated)
        demo.settle(self.office)
        demo.send_out(self.office, self.van.device_id, NOON)

    def receive(self, made: Made, at: str = RECEIVED) -> CaptureId:
        """File a record as the intake and a worker do."""
        opened, capture_id = self.keep(made, at), made.label.capture_id
        self.office.accept(opened)
        Worker(self.office).step()
        until(
            lambda: not self.office.store.filing_backlog.has(capture_id)
        )  # a server beside may have it
        return capture_id

    def deliver(self, *numbers: str) -> list[CaptureId]:
        """Receive a photo for each of these orders."""
        return [self.receive(self.photo(number)) for number in numbers]

    def keep(self, made: Made, at: str = RECEIVED) -> RecordFile:
        """Take in a record: it has its receipt, and is not filed yet."""
        opened = self.office.store.open(made.content)
        capture_id = opened.label.capture_id
        store = self.office.store
        digest = hashlib.sha256(made.content).hexdigest()
        upload = Upload(capture_id, len(made.content), digest, "")
        store.create(upload)
        store.keep(upload, made.content, accepted=True)
        store.unpack(opened, made.content)
        store.settle(IntakeVerdict(capture_id, at, None, "jws"))
        store.release(upload, was_refused=False, accepted=True)
        return opened

    def photo(self, number: str, **changes: Any) -> Made:
        """Make a photo that the device bound to an order by its label.

        A `picture` takes the place of PICTURE, and other `changes` go into record.json.
        """
        return photo_of(self.office, self.van, number, **changes)

    def stray(self, bound_by: str = "ambiguous", **changes: Any) -> Made:
        """Make a photo that names a stop, but not with certainty."""
        stop = self.office.orders.find(demo.LEFT_DOOR).stop_id
        stops = {"stop": {"id": stop, "bound_by": bound_by}}
        return self.photo(demo.LEFT_DOOR, **stops, **changes)

    def void(self, about: CaptureId, van: RecordMaker | None = None) -> Made:
        return (van or self.van).make(RecordKind.VOID, {"simulated": False}, about=about)

    def bind(self, capture_id: str, number: str) -> None:
        """Bind a press that waits, as a dispatcher does."""
        self.office.corrections.bind(capture_id, number, WHO, NOON)

    def shown(self, number: str) -> list[str]:
        return [photo.capture_id for photo in self.office.filing.photos_of(number)]

    def manifest(self, device_id: str | None = None, now: datetime = NOON) -> Manifest:
        """Return the manifest as the device reads it."""
        device_id = device_id or self.van.device_id
        issued = self.office.routes.manifest(
            device_id, now, lambda said: manifest.sign(said, KEY), KID
        )
        assert issued is not None
        keys = {KID: KEY.public_key()}
        return read(issued.token, keys, device_id)

    def rule(self, number: str) -> str:
        stop_id = self.office.orders.find(number).stop_id
        return next(stop.photo for stop in self.manifest().stops if stop.id == stop_id)

    def is_done(self, number: str) -> bool:
        stop_id = self.office.orders.find(number).stop_id
        return next(stop.done for stop in self.manifest().stops if stop.id == stop_id)

    def kept(self, capture_id: CaptureId) -> tuple[bool, bool]:
        """Return whether the photo is in the object store, and whether its body is."""
        store = self.office.store
        is_photo = has(store.photo, capture_id)
        has_body = has(store.received, capture_id)
        assert has_body == bool(store.record(capture_id))
        return is_photo, has_body

    def said(self, *words: str, now: datetime = NOON) -> str:
        """Run an office command and return its output."""
        parser = argparse.ArgumentParser()
        commands.add_to(parser)
        return commands.run(parser.parse_args(words), self.office, now)

    def objects_said(self, *words: str) -> Iterator[str]:
        """Run the command `objects`; yield its lines as it goes on."""
        parser = argparse.ArgumentParser()
        orphans.add_to(parser.add_subparsers(dest="command"))
        return orphans.run(parser.parse_args(["objects", *words]), self.office)

    def file(self, name: str) -> Path:
        """Return the path of a file in the backend's folder."""
        return self.folder / name
