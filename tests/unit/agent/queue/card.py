"""The state folder of a device whose records are whole, queued or lost."""

from pathlib import Path

from agent.models import RecordState
from agent.queue import recovery
from agent.queue.paths import Layout
from agent.queue.recovery import Swept
from tests.support.benchtop import bench
from tests.support.factory import MOMENT, Made, RecordMaker, add, queue


class Card:
    """A state folder and the device whose records are in it."""

    def __init__(self, folder: Path) -> None:
        self.layout, database, self.outbox = queue(folder)
        self.close = database.close
        self.device = RecordMaker()
        self.cursor = recovery.Cursor()
        self.signs_of_life = 0

    def sweep(self) -> Swept:
        keys = [self.device.key.public_key()]
        return recovery.sweep(self.layout, self.outbox, keys, self.live, self.cursor)

    def live(self) -> None:
        self.signs_of_life += 1

    def made(self) -> Made:
        """A record whose file is in place, without a row."""
        made = self.device.make()
        made.into(self.layout.records)
        return made

    def queued(self, state: RecordState = RecordState.PENDING) -> Made:
        made = add(self.outbox, self.made())
        item = self.outbox.get(made.label.capture_id)
        match state:
            case RecordState.DELIVERED | RecordState.PRUNED:
                self.outbox.mark_delivered(item, "a receipt", MOMENT)
            case RecordState.REFUSED:
                self.outbox.mark_refused(item, "a refusal", MOMENT, "damaged")
            case RecordState.DAMAGED:
                self.outbox.mark_damaged(item, "its file holds other bytes")
            case RecordState.PENDING:
                pass
        if state is RecordState.PRUNED:
            self.outbox.mark_pruned([item.capture_id])
        return made

    def state(self, made: Made) -> RecordState:
        return self.outbox.get(made.label.capture_id).state

    def torn(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.layout.torn.iterdir()}


def pressed(folder: Path, times: int = 1) -> Layout:
    """Return the state of a device that ended after so many presses."""
    with bench(folder) as device:
        for _ in range(times):
            device.press()
    return device.layout
