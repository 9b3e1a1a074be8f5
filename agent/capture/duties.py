"""The capture process's work of each second, with or without a press, and its end."""

import logging
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from agent.capture import lights
from agent.capture.battery import Battery, Charge
from agent.capture.camera_gate import CameraGate
from agent.capture.documents import Documents
from agent.capture.energy_meter import EnergyMeter
from agent.capture.housekeeping import Housekeeping
from agent.capture.lights import Light
from agent.config import Config
from agent.errors import ExitCode
from agent.models import rfc3339
from agent.process import sd_notify
from agent.queue.paths import Layout
from hardware.board import Board
from hardware.change_detector import ChangeDetector
from hardware.errors import DeviceError
from hardware.indicator import Signal
from hardware.power import PowerReading

_log = logging.getLogger(__name__)

TICK_S: Final = 1.0
"""Interval of the work: the sensor is off at a forbidden door, and the light right, within 1 s."""

FRAMES_MISSED_S: Final = 5.0
"""A streaming camera without a new frame for this long serves no press: the light says so.

A frame may have that long to come (`camera.frame_deadline_ms`), on a busy machine too.
"""

SHUT_DOWN_AGAIN_S: Final = 60.0
"""Interval at which an empty device that was not powered off asks for it again.

Each time starts a process, from the little that is left; a login has often ended by then.
"""

END_AFTER_S: Final = 3.0
"""Time from a fault to the end of the process, which darkens the light: enough to see the light.

The unit's watchdog waits 30 s.
"""

QUIET_AFTER_S: Final = 600.0
"""Time without a press after which the device is not in use: a reboot or update disturbs nobody."""


FIX_NOW_S: Final = 5.0
"""Greatest age of the newest fix of a receiver that has one: they come once a second."""


class Stage(StrEnum):
    """The stage of the process.

    SERVING: presses are served. ENDING: they are, until the last light was seen.
    STOPPED: earlier presses are served, and no new ones.
    """

    SERVING = "serving"
    ENDING = "ending"
    STOPPED = "stopped"


class ProcessEnding:
    """The stage of the process, and the exit code that it will have."""

    def __init__(self) -> None:
        self.stage = Stage.SERVING
        self.exit_code = ExitCode.DONE
        self._at_ns: int | None = None

    @property
    def has_begun(self) -> bool:
        """True if there is a reason to end, other than being stopped."""
        return self._at_ns is not None

    def begin(self, exit_code: ExitCode, now_ns: int) -> None:
        """End the process once its last light was seen; the first reason counts."""
        if self._at_ns is None:
            self.exit_code = exit_code
            self._at_ns = now_ns + int(END_AFTER_S * 1e9)
        if self.stage is Stage.SERVING:
            self.stage = Stage.ENDING

    def stop(self) -> None:
        """End the process after the current press."""
        self.stage = Stage.STOPPED

    def is_due(self, now_ns: int) -> bool:
        """Return True if the last light was seen."""
        return self._at_ns is not None and now_ns >= self._at_ns


