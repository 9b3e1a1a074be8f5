"""A device that sends its records to a scripted server: what most tests of sync begin with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.models import Item
from tests.support.rawserver import RawServer, raw_server
from tests.support.sending import DeviceQueue, Sender, device_queue, sender
from tests.support.tusscript import TusScript


@dataclass
class Line:
    """A device with its sender, and the server under the test's control at the other end."""

    device: DeviceQueue
    server: RawServer
    tus: TusScript
    sender: Sender

    def steps(self, count: int, after_s: float = 0.0) -> None:
        """Let some seconds pass, and the loop make so many steps."""
        self.sender.clock.now_s += after_s
        for _ in range(count):
            self.sender.sync.step()

    def answer(self, item: Item) -> str | None:
        return self.device.outbox.get(item.capture_id).answer

    def wait_s(self, item: Item) -> float:
        return self.device.outbox.get(item.capture_id).due_s - self.sender.clock.now_s

    @property
    def alarms(self) -> int:
        return self.device.outbox.counts().suspected


@contextmanager
def open_line(folder: Path, path: str = "", **how: Any) -> Iterator[Line]:
    """A line to a server whose tus pages are below `path`; the rest are options of the sender."""
    with (
        raw_server(folder) as server,
        device_queue(folder / "device") as made,
        sender(made, server, url=server.base_url + path, **how) as sending,
    ):
        server.script = tus = TusScript(server)
        yield Line(made, server, tus, sending)
