"""Records to send: made by the real chain, as many as wanted, without a camera."""

import hashlib
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agent import __version__
from agent.capture import jpeg, quality, record_json
from agent.capture.chain import Chain, new_id
from agent.capture.device_key import device_key
from agent.capture.exif import stamp
from agent.capture.photo_facts import PhotoFacts
from agent.capture.record_json import Photo, Setting, Trigger
from agent.config import Thresholds, load
from agent.models import UNASSIGNED, CaptureId, Head, Kind
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

_SCENE: Final = Scene(seed=1, width_px=2304, height_px=1296)


@dataclass(slots=True)
class Stock:
    """Adds records to a device's queue; used from one thread, while no capture process runs."""

    device_id: str
    chain: Chain
    outbox: Outbox
    frame: Frame
    image: bytes

    def add(self) -> CaptureId:
        """Adds one record; it is durable, and due at once."""
        capture_id, moment = new_id(), SystemClock(BUILT).now()
        image = stamp(self.image, self._facts(capture_id))
        photo = Photo(
            hashlib.sha256(image).hexdigest(), len(image), self.frame, False, 0, "switched off"
        )
        text = record_json.photo_record(
            Setting(simulated=True, manifest="off"),
            Trigger("command", "bench"),
            photo,
            quality.assess(self.frame.pixels[:128, :128], Thresholds()),
            stop=UNASSIGNED,
            fix=None,
            power=PowerReading(80, False, False),
            retake_of=None,
        )
        self.chain.keep(Kind.PHOTO, moment, text, image, capture_id=capture_id)
        return capture_id

    def _facts(self, capture_id: CaptureId) -> PhotoFacts:
        height_px, width_px = self.frame.pixels.shape[:2]
        return PhotoFacts(
            capture_id=capture_id,
            device_id=self.device_id,
            make="Doorstep",
            model="Doorstep simulated",
            software=f"doorstep {__version__}",
            utc=datetime.now(UTC),
            width_px=width_px,
            height_px=height_px,
            exposure_us=self.frame.exposure_us,
            gain=self.frame.gain,
            position=None,
        )


@contextmanager
def stock(device: Device) -> Iterator[Stock]:
    """Opens the queue of a new device; its records are signed with its own key."""
    config, layout = load(device.config), device.layout
    layout.make()
    pixels = render(_SCENE)
    frame = Frame(pixels, 8000, 1.0, 400.0, time.monotonic_ns())
    with closing(Database(layout, migrates=True)) as database:
        outbox = Outbox(database, boot_id())
        head = Head(str(uuid.uuid4()), 0, None)
        key, _ = device_key(layout)
        chain = Chain(
            layout, outbox, key=key, device_id=config.device.id, head=head, seal=left_plain
        )
        yield Stock(config.device.id, chain, outbox, frame, jpeg.encode(pixels, JPEG_QUALITY_PCT))
