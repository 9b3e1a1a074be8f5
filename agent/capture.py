"""One press to one durable record, with a photo or with the reason why there is none."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, assert_never

from agent import __version__, jpeg, policy, quality, record, route, shutter
from agent.config import Config
from agent.errors import StorageFault, StorageFull
from agent.exif import GpsFacts, PhotoFacts, stamp
from agent.journal import Journal, NotQueued, new_id
from agent.models import FAULTS, UNASSIGNED, CaptureId, Kind, Label, Reason, Stop, Verdict
from agent.policy import Allowed, Refused
from agent.record import Photo, Setting, Trigger
from agent.scanning import Code
from agent.shift import Shift
from hardware.board import Board
from hardware.clock import Moment
from hardware.errors import DeviceError
from hardware.indicator import Signal
from hardware.position import Fix
from hardware.power import PowerReading
from hardware.settings import PositionKind

_log = logging.getLogger(__name__)

JPEG_QUALITY_PCT: Final = 85
"""About 400 KB at 2304x1296; more shows nothing more of a doorstep."""

RETAKE_WINDOW_S: Final = 20.0
"""How long a retake may follow. Source: design section 9."""

EMPTY_BELOW_PCT: Final = 5
"""Battery below which no press is served any more. Source: design section 9."""

_RETAKE: Final = frozenset({Verdict.BLURRED, Verdict.COVERED})
"""What a second try can mend; dark and rain it cannot. Source: design section 9."""


@dataclass(frozen=True, slots=True)
class Press:
    """One press of a button, or a command that stands for one.

    Attributes:
        code: what was scanned.
        unlit_ns: exposures before it may show the lamp of a scan window.
    """

    edge_ns: int
    trigger: Trigger
    code: Code | None = None
    unlit_ns: int = 0


@dataclass(frozen=True, slots=True)
class Served:
    """A press that left its record.

    Attributes:
        signal: what the driver is shown.
        stop: as the record has it.
        label_settles: whether a label held up could change a refusal.
        ends: whether the process must end, since the camera is of no more use in it.
    """

    label: Label
    record: dict[str, Any]
    signal: Signal
    stop: Stop = UNASSIGNED
    label_settles: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Unserved:
    """A press whose record could not be written, or not yet be queued: red, and a line in the log.

    Attributes:
        label: of the record that is safe but not yet queued; None where there is none.
        ends: as in `Served`.
    """

    error: str
    label: Label | None = None
    ends: bool = False


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known at a press."""

    press: Press
    moment: Moment
    fix: Fix | None
    power: PowerReading
    setting: Setting


