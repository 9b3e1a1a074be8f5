"""Devices of a peak, many in one process: each has its own queue, and the product's own sync.

Only capture is played: a record is made, sealed and signed here as it would be, without a camera.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final, cast

from agent.command.sync import sync_loop
from agent.config import load
from agent.models import CaptureId, Item, RecordState
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.record.receipt import Receipt
from agent.sync.delivery import Delivery
from agent.sync.outcome import Outcome
from hardware.clock_system import boot_id
from tests.bench.fleet.plan import Press
from tests.support.device import Device, empty_queue
from tests.support.enrolment import enrolled_by, required
from tests.support.factory import RecordMaker, add
from tests.support.sealed import RECIPIENTS

LOOK_S: Final = 0.2
"""From look to look whether all is over."""

ALL: Final = 1_000_000
"""More records than any queue here has."""

NO_ANSWER: Final = "cut"
"""Stands for attempts without an answer: the line was cut, or nobody was there."""


@dataclass(frozen=True, slots=True)
class Address:
    """The files of a device before it enrols."""

    base_url: str
    ca_file: Path
    fleet_key_file: Path


@dataclass(frozen=True, slots=True)
class Share:
    """The devices of one process.

    Attributes:
        tokens: of each device, by its id.
        presses: of these devices, by their place among the tokens.
        picture_file: the JPEG that each photo is.
    """

    folder: Path
    to: Address
    tokens: dict[str, str]
    presses: list[Press]
    picture_file: Path


@dataclass(frozen=True, slots=True)
class Ready:
    """All of one process are enrolled, and have what waits from before."""


@dataclass(frozen=True, slots=True)
class Received:
    """A receipt came, at this CLOCK_MONOTONIC; `took_s` since the record's first attempt began."""

    at_s: float
    took_s: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt came to nothing: the status that was answered, or NO_ANSWER."""

    at_s: float
    why: str


@dataclass(frozen=True, slots=True)
class Held:
    """The queues in the end: digests of records with a receipt, and the other records."""

    receipts: dict[str, str]
    others: list[str]


News = Ready | Received | Failed | Held


class Watched:
    """The product's delivery, with a watch beside it."""

    def __init__(self, delivery: Delivery, tell: Callable[[News], None]) -> None:
        self.obstacle = delivery.obstacle
        self.interrupt = delivery.interrupt
        self._send = delivery.send
        self._tell = tell
        self._began_s: dict[CaptureId, float] = {}

    def send(self, item: Item, content: bytes) -> Outcome:
        began_s = self._began_s.setdefault(item.capture_id, time.monotonic())
        outcome = self._send(item, content)
        now_s = time.monotonic()
        if isinstance(outcome, Receipt):
            self._tell(Received(now_s, now_s - began_s, item.attempts))
        else:
            self._tell(Failed(now_s, why(outcome)))
        return outcome


def why(outcome: Outcome) -> str:
    """The status that an attempt ended with, where there was any answer."""
    words = getattr(outcome, "answer", "refused")
    answered = re.search(r"was answered (\d{3})", words)
    return answered[1] if answered else NO_ANSWER


class PeakDevice:
    """A device; all but `send` is one thread's."""

    def __init__(self, folder: Path, device_id: str, share: Share) -> None:
        self.maker = RecordMaker(device_id, boot_id=boot_id(), sealed_to=RECIPIENTS)
        self.device = Device(folder, device={"id": device_id}, **required(share.to))
        self.layout = self.device.layout
        empty_queue(folder)
        token = share.tokens[device_id]
        identity = enrolled_by(share.to, token, folder, device_id, self.maker.key)
        identity.into(self.layout.sync_keys)
        self._database = Database(self.layout)
        self.outbox = Outbox(self._database, boot_id())

    def press(self, picture: bytes) -> None:
        made = self.maker.make(photo=picture)
        made.into(self.layout.records)
        add(self.outbox, made)

    def send(self, tell: Callable[[News], None], stop: threading.Event) -> None:
        with sync_loop(load(self.device.config)) as loop:
            watched = Watched(loop._delivery, tell)  # noqa: SLF001 - a watch, and nothing else
            loop._delivery = cast(Delivery, watched)  # noqa: SLF001 - as above
            loop.run(stop)

    def close(self) -> None:
        self._database.close()


def live(share: Share, news: "Queue[News]", begins: Event, ended: Event) -> None:
    """A process: enrols its devices, lets them live from `begins` to `ended`, tells what they hold.

    Raises:
        Exception: of whichever device failed.
    """
    share.folder.mkdir()
    logging.basicConfig(filename=share.folder / "devices.log", level=logging.INFO)
    round_ = _Round(share, news, ended)
    round_.press_those_before()
    news.put(Ready())
    begins.wait()
    with closing(round_):
        round_.play()
        news.put(round_.held())


class _Round:
    def __init__(self, share: Share, news: "Queue[News]", ended: Event) -> None:
        self._share = share
        self._news = news
        self._ended = ended
        self._vans = [
            PeakDevice(share.folder / str(number), device_id, share)
            for number, device_id in enumerate(share.tokens)
        ]

    @cached_property
    def _picture(self) -> bytes:
        return self._share.picture_file.read_bytes()

    def press_those_before(self) -> None:
        for press in self._share.presses:
            if press.at_s < 0:
                self._vans[press.device].press(self._picture)

    def play(self) -> None:
        stop = threading.Event()
        with ThreadPoolExecutor(len(self._vans)) as threads:
            sending = [threads.submit(one.send, self._news.put, stop) for one in self._vans]
            try:
                self._press_in_time(sending)
            finally:
                stop.set()
        for one in sending:
            one.result()

    def _press_in_time(self, sending: Sequence[Future[None]]) -> None:
        began_s = time.monotonic()
        for press in self._share.presses:
            if press.at_s >= 0:
                wait_s = began_s + press.at_s - time.monotonic()
                if self._ended.wait(max(wait_s, 0.0)):
                    return
                self._vans[press.device].press(self._picture)
        while not self._ended.wait(LOOK_S) and not any(one.done() for one in sending):
            pass

    def held(self) -> Held:
        receipts: dict[str, str] = {}
        others: list[str] = []
        for item in (one for van in self._vans for one in van.outbox.items(None, 0, ALL)):
            if item.state is RecordState.DELIVERED:
                receipts[item.capture_id] = item.sha256
            else:
                others.append(f"{item.capture_id} is {item.state}: {item.answer}")
        return Held(receipts, others)

    def close(self) -> None:
        for one in self._vans:
            one.close()
