"""What the capture process does once a second, pressed or not, and how it ends."""

import logging
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from agent.capture import lights
from agent.capture.battery import is_empty
from agent.capture.camera_gate import CameraGate
from agent.capture.documents import Documents
from agent.capture.housekeeping import Housekeeping
from agent.capture.lights import Light
from agent.config import Config
from agent.errors import ExitCode
from agent.models import rfc3339
from agent.process import sd_notify
from hardware.board import Board
from hardware.errors import DeviceError
from hardware.indicator import Signal
from hardware.power import PowerReading

_log = logging.getLogger(__name__)

TICK_S: Final = 1.0
"""How often: within a second the sensor is off at a forbidden door, and the light is right."""

FRAME_STALE_S: Final = 2.0
"""A streaming camera without a frame for this long no longer proves life; 60 frames at 30 fps."""

END_AFTER_S: Final = 3.0
"""From a fault that ends the process to its end, where the light goes out: long enough to be seen.

The unit's watchdog waits 30 s.
"""

QUIET_AFTER_S: Final = 600.0
"""Without a press for so long nobody is at work with it: a reboot or an update disturbs nobody."""


class Stage(StrEnum):
    """How far the process is.

    SERVING: presses are served. ENDING: so they are, until the last light was seen.
    STOPPED: what was pressed before is served, and nothing else.
    """

    SERVING = "serving"
    ENDING = "ending"
    STOPPED = "stopped"


class Ending:
    """The stage of the process, and the exit code that it will have."""

    def __init__(self) -> None:
        self.stage = Stage.SERVING
        self.exit_code = ExitCode.DONE
        self._at_ns: int | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there is a reason to end, other than being stopped."""
        return self._at_ns is not None

    def begin(self, exit_code: ExitCode, now_ns: int) -> None:
        """End the process once its last light was seen; the first reason counts."""
        if self._at_ns is None:
            self.exit_code = exit_code
            self._at_ns = now_ns + int(END_AFTER_S * 1e9)
        if self.stage is Stage.SERVING:
            self.stage = Stage.ENDING

    def stop(self) -> None:
        """End it after the press in hand."""
        self.stage = Stage.STOPPED

    def is_due(self, now_ns: int) -> bool:
        """Whether the last light was seen."""
        return self._at_ns is not None and now_ns >= self._at_ns


class Duties:
    """Sensor, housekeeping, watchdog, idle light and battery, in this order.

    `status` may be called from any thread.

    Attributes:
        ending: the stage of the process.
        due_ns: when the next turn is; 0 for at once. CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        *,
        documents: Documents,
        gate: CameraGate,
        housekeeping: Housekeeping,
        light: Light,
        now_ns: int,
    ) -> None:
        self._bench = config.device.bench_mode
        self._board = board
        self._documents = documents
        self._gate = gate
        self._housekeeping = housekeeping
        self._light = light
        self._was_empty = False
        self._pressed_ns = now_ns  # perhaps, just before this process began
        self.ending = Ending()
        self.due_ns = 0

    def pressed(self, now_ns: int) -> None:
        """A button was pressed."""
        self._pressed_ns = now_ns

    def status(self, now_ns: int) -> dict[str, Any]:
        """What only this process knows."""
        return {
            "ready": self._housekeeping.is_ready(),
            "writable": self._housekeeping.may_write(),
            "streaming": self._board.camera.streaming,
            "position": self._board.position.trouble() or "ok",
            "clock": self._board.clock.now().source,
            "simulated": self._board.simulated,
            "quiet": now_ns - self._pressed_ns >= QUIET_AFTER_S * 1e9,
            "fleet": self._documents.fleet.version,
            "fleet_refused": self._documents.fleet.refused,
            "manifest": self._documents.manifest.version(),
            "manifest_until": _time(self._documents.manifest.ends),
            "manifest_refused": self._documents.manifest.refused,
            "evidence_until": _time(self._documents.evidence.ends),
            "serve_until": _time(self._documents.serve.ends),
        }

    def turn(self, now_ns: int, *, is_looking: bool) -> None:
        """Do them all; `is_looking` says whether codes are read just now."""
        self.due_ns = now_ns + int(TICK_S * 1e9)
        try:
            self._gate.turn(now_ns, is_looking=is_looking)  # first: a slow card must not hold it on
        except DeviceError as error:
            self.camera_failed(error, now_ns)
        self._housekeeping.turn()
        if self._lives(now_ns):
            sd_notify.alive()
        power = self._board.power.read()
        if self._light.is_seen(now_ns):
            self._light.idle(self._idle_signal(power))
        if is_empty(power) and not self._was_empty:
            self._shut_down(now_ns)
        self._was_empty = is_empty(power)
        if self.ending.is_due(now_ns):
            self.ending.stop()

    def camera_failed(self, error: DeviceError, now_ns: int) -> None:
        """A fault of the camera outside a press: told once, and the process ends."""
        if self.ending.has_begun:
            return
        _log.error("event=camera_fault error=%r", str(error))
        self._light.show(Signal.FAULT)
        self.ending.begin(ExitCode.FAULT, now_ns)

    def _idle_signal(self, power: PowerReading) -> Signal:
        counts = self._housekeeping.counts() if power.external else None
        ready = self._housekeeping.may_write() if power.external else self._housekeeping.is_ready()
        return lights.idle(ready=ready, bench=self._bench, power=power, counts=counts)

    def _shut_down(self, now_ns: int) -> None:
        _log.error("event=battery_empty")
        self._light.show(Signal.FAULT)
        try:
            self._board.power.shut_down()
        except DeviceError as error:
            _log.error("event=shut_down_failed error=%r meaning=presses_are_refused", str(error))
        else:
            _log.info("event=shut_down")
            self.ending.begin(ExitCode.DONE, now_ns)

    def _lives(self, now_ns: int) -> bool:
        camera = self._board.camera
        if not camera.streaming:
            return True
        last_ns = camera.last_frame_ns
        return last_ns is not None and now_ns - last_ns < FRAME_STALE_S * 1e9


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