class Duties:
    """Sensor, housekeeping, watchdog, idle light and battery, in this order.

    `status` may be called from any thread.

    Attributes:
        ending: the stage of the process.
        due_ns: when the next tick is; 0 for at once. CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        *,
        battery: Battery,
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
        self._battery = battery
        self._meter = EnergyMeter(Layout.of(config.state), config.power, now_ns)
        self._empty = ChangeDetector(last=False)
        self._not_off: ChangeDetector[str | None] = ChangeDetector(None)
        self._ask_from_ns = 0
        self._judge_from_ns = 0
        self._fed_by_ns: int | None = None
        self._lived_ns = now_ns
        self._frames_come = ChangeDetector(last=True)
        self._pressed_ns = now_ns  # perhaps, just before this process began
        self.ending = ProcessEnding()
        self.due_ns = 0

    def pressed(self, now_ns: int) -> None:
        """Note that a button was pressed."""
        self._pressed_ns = now_ns

    def status(self, now_ns: int) -> dict[str, Any]:
        """Return the part of the status that only this process knows."""
        power = self._board.power.read()
        return {
            "ready": self._is_ready(),
            "writable": self._housekeeping.may_write(),
            "streaming": self._board.camera.streaming,
            "frames_come": self._frames_come.last,
            "battery_pct": power.battery_pct,
            "external": power.external,
            "watts": power.watts,
            "energy": "; ".join(self._meter.troubles()) or "ok",
            **asdict(self._meter.energy.figures),
            "position": self._board.position.trouble() or "ok",
            "has_fix": self._has_fix(now_ns),
            "clock": self._board.clock.now().source,
            "simulated": self._board.simulated,
            "quiet": now_ns - self._pressed_ns >= QUIET_AFTER_S * 1e9,
            "fleet": self._documents.fleet.version,
            "fleet_refused": self._documents.fleet.refused,
            "recipients": self._documents.fleet.recipient_count,
            "manifest": self._documents.manifest.version(),
            "manifest_until": _time(self._documents.manifest.ends),
            "manifest_refused": self._documents.manifest.refused,
            "no_credentials": self._documents.credentials.missing,
            "evidence_until": _time(self._documents.evidence.ends),
            "serve_until": _time(self._documents.serve.ends),
        }

    def tick(self, now_ns: int, *, is_looking: bool) -> None:
        """Do all duties; `is_looking` is True while codes are read."""
        self.due_ns = now_ns + int(TICK_S * 1e9)
        try:
            self._gate.tick(now_ns, is_looking=is_looking)  # first: a slow card must not hold it on
        except DeviceError as error:
            self.camera_failed(error, now_ns, silent=not is_looking)
        self._housekeeping.tick()
        self._feed_watchdog(now_ns)
        power = self._board.power.read()
        self._judge(power, now_ns)
        charge = self._battery.charge
        if self._light.is_seen(now_ns):
            self._light.idle(self._idle_signal(charge, external=bool(power.external)))
        self._handle_battery(charge, now_ns)
        if self.ending.is_due(now_ns):
            self.ending.stop()

    def end(self) -> None:
        """Keep the energy of the shift for the next process of this boot."""
        self._meter.keep()

    def camera_failed(self, error: DeviceError, now_ns: int, *, silent: bool = True) -> None:
        """Log a fault of the camera outside a press once, and end the process.

        The light is `silent` unless somebody waits for the camera.
        """
        if self.ending.has_begun:
            return
        _log.error("event=camera_fault error=%r", str(error))
        self._light.show(Signal.FAULT, silent=silent)
        self.ending.begin(ExitCode.FAULT, now_ns)

    def _judge(self, power: PowerReading, now_ns: int) -> None:
        """Let a reading count, one a second: presses, windows and lifts make more ticks."""
        if now_ns < self._judge_from_ns:
            return
        self._judge_from_ns = now_ns + int(TICK_S * 1e9)
        energy = self._meter.take(power, self._board.motion.trouble(), now_ns)
        self._battery.take(power, energy.hours_left, is_silent=self._meter.is_gauge_silent())

    def _idle_signal(self, charge: Charge, *, external: bool) -> Signal:
        ready = self._housekeeping.is_whole() if external else self._is_ready()
        return lights.idle(
            ready=ready,
            bench=self._bench,
            external=external,
            charge=charge,
            counts=self._housekeeping.counts() if external else None,
            shut_out=self._housekeeping.is_shut_out,
        )

    def _is_ready(self) -> bool:
        return self._frames_come.last and self._housekeeping.is_ready()

    def _handle_battery(self, charge: Charge, now_ns: int) -> None:
        """Power off if the battery is empty; if that is not permitted, ask again later."""
        if self._empty.changed(charge is Charge.EMPTY) and self._empty.last:
            _log.error("event=battery_empty")
        if self._empty.last and now_ns >= self._ask_from_ns:
            self._ask_from_ns = now_ns + int(SHUT_DOWN_AGAIN_S * 1e9)
            self._shut_down(now_ns)

    def _shut_down(self, now_ns: int) -> None:
        if not self._light.shows(Signal.FAULT):
            self._light.show(Signal.FAULT, silent=True)
        try:
            self._board.power.shut_down()
        except DeviceError as error:
            if self._not_off.changed(str(error)):
                _log.error(
                    "event=shut_down_failed error=%r meaning=presses_are_refused", str(error)
                )
        else:
            _log.info("event=shut_down")
            self.ending.begin(ExitCode.DONE, now_ns)

    def _has_fix(self, now_ns: int) -> bool:
        fix = self._board.position.last_fix()
        return fix is not None and now_ns - fix.received_ns <= FIX_NOW_S * 1e9

    def _feed_watchdog(self, now_ns: int) -> None:
        """Feed the watchdog, unless the camera streams and gave no new frame since the last time.

        The age of a frame does not count: on a busy machine each is late, and none is missing.
        """
        camera, frame_ns = self._board.camera, self._board.camera.last_frame_ns
        if not camera.streaming or (frame_ns is not None and frame_ns != self._fed_by_ns):
            self._fed_by_ns, self._lived_ns = frame_ns, now_ns
            sd_notify.alive()
        missed_s = (now_ns - self._lived_ns) / 1e9
        if not self._frames_come.changed(now=missed_s < FRAMES_MISSED_S):
            return
        if self._frames_come.last:
            _log.info("event=frames_come")
        else:
            meaning = "not_ready_and_the_watchdog_is_not_fed"
            _log.error("event=frames_missed after_s=%.0f meaning=%s", missed_s, meaning)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
