"""The work of a device whose disk is watched; each scenario ends in order, which is cut too."""

import hashlib
import os
import random
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from agent.config import RetentionSettings
from agent.errors import QueueBroken
from agent.models import Item, QualityVerdict, Reason
from agent.queue import retention
from agent.queue.database import Database
from agent.queue.disk import sync_folder
from agent.queue.labels import newest_of_each_chain, read_labels
from agent.queue.outbox import Outbox
from agent.queue.queue_repair import REPAIR_EVERY_S
from agent.record.receipt import signers_without_end
from agent.sync.delivery import Delivery
from agent.sync.loop import Sync
from agent.sync.outcome import Deferred, NoService, Outcome, UnsignedRejection
from agent.sync.receipt_offers import ReceiptOffers
from agent.trust.store import TrustStore
from hardware.errors import CameraStalled
from tests.faults.powercut import (
    checker,
    enrolled,
    files,
    fleet_checker,
    retired,
    tried,
)
from tests.faults.powercut.before import (
    FULL_FRAMES,
    RECEIVED,
    grow,
    receipt,
    refusal,
    spoilt,
    with_answers,
    with_receipts,
    with_records,
)
from tests.faults.powercut.promise_log import PromiseLog
from tests.faults.powercut.scenario import Scenario, pictures
from tests.faults.powercut.stage import RECEIPT_KEY, Stage, frames
from tests.support.benchtop import Bench
from tests.support.sending import SetClock

_KEYS: Final = signers_without_end(RECEIPT_KEY.public_key())

_SCARCE_BYTES: Final = 700_000
"""Below the reserve of 1 MB, and above what counts as a full card."""


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
        assert frames(device.layout) < FULL_FRAMES, "the log was not emptied in the midst"


def void(stage: Stage) -> None:
    """Presses taken back."""
    with stage.open() as device:
        for _ in range(3):
            stage.photo(device)
            device.hold_scan(after_s=1.0)
            stage.promise()


def retake(stage: Stage) -> None:
    """A blurred photo is asked for again, taken again, and the second one taken back."""
    with stage.open() as device:
        for _ in range(2):
            for picture, verdict in ((3, QualityVerdict.BLURRED), (0, QualityVerdict.OK)):
                stage.parts.camera.pictures = [pictures()[picture]]
                stage.photo(device)
                assert device.replies[-1]["record"]["quality"]["verdict"] == verdict
            first, second = (reply["label"]["capture_id"] for reply in device.replies[-2:])
            assert device.replies[-1]["record"]["retake_of"] == first
            device.hold_scan(after_s=1.0)
            stage.promise()
            assert device.rows("void")[-1].about == second


def first_start(stage: Stage) -> None:
    """An empty disk: folders, queue, key, the start of the chain, the first photo."""
    with stage.open() as device:
        stage.photo(device)


def sync(stage: Stage) -> None:
    """Every answer that changes a row, between presses."""
    with stage.open() as device:
        answers = _Answers(device)
        clock = SetClock(1000.0)
        sender = Sync(device.layout, device.outbox, answers, clock, _rng())
        for number in range(14):
            sender.step()
            clock.now_s += 400.0
            if number % 5 == 4:
                stage.photo(device)


def trust(stage: Stage) -> None:
    """Manifests replace each other and end, and so does the fleet document, between presses."""
    with files.noted(stage), stage.open() as device:
        store = TrustStore(stage.layout)
        stage.photo(device)  # its first turn wipes what lies there, since manifests are off
        for number in range(1, 9):
            if number % 2:
                store.keep_fleet(tuple(_token(link) for link in range(number)))
            store.keep_manifest(_token(number), number)
            if number % 3 == 0:
                stage.photo(device)
                begun = stage.now()
                store.wipe_manifest()
                stage.change(files.name_of(stage, stage.layout.trust / "manifest.jws"), begun, None)


def check_trust(stage: Stage, promises: PromiseLog, log_bytes: int, is_real: bool) -> list[str]:
    """Check that each document is whole, as last promised, and that none comes back."""
    names = {one for one in promises.names() if "/trust/" in one}
    broken = list(files.broken(stage, promises, log_bytes, names))
    return broken + checker.check(stage, promises, log_bytes, is_real)


def _token(number: int) -> str:
    """More than one block, and like no other."""
    return random.Random(number).randbytes(6000).hex()


