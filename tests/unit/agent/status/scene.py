"""A device with a real queue and files; its processes say over their sockets what a test sets."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from agent.command import state_access
from agent.config import load
from agent.models import CaptureId, rfc3339
from agent.process import control
from agent.queue.outbox import Outbox
from agent.status import document as status
from agent.status.values import QueueFailed, QueuePart, Status, plain
from tests.support.device import Device
from tests.support.factory import RecordMaker, add, queue

SAID: Mapping[str, Mapping[str, Any]] = {
    "capture": {
        "ready": True,
        "writable": True,
        "simulated": False,
        "quiet": False,
        "position": "ok",
        "clock": "gnss",
        "fleet": 12,
        "fleet_refused": None,
        "manifest": 1795656498,
        "manifest_refused": None,
        "manifest_until": "2126-12-01T20:00:00.000Z",
        "no_credentials": None,
        "energy": "ok",
        "used_wh": 4,
        "hours_left": 6,
        "mean_w": 1.35,
        "evidence_until": "9999-12-31T23:59:59.000Z",
        "serve_until": None,
    },
    "sync": {
        "state": "idle",
        "last_contact": "2026-12-01T09:15:07.412Z",
        "last_answer": "delivered",
        "pause": None,
        "waits_s": 0.0,
        "hindrance": None,
        "tls_until": "2126-11-26T05:40:01.000Z",
        "identity_trouble": None,
    },
}
"""Status of a device without a trouble."""


def ago(**since: float) -> str:
    return rfc3339(datetime.now(UTC) - timedelta(**since))


@dataclass
class Scene:
    """A device that is well and has nothing to send, until a test says otherwise.

    Attributes:
        said: what capture and sync say; None for who does not run.
        now: the time by the device's own clock.
    """

    folder: Path
    now: datetime | None = None
    said: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the queue, as capture's first start does."""
        identity = {"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"}
        self._settings: dict[str, Any] = {"identity": identity, "backend": {"receipt_keys": ()}}
        self._settings["policy"] = {"manifest": "required"}
        self.device = Device(self.folder, **self._settings)
        self.layout, self._database, self.outbox = queue(self.folder)
        self.outbox.counts()  # makes the schema
        self._maker = RecordMaker()
        self.said = {name: dict(told) for name, told in SAID.items()}

    def configure(self, **changes: Mapping[str, Any]) -> None:
        self.device.configure(**{**self._settings, **changes})

    def add(self, **label: Any) -> CaptureId:
        """Add one record, by default an hour old."""
        return add(self.outbox, self._maker.make(**{"utc": ago(hours=1), **label})).label.capture_id

    def say(self, process: str, **told: Any) -> None:
        """A running process says this too."""
        self.said[process] = {**SAID[process], **told}

    def damage(self) -> CaptureId:
        """Add one record, whose file is gone."""
        name = self.add()
        self.outbox.mark_damaged(self.outbox.get(name), "its file is gone")
        return name

    def document(self) -> dict[str, Any]:
        """The status as JSON types."""
        made: dict[str, Any] = plain(self.status())
        return made

    def status(self, kept: QueuePart | QueueFailed | None = None) -> Status:
        """As `doorstep status` puts it together; by the `kept` queue if there is one."""
        config = load(self.device.config)
        with ExitStack() as running, state_access.open_queue(config) as outbox:
            for process, told in self.said.items():
                if told is not None:
                    answer = partial(_answer, told)
                    running.enter_context(control.serve(self.layout.socket(process), answer))
            return status.document(config, kept or status.queue_part(outbox), now=self.now)

    def close(self) -> None:
        self._database.close()


def _answer(told: dict[str, Any], *_: object) -> dict[str, Any]:
    return told


def suspected(outbox: Outbox, name: CaptureId, answer: str) -> None:
    outbox.schedule_retry(outbox.get(name), 1e9, answer, suspected=True)
