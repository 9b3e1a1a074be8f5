"""What a device does while its disk is watched; each ends in order, so that this is cut too."""

import hashlib
import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from agent import retention, signing
from agent.config import RetentionSettings
from agent.database import Database
from agent.delivery import Deferred, Delivery, NoService, Outcome, Suspect
from agent.models import rfc3339
from agent.outbox import Item
from agent.receipt import Receipt, Refusal
from agent.sync import Sync
from hardware.clock import ClockSource, Moment
from hardware.errors import CameraStalled
from hardware.scene_room import Image
from hardware.scenes import Scene, render
from tests.agent.benchtop import Bench
from tests.agent.sending import SetClock
from tests.powercut.stage import Stage, frames

Act = Callable[[Stage], None]
Prepare = Callable[[Stage, Bench], None]

RECEIVED: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)
_START: Final = datetime(2026, 11, 24, tzinfo=UTC)
_FULL_FRAMES: Final = 975
"""Pages in the write-ahead log before a scenario; at 1000 SQLite empties it, in its midst."""

_RECEIPT_KEY: Final = signing.new_key()
_KEYS: Final = {signing.thumbprint(_RECEIPT_KEY.public_key()): _RECEIPT_KEY.public_key()}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One stretch of a device's work.

    Attributes:
        act: what is cut.
        prepare: what was before, in a process that died with everything open; None for an empty
            disk.
    """

    act: Act
    prepare: Prepare | None = None


@cache
def pictures() -> list[Image]:
    """A door in three sizes: about 35, 140 and 270 KB as JPEG; the fourth is blurred."""
    sharp = [_door(640, 360), _door(1280, 720), _door(1920, 1080)]
    return [*sharp, render(Scene(seed=1, width_px=640, height_px=360, motion_px=30.0))]


def _door(width_px: int, height_px: int) -> Image:
    return render(Scene(seed=1, width_px=width_px, height_px=height_px))


# What was before


def grow(_stage: Stage, device: Bench) -> None:
    """A day's work: the write-ahead log was filled and emptied, and is nearly full again.

    While it grows, SQLite's own flushes would hide one that the product forgot.
    """
    device.press()
    floor = device.outbox.floor() or _START
    wraps = before = step_ms = 0
    while not wraps or before < _FULL_FRAMES:
        step_ms += 1
        device.outbox.raise_floor(floor + timedelta(milliseconds=step_ms))
        now = frames(device.layout)
        wraps, before = wraps + (now < before), now


def _with_records(stage: Stage, device: Bench) -> None:
    for _ in range(6):
        device.press()
    grow(stage, device)


def _with_receipts(stage: Stage, device: Bench) -> None:
    for _ in range(5):
        device.press()
    for item in device.rows()[:5]:
        receipt = _receipt(item)
        device.outbox.mark_delivered(item, receipt.token, receipt.received)
    grow(stage, device)


def _spoilt(stage: Stage, device: Bench) -> None:
    """What several power cuts at once might leave: all that a sweep can find."""
    _with_receipts(stage, device)
    delivered, other, *_ = device.rows()
    for _ in range(4):
        device.press()
    *_, lost, first, second = device.rows()
    for item in (first, second):
        with closing(Database(device.layout)) as database, database.step() as sql:
            sql.execute("DELETE FROM captures WHERE capture_id = ?", (item.capture_id,))
    for item in (delivered, other, lost):
        device.layout.record(item.capture_id).unlink()
        stage.lose(item.capture_id)
    (device.layout.records / f"{first.capture_id}.part").write_bytes(bytes(5000))
    (device.layout.records / "00000000-0000-4000-8000-000000000000.rec").write_bytes(b"torn")


# What is cut


def capture(stage: Stage) -> None:
    """Photos of all sizes, one retaken, and a press without one."""
    with stage.open() as device:
        for picture in (0, 1, 2, 3, 0, 1, 0, 0):
            stage.parts.camera.pictures = [pictures()[picture]]
            stage.photo(device)
        stage.parts.camera.error = CameraStalled("no frame")
        device.press()
        stage.promise()
        stage.parts.camera.error = None
        stage.photo(device)
        assert frames(device.layout) < _FULL_FRAMES, "the log was not emptied in the midst"


def void(stage: Stage) -> None:
    """Presses taken back."""
    with stage.open() as device:
        for _ in range(3):
            stage.photo(device)
            device.hold_scan(after_s=1.0)
            stage.promise()


def first_start(stage: Stage) -> None:
    """An empty disk: folders, queue, key, the start of the chain, the first photo."""
    with stage.open() as device:
        stage.photo(device)


def sync(stage: Stage) -> None:
    """Every answer that changes a row, between presses."""
    with stage.open() as device:
        answers = _Answers(device)
        clock = SetClock(1000.0)
        sender = Sync(device.layout, device.outbox, answers, clock, random.Random(1))
        for number in range(14):
            sender.step()
            clock.now_s += 400.0
            if number % 5 == 4:
                stage.photo(device)


def prune(stage: Stage) -> None:
    """Files go after 72 h, rows after 14 days, and a press comes in between."""
    with stage.open() as device:
        for item in device.rows()[:5]:
            stage.lose(item.capture_id)
        _prune(device, timedelta(hours=73))
        stage.photo(device)
        _prune(device, timedelta(days=15))


def restart(stage: Stage) -> None:
    """The sweep itself is cut."""
    with stage.open() as device:
        stage.photo(device)


def _prune(device: Bench, after: timedelta) -> None:
    moment = Moment(RECEIVED + after, 1, "boot", ClockSource.NTP, 0.1)
    retention.prune(device.outbox, device.layout, RetentionSettings(), _KEYS, moment)


class _Answers(Delivery):
    """A backend that answers each attempt in another way; the last one is always a receipt."""

    def __init__(self, device: Bench) -> None:
        self._outbox = device.outbox
        self._script: list[Callable[[Item], Outcome]] = [
            lambda _: Deferred("HEAD says 409"),
            _receipt,
            lambda _: NoService("no answer"),
            _refusal,
            lambda _: Suspect("413"),
            _receipt,
        ]

    def send(self, item: Item, content: bytes) -> Outcome:
        assert hashlib.sha256(content).hexdigest() == item.sha256
        if item.attempts == 1:
            self._outbox.set_upload_url(item, f"https://127.0.0.1/files/{item.capture_id}")
        answer = self._script.pop(0) if self._script else _receipt
        return answer(item)

    def interrupt(self) -> None:
        pass


def _receipt(item: Item) -> Receipt:
    return Receipt(_signed(item, received_at=rfc3339(RECEIVED)), RECEIVED)


def _refusal(item: Item) -> Refusal:
    token = _signed(item, refused_at=rfc3339(RECEIVED), reason="too dark")
    return Refusal(token, RECEIVED, "too dark")


def _signed(item: Item, **more: str) -> str:
    about = {"capture_id": item.capture_id, "sha256": item.sha256, "bytes": item.bytes}
    return signing.sign({"v": 1, **about, **more}, _RECEIPT_KEY)


SCENARIOS: Final = {
    "capture": Scenario(capture, grow),
    "void": Scenario(void, grow),
    "sync": Scenario(sync, _with_records),
    "prune": Scenario(prune, _with_receipts),
    "restart": Scenario(restart, _spoilt),
    "first_start": Scenario(first_start),
}
