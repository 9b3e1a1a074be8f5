"""Devices that deliver to a backend without a pause, while it is killed and started again."""

import hashlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.models import RecordState
from tests.support.sending import DeviceQueue, Sender, device_queue, sender
from tests.support.small_backends import SmallBackend
from tests.support.waiting import until

DEVICES: Final = 4
"""Devices that deliver at once: they and the backend keep two processors busy."""

PHOTO_BYTES: Final = (2_000, 400_000)
"""Smallest and largest photo: the largest takes three requests once its POST was cut off."""

LIFE_S: Final = (0.0, 0.25)
"""Shortest and longest time between the start of the backend and its end."""

READY_WITHIN_S: Final = 60.0
"""Longest wait for the first receipts. Source: a second, with room for a loaded CI."""

LATER_S: Final = 400.0
"""Step of a device's clock between attempts, beyond any wait after a failure."""


@dataclass(slots=True)
class Count:
    """Results of a run.

    Attributes:
        receipts: SHA-256 of the record by capture_id, for each receipt that a device has.
        cut: a capture_id for each attempt that ended without a receipt.
        lost: records with a receipt that the backend does not have, or has otherwise.
    """

    receipts: dict[str, str] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)


def killed(backend: SmallBackend, folder: Path, kills: int, seed: int) -> Count:
    """Kill a backend that runs so many times, and count; it does not run afterwards."""
    rng, load = random.Random(seed), Load(backend, Count())
    with ThreadPoolExecutor(DEVICES) as pool:
        folders = [folder / f"device-{number}" for number in range(DEVICES)]
        devices = [pool.submit(load.deliver, one) for one in folders]
        try:
            load.is_up.set()
            until(lambda: len(load.count.receipts) >= DEVICES, READY_WITHIN_S)
            for _ in range(kills):
                load.is_up.set()
                threading.Event().wait(rng.uniform(*LIFE_S))
                load.is_up.clear()
                backend.kill()
                _look(backend, load.count)
                backend.start()
        finally:
            load.is_over = True
            load.is_up.set()
            backend.kill()
        for device in devices:
            device.result()
    _look(backend, load.count)
    return load.count


@dataclass(slots=True)
class Load:
    """Devices at work; between a kill and the next start they only end what they have begun."""

    backend: SmallBackend
    count: Count
    is_up: threading.Event = field(default_factory=threading.Event)
    is_over: bool = False

    def deliver(self, folder: Path) -> None:
        """Take and deliver one photo after the other, by the device's own code."""
        rng = random.Random(folder.name)
        self.is_up.wait()
        with device_queue(folder) as device, sender(device, self.backend) as sending:
            while not self.is_over:
                self._deliver_one(device, sending, rng.randint(*PHOTO_BYTES))

    def _deliver_one(self, device: DeviceQueue, sending: Sender, photo_bytes: int) -> None:
        item = device.press(photo_bytes)
        while not self.is_over:
            self.is_up.wait()
            sending.clock.now_s += LATER_S
            sending.sync.step()
            state = device.outbox.get(item.capture_id).state
            if state is RecordState.DELIVERED:
                self.count.receipts[item.capture_id] = item.sha256
                return
            assert state is RecordState.PENDING, f"the record is {state}"
            self.count.cut.append(item.capture_id)


def _look(backend: SmallBackend, count: Count) -> None:
    """Compare all records with a receipt; one that was lost stays so."""
    for capture_id, sha256 in list(count.receipts.items()):
        file = backend.received_file(capture_id)
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            count.lost.add(capture_id)
