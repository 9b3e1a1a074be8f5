"""The demo's driver: carries a device from door to door and presses its buttons."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from agent.config import load
from agent.errors import DoorstepError
from agent.models import Reason, RecordState
from agent.record import receipt
from agent.rule import manifest
from agent.trust.keys import current_fleet_document
from agent.trust.store import TrustStore
from doorstep_backend.office.orders import Order
from hardware.indicator import Signal
from tests.demo import lights
from tests.demo.receiver import Place, Receiver
from tests.demo.story import Step, place
from tests.support.device import Device

ANOTHER_PRESS_S: Final = 0.7
"""Presses within 0.6 s count once."""

RULE_S: Final = 1.2
"""The rule is asked once a second."""

SOON_S: Final = 15.0
"""Longest wait for what takes a second or two on a laptop."""

SENSOR_ON: Final = "event=sensor on=true"
"""Log line of the simulated camera when its sensor begins to expose."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A press and the record it left.

    Attributes:
        step: of the story; None for the void of a press.
        shut_after_s: at a door without photos, when after the arrival the sensor had stopped.
        stayed_shut: there, whether it exposed no frame from then until the press was answered.
    """

    number: int
    device_id: str
    step: Step | None
    label: dict[str, Any]
    record: dict[str, Any]
    light: str
    shut_after_s: float | None = None
    stayed_shut: bool | None = None

    @property
    def capture_id(self) -> str:
        """The record's id."""
        return str(self.label["capture_id"])


class DemoDevice:
    """A device on the road: its processes, its receiver, and a finger on its buttons."""

    def __init__(self, device_id: str, processes: Device, receiver: Receiver) -> None:
        self.device_id = device_id
        self.processes = processes
        self.receiver = receiver
        self._window: int | None = None
        self._port: int | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start both processes, and wait for a route; returns `capture`."""
        capture = self.processes.start("capture")
        self.processes.start("sync")
        self.wait_for_route(None)
        return capture

    def serve(self) -> int:
        """Start `doorstep serve`, unless it runs; returns its port."""
        if self._port is None:
            self.processes.start("serve", ready=False)
            listens = re.compile(r"event=serving listen=127\.0\.0\.1:(\d+)")
            self._wait("server", lambda: listens.search(self.processes.log("serve")) is not None)
            self._port = int(listens.findall(self.processes.log("serve"))[-1])
        return self._port

    def wait_for_route(self, before: int | None) -> None:
        """Until the manifest in hand is another one than `before`."""
        self._wait("a new route", lambda: self.version() not in {None, before})

    def version(self) -> int | None:
        """Return the version of the present manifest; None without one."""
        version = self._status()["manifest"]
        return version if isinstance(version, int) else None

    def route(self) -> manifest.Manifest:
        """Return the route on the device's card, verified as the device does."""
        token = TrustStore(self.processes.layout).manifest()
        assert token is not None
        keys = current_fleet_document(load(self.processes.config)).manifest_keys
        return manifest.read(token, receipt.public(keys), self.device_id)

    def pass_by(self, order: Order) -> bool:
        """Drive past a door; whether the camera stayed shut."""
        self.receiver.carry_to(Place(order.lat_deg, order.lon_deg, 4.5))
        begun = len(self._log())
        time.sleep(RULE_S)
        return SENSOR_ON not in self._log()[begun:]

    def press(self, number: int, step: Step, order: Order) -> Pressed:
        """Go to the step's door, hold up the label if there is one, and press or hand over."""
        self.receiver.carry_to(place(step, order))
        is_dark = step.comes_to is Reason.NO_PHOTO_STOP and not step.label
        shut = self._shut() if is_dark else None
        time.sleep(ANOTHER_PRESS_S if shut is None else RULE_S)
        if step.label:
            self._read_label()
        read = self._labels_read()
        hands_over = step.comes_to is Reason.HANDED_OVER
        reply = self._ask({"hand_over": True} if hands_over else {"press": "photo"})
        reason = reply["record"].get("reason")
        reads = reason not in {None, Reason.NO_PHOTO_STOP, Reason.HANDED_OVER}
        self._window = read if reads else None
        return self._pressed(number, step, reply, shut)

    def take_back(self, number: int) -> Pressed:
        """Hold the scan button until the last press is void."""
        return self._pressed(number, None, self._ask({"hold": "scan", "seconds": 2.1}))

    def kill(self) -> None:
        """End the capture process as a crash does, without a satellite; start it again."""
        self.receiver.carry_to(None)
        self.processes.stop("capture", signal.SIGKILL)
        self.processes.start("capture")
        self.wait_for_route(None)

    def not_let_in(self) -> str:
        """Wait until sync pauses since the backend lets this device in no more; how it says so."""
        self._wait("pause of sync", lambda: self._pause() is not None)
        return str(self._pause())

    def waiting(self) -> set[str]:
        """The ids of the records that are still to be sent."""
        rows = self.processes.queue()
        return {str(row["capture_id"]) for row in rows if row["state"] == RecordState.PENDING}

    def sync(self) -> bool:
        """Send what waits and fetch the route by `doorstep sync --once`; whether all was sent."""
        sent = self.processes.run("sync", "--once")
        if sent.returncode != 0:
            print(f"   {self.device_id}: {sent.stdout.strip()}{sent.stderr.strip()}", flush=True)
        return sent.returncode == 0

    def _shut(self) -> tuple[float, int]:
        """Wait for the rule to stop the camera; returns after how long, and the log's length."""
        arrived_s = time.monotonic()
        self._wait("a camera that stops", lambda: not self._status()["streaming"])
        return time.monotonic() - arrived_s, len(self._log())

    def _read_label(self) -> None:
        """By the window that a refusal has opened, else by one of the scan button's."""
        before = self._window
        if before is not None:
            self._wait("a label that is read", lambda: self._labels_read() > before)
            return
        answer = self._ask({"press": "scan"})
        if answer["scan"] != "a label was read: press now":
            sys.exit(f"{self.device_id}: no label was read: {answer['scan']}")

    def _pressed(
        self,
        number: int,
        step: Step | None,
        reply: dict[str, Any],
        shut: tuple[float, int] | None = None,
    ) -> Pressed:
        label, log = reply["label"], self._log()
        kept = re.search(rf"event=kept kind=\w+ signal=(\w+) id={label['capture_id']}", log)
        assert kept, log
        return Pressed(
            number,
            self.device_id,
            step,
            label,
            reply["record"],
            lights.name(Signal(kept.group(1))),
            None if shut is None else shut[0],
            None if shut is None else SENSOR_ON not in log[shut[1] : kept.start()],
        )

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            reply = self.processes.ask("capture", request)
        except DoorstepError as error:
            sys.exit(f"{self.device_id}: {error}")
        if reply is None:
            sys.exit(f"{self.device_id}: capture does not run:\n{self._log()[-2000:]}")
        return reply

    def _status(self) -> dict[str, Any]:
        return self._ask({"status": True})

    def _pause(self) -> str | None:
        pause = (self.processes.ask("sync", {"status": True}) or {}).get("pause")
        return None if pause is None else str(pause)

    def _labels_read(self) -> int:
        return self.processes.lights().count("label_read")

    def _log(self) -> str:
        return self.processes.log("capture")

    def _wait(self, what: str, is_so: Callable[[], bool]) -> None:
        until_s = time.monotonic() + SOON_S
        while not is_so():
            if time.monotonic() > until_s:
                sys.exit(
                    f"{self.device_id}: no {what} within {SOON_S:.0f} s:\n{self._log()[-2000:]}"
                )
            time.sleep(0.05)
