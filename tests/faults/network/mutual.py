"""An enrolled device, a bad line, and a real backend that asks for its certificate.

Nothing on the way ends TLS: the line is harmed at a byte of TCP, the handshake's among them.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.models import Item, State
from agent.sync.backoff import BACK_OFF_CAP_S
from agent.wire.http import Limits
from tests.faults.network.box import Way
from tests.support.backend import Backend, running_backend
from tests.support.enrolment import enrolled
from tests.support.network import FaultProxy, Line
from tests.support.sending import QUICK, DeviceQueue, Sender, device_queue, sender

GOOD: Final = Line()

SMALL_PHOTO_BYTES: Final = 300
"""A record of some 3.5 KB: the handshake is nearly half of what is sent."""

KEPT: Final = frozenset({State.PENDING, State.DELIVERED})
"""States of a record that nobody refuses."""


@dataclass(frozen=True, slots=True)
class MutualRig:
    """One enrolled device, the line, and the backend's process.

    Attributes:
        device: its folder and queue.
        sender: its sending side, which shows the device's certificate.
        line: between the two; each attempt is on a new connection.
    """

    device: DeviceQueue
    sender: Sender
    line: FaultProxy
    backend: Backend

    def extent(self) -> dict[Way, int]:
        """The bytes of TCP each way of a record's first attempt, with its handshake.

        A signature in the handshake is up to 2 bytes longer or shorter from time to time.
        """
        before = dict(self.line.relayed_bytes)
        assert self.harmed(GOOD, GOOD) == []
        after = self.line.relayed_bytes
        return {"up": after["up"] - before["up"], "down": after["down"] - before["down"]}

    def harmed(self, up: Line, down: Line, within: int = 1) -> list[str]:
        """One case: a record is sent over these lines, and then again over a good one.

        Returns what went wrong: lost, altered, refused, or not there `within` more attempts.
        """
        item = self.device.press(SMALL_PHOTO_BYTES)
        self._attempt(item, up, down)
        wrong = self._misplaced(item)
        for _ in range(within):
            if self._row(item).state == State.PENDING:
                self._attempt(item, GOOD, GOOD)
                wrong += self._misplaced(item)
        row = self._row(item)
        if row.state != State.DELIVERED:
            wrong.append(f"not delivered afterwards, but {row.state}: {row.answer}")
        return wrong

    def _attempt(self, item: Item, up: Line, down: Line) -> None:
        self.line.cut()
        self.line.up, self.line.down = up, down
        clock = self.sender.clock
        clock.now_s = max(self._row(item).due_s, clock.now_s + BACK_OFF_CAP_S)
        self.sender.sync.step()

    def _row(self, item: Item) -> Item:
        return self.device.outbox.get(item.capture_id)

    def _misplaced(self, item: Item) -> list[str]:
        row, path = self._row(item), self.backend.received_file(item.capture_id)
        wrong = []
        if row.state not in KEPT:
            wrong.append(f"its state is {row.state}: {row.answer}")
        if hashlib.sha256(self.device.content(item)).hexdigest() != item.sha256:
            wrong.append("the device has other bytes")
        if row.state == State.DELIVERED and not path.exists():
            wrong.append("marked as delivered, and the backend does not have it")
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != item.sha256:
            wrong.append("the backend has other bytes")
        return wrong


@contextmanager
def mutual_rig(folder: Path, limits: Limits = QUICK) -> Iterator[MutualRig]:
    """A backend, a line and a device that has enrolled over a good one; ends with the block."""
    with (
        running_backend(folder / "backend", identity=True) as backend,
        FaultProxy(("127.0.0.1", backend.port)) as line,
        device_queue(folder / "device") as made,
    ):
        identity = enrolled(backend, folder, made.maker.device_id, made.key)
        own = identity.into(made.layout.sync_keys)
        url = f"https://127.0.0.1:{line.port}"
        with sender(made, backend, url=url, limits=limits, own=own) as sending:
            yield MutualRig(made, sending, line, backend)