def prune(stage: Stage) -> None:
    """Files go after 72 h, labels and rows after 14 days, and a press comes in between."""
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


def rebuild(stage: Stage) -> None:
    """The queue breaks while all have it open, is gone at a press, and broken at a start."""
    clock = SetClock(1000.0)
    with stage.open() as device:
        sender = Sync(device.layout, device.outbox, _Answers(device), clock, _rng())
        sender.step()
        stage.spoil(_break_inside)
        _look_from_outside(device)
        device.tick()
        stage.photo(device)
        for _ in range(3):
            clock.now_s += 400.0
            sender.step()
        stage.parts.now.pass_s(REPAIR_EVERY_S)
        stage.spoil(_take_away)
        stage.photo(device)
        clock.now_s += 400.0
        sender.step()
    stage.spoil(_overwrite)
    with stage.open() as device:
        stage.photo(device)
    assert stage.promises.quarantined == 3, "each broken queue was set aside once"


def full(stage: Stage) -> None:
    """Delete records with receipts for a photo, then refuse a press, then give the ballast up."""
    with stage.open() as device:
        for item in device.rows()[:5]:
            stage.lose(item.capture_id)
        stage.fill(_SCARCE_BYTES)
        stage.photo(device)
        for left_bytes in (_SCARCE_BYTES, 0):
            stage.fill(left_bytes)
            stage.photo(device)
            assert device.replies[-1]["record"]["reason"] == Reason.STORAGE_FULL
        assert device.layout.ballast.stat().st_size == 0


def _overwrite(database: Path) -> None:
    _put_garbage(database, 0)


def _break_inside(database: Path) -> None:
    _put_garbage(database, 4096)


def _put_garbage(database: Path, place: int) -> None:
    with database.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * (database.stat().st_size - place))
        file.flush()
        os.fsync(file.fileno())


def _take_away(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink()
    sync_folder(database.parent)


def _look_from_outside(device: Bench) -> None:
    """As `doorstep status` does, which leaves a mark when it finds the queue broken."""
    with closing(Database(device.layout)) as database, suppress(QueueBroken):
        Outbox(database, "boot").counts()
    assert device.layout.rebuild_mark.exists()


def _rng() -> random.Random:
    return random.Random(1)


def _prune(device: Bench, after: timedelta) -> None:
    now = RECEIVED + after
    newest = newest_of_each_chain(read_labels(device.layout)).values()
    pages = retention.prune(
        device.layout, RetentionSettings(), _KEYS, now=now, newest=lambda: newest
    )
    for _ in pages:
        pass
    ReceiptOffers(device.layout, device.outbox).tick(0.0)  # as sync finds it


class _Answers(Delivery):
    """A backend that answers each attempt in another way; the last one is always a receipt."""

    def __init__(self, device: Bench) -> None:
        self._outbox = device.outbox
        self._script: list[Callable[[Item], Outcome]] = [
            lambda _: Deferred("HEAD says 409"),
            receipt,
            lambda _: NoService("no answer"),
            refusal,
            lambda _: UnsignedRejection("413"),
            receipt,
        ]

    def send(self, item: Item, content: bytes) -> Outcome:
        assert hashlib.sha256(content).hexdigest() == item.sha256
        if item.attempts == 1:
            self._outbox.set_upload_url(item, f"https://127.0.0.1/files/{item.capture_id}")
        answer = self._script.pop(0) if self._script else receipt
        return answer(item)

    def obstacle(self) -> None:
        return None

    def interrupt(self) -> None:
        pass


SCENARIOS: Final = {
    "capture": Scenario(capture, grow),
    "void": Scenario(void, grow),
    "retake": Scenario(retake, grow),
    "sync": Scenario(sync, with_records),
    "trust": Scenario(trust, check=check_trust),
    "prune": Scenario(prune, with_receipts),
    "full": Scenario(full, with_receipts),
    "rebuild": Scenario(rebuild, with_answers),
    "restart": Scenario(restart, spoilt),
    "first_start": Scenario(first_start),
    "sealed": Scenario(enrolled.sealed, check=fleet_checker.check),
    "enrolment": Scenario(enrolled.enrolment, check=fleet_checker.check),
    "renewal": Scenario(enrolled.renewal, check=fleet_checker.check),
    "retirement": Scenario(retired.retirement, check=retired.check),
    "update": Scenario(tried.update, check=tried.check),
}