class Capture:
    """Serves presses; whoever calls it gives the devices' time to nothing else.

    `has_room` says whether a photo may be written; `now_ns` tells CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        journal: Journal,
        *,
        shift: Shift,
        has_room: Callable[[], bool],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._now_ns = now_ns
        self._has_room = has_room
        self._config = config
        self._board = board
        self._journal = journal
        self._shift = shift
        self._method = "MANUAL" if config.position.kind is PositionKind.FIXED else "GPS"
        self._asked: tuple[CaptureId, str | None, int] | None = None

    def photo(self, press: Press) -> Served | Unserved:
        """Serve one press: exactly one record, unless nothing can be written.

        What it returns is durable; only then may the driver see green, amber or blue.
        """
        board = self._board
        moment = board.clock.at(press.edge_ns)
        fix, power = board.position.last_fix(), board.power.read()
        facts = _Facts(press, moment, fix, power, self._setting())
        try:
            if reason := self._obstacle(facts.power):
                return self._no_photo(facts, reason)
            return self._by_rule(facts)
        except DeviceError as error:
            _log.error("event=camera_fault error=%r", str(error))
            return self._instead(facts, Reason.CAMERA_FAULT, ends=True)
        except NotQueued as error:
            return _unserved(error)
        except StorageFull as error:
            _log.error("event=storage_full error=%r", str(error))
            return self._instead(facts, Reason.STORAGE_FULL)
        except StorageFault as error:
            _log.error("event=storage_fault error=%r", str(error))
            return self._instead(facts, Reason.STORAGE_FAULT)

    def void(self, press: Press, about: CaptureId) -> Served | Unserved:
        """Take the record `about` back; `press` is the scan button's."""
        moment = self._board.clock.at(press.edge_ns)
        text = record.void_record(self._setting(), press.trigger, self._board.power.read())
        try:
            label = self._journal.keep(Kind.VOID, moment, text, about=about)
        except StorageFault as error:
            return _unserved(error)
        self._asked = None
        return Served(label, text, Signal.NO_PHOTO)

    def _obstacle(self, power: PowerReading) -> Reason | None:
        if is_empty(power):
            return Reason.BATTERY_EMPTY
        return None if self._has_room() else Reason.STORAGE_FULL

    def _by_rule(self, facts: _Facts) -> Served:
        """The eye opens only where the rule allows it."""
        circle = route.where(facts.fix, facts.press.edge_ns, self._config.policy.eph_factor)
        match policy.decide(self._shift.today(), circle, facts.press.code):
            case Allowed(stop, practice):
                return self._take(facts, stop, practice=practice)
            case Refused(reason, stop, label_settles):
                return self._no_photo(facts, reason, stop, label_settles=label_settles)
            case other:
                assert_never(other)

    def _setting(self) -> Setting:
        return Setting(simulated=self._board.simulated, manifest=self._shift.version())

    def _take(self, facts: _Facts, stop: Stop, *, practice: bool) -> Served:
        board, press = self._board, facts.press
        deadline_s = self._config.camera.frame_deadline_ms / 1000
        after_ns = max(press.edge_ns, press.unlit_ns)
        shot = shutter.shoot(board.camera, board.lamp, after_ns, deadline_s)
        board.indicator.show(Signal.EXPOSED)
        frame = shot.frame
        report = quality.assess(frame.pixels, self._config.quality, shot.sharpness)
        capture_id = new_id()
        image = stamp(
            jpeg.encode(frame.pixels, JPEG_QUALITY_PCT), self._exif(capture_id, shot, facts)
        )
        digest = hashlib.sha256(image).hexdigest()
        retake_of = self._retaken(press.edge_ns, stop)
        text = record.photo_record(
            facts.setting,
            press.trigger,
            Photo(digest, len(image), frame, shot.lamp, press.edge_ns),
            report,
            stop=stop,
            fix=facts.fix,
            power=facts.power,
            retake_of=retake_of,
        )
        kind = Kind.TEST if practice or self._config.device.bench_mode else Kind.PHOTO
        label = self._journal.keep(kind, facts.moment, text, image, capture_id=capture_id)
        return Served(label, text, self._ask(label, stop, report.verdict, retake_of), stop)

    def _exif(self, capture_id: CaptureId, shot: shutter.Shot, facts: _Facts) -> PhotoFacts:
        frame = shot.frame
        height_px, width_px = frame.pixels.shape[:2]
        return PhotoFacts(
            capture_id=capture_id,
            device_id=self._config.device.id,
            make="Doorstep",
            model=f"Doorstep {self._config.camera.kind}",
            software=f"doorstep {__version__}",
            utc=self._board.clock.at(frame.sensor_time_ns).utc,
            width_px=width_px,
            height_px=height_px,
            exposure_us=frame.exposure_us,
            gain=frame.gain,
            position=_gps(record.fresh(facts.fix, facts.press.edge_ns), self._method),
        )

    def _retaken(self, edge_ns: int, stop: Stop) -> CaptureId | None:
        """What this photo takes the place of: the one asked for again just now, at this stop."""
        asked, self._asked = self._asked, None
        is_it = asked is not None and edge_ns <= asked[2] and stop.id == asked[1]
        return asked[0] if asked and is_it else None

    def _ask(
        self, label: Label, stop: Stop, verdict: Verdict, retake_of: CaptureId | None
    ) -> Signal:
        """Ask for one retake where a second try can mend it, never for a retake of a retake."""
        if verdict not in _RETAKE or retake_of is not None:
            return Signal.SAVED
        until_ns = self._now_ns() + int(RETAKE_WINDOW_S * 1e9)
        self._asked = (label.capture_id, stop.id, until_ns)
        return Signal.ONCE_MORE

    def _no_photo(
        self,
        facts: _Facts,
        reason: Reason,
        stop: Stop = UNASSIGNED,
        *,
        label_settles: bool = False,
        ends: bool = False,
    ) -> Served:
        self._asked = None
        setting, trigger = facts.setting, facts.press.trigger
        text = record.no_photo_record(setting, trigger, reason, facts.power, stop)
        label = self._journal.keep(Kind.NO_PHOTO, facts.moment, text)
        signal = Signal.FAULT if reason in FAULTS else Signal.NO_PHOTO
        return Served(label, text, signal, stop, label_settles, ends)

    def _instead(self, facts: _Facts, reason: Reason, *, ends: bool = False) -> Served | Unserved:
        """Leave a record without photo in place of what failed, if that much can be written."""
        try:
            return self._no_photo(facts, reason, ends=ends)
        except NotQueued as error:
            return _unserved(error, ends=ends)
        except StorageFault as error:
            _log.critical("event=press_lost reason=%s error=%r", reason, str(error))
            return Unserved(str(error), ends=ends)


def _unserved(error: StorageFault, *, ends: bool = False) -> Unserved:
    _log.error("event=storage_fault error=%r", str(error))
    label = error.label if isinstance(error, NotQueued) else None
    return Unserved(str(error), label, ends)


def is_empty(power: PowerReading) -> bool:
    """Whether the battery has too little for another record, and nothing feeds it."""
    level_pct = power.battery_pct
    return level_pct is not None and level_pct < EMPTY_BELOW_PCT and not power.external


def _gps(fix: Fix | None, method: str) -> GpsFacts | None:
    if fix is None:
        return None
    return GpsFacts(
        lat_deg=fix.lat_deg,
        lon_deg=fix.lon_deg,
        mode=fix.mode,
        alt_m=fix.alt_m,
        accuracy_m=fix.eph_m,
        hdop=fix.hdop,
        satellites=fix.satellites,
        utc=fix.utc,
        method=method,
    )
