"""Records to send: made by the real chain, as many as wanted, without a camera."""

import hashlib
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from agent.capture import jpeg, record_json
from agent.capture.chain import Chain, new_id
from agent.capture.record_json import Photo, Setting, Trigger
from agent.config import load
from agent.identity.device_key import device_key
from agent.models import UNASSIGNED, CaptureId, Head, Kind, QualityReport, Verdict
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from hardware.camera import Frame
from hardware.clock import BUILT
from hardware.clock_system import SystemClock, boot_id
from hardware.power import PowerReading
from hardware.simulated.scenes import Scene, render
from tests.support.device import Device
from tests.support.sealed import left_plain

JPEG_QUALITY_PCT: Final = 70
"""Makes about 300 KB of the scene below, as of most doors by day."""


@dataclass(frozen=True, slots=True)
class Stock:
    """Source of records in a device's queue; used from one thread, while no capture runs."""

    chain: Chain
    outbox: Outbox
    image: bytes

    def add(self) -> CaptureId:
        """Add one record; it is durable, and due at once."""
        capture_id, moment = new_id(), SystemClock(BUILT).now()
        photo = self.image + capture_id.encode()  # no two are alike
        self.chain.keep(Kind.PHOTO, moment, record_of(photo), photo, capture_id=capture_id)
        return capture_id


@contextmanager
def stock(device: Device, jpeg_quality_pct: int = JPEG_QUALITY_PCT) -> Iterator[Stock]:
    """Open the queue of a new device; its records are signed with its own key."""
    config, layout = load(device.config), device.layout
    layout.make()
    image = jpeg.encode(render(Scene(seed=1, width_px=2304, height_px=1296)), jpeg_quality_pct)
    with closing(Database(layout, migrates=True)) as database:
        outbox = Outbox(database, boot_id())
        head = Head(str(uuid.uuid4()), 0, None)
        key, _ = device_key(layout)
        chain = Chain(
            layout, outbox, key=key, device_id=config.device.id, head=head, seal=left_plain
        )
        yield Stock(chain, outbox, image)


def record_of(photo: bytes) -> dict[str, Any]:
    """Return what the capture process says of a photo: its digest is the part that takes time."""
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 8000, 1.0, 400.0, time.monotonic_ns())
    scores = {"clipped_pct": 0.4, "mean_pct": 41.0, "noise": 0.38, "sharpness": 353.0}
    return record_json.photo_record(
        Setting(simulated=True, manifest="off"),
        Trigger("command", "bench"),
        Photo(hashlib.sha256(photo).hexdigest(), len(photo), frame, False, 0, "switched off"),
        QualityReport(Verdict.OK, scores, "bench"),
        stop=UNASSIGNED,
        fix=None,
        power=PowerReading(80, False, False),
        retake_of=None,
    )
