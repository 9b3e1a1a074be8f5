"""One press to one durable record, with a photo or with the reason why there is none."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, assert_never

from agent import __version__
from agent.capture import burst, jpeg, quality, record_json
from agent.capture.chain import Chain, NotQueued, new_id
from agent.capture.exif import GpsFacts, PhotoFacts, stamp
from agent.capture.lights import Light
from agent.capture.record_json import Photo, Setting, Trigger
from agent.capture.situation import Situation
from agent.config import Config
from agent.errors import StorageFault, StorageFull
from agent.models import FAULTS, UNASSIGNED, CaptureId, Kind, Label, Reason, Stop, Verdict
from agent.rule import policy
from agent.rule.policy import Allowed, Refused
from hardware.board import Board
from hardware.errors import DeviceError
from hardware.indicator import Signal
from hardware.position import Fix
from hardware.power import PowerReading
from hardware.settings import PositionKind

_log = logging.getLogger(__name__)

JPEG_QUALITY_PCT: Final = 85
"""About 400 KB at 2304x1296; more shows nothing more of a doorstep."""

RETAKE_WINDOW_S: Final = 20.0
"""How long a retake may follow: the driver is still at the door."""

VOID_WINDOW_S: Final = 30.0
"""How long after a press it can be taken back: later the driver may mean another one."""

EMPTY_BELOW_PCT: Final = 5
"""Battery below which no press is served any more: what is left is for an orderly end."""

_RETAKE: Final = frozenset({Verdict.BLURRED, Verdict.COVERED})
"""What a second try can mend; dark and rain it cannot."""


@dataclass(frozen=True, slots=True)
class Press:
    """One press of a button, or a command that stands for one.

    Attributes:
        known: what was known at its first edge.
        unlit_ns: exposures before it may show the lamp of a scan window.
    """

    known: Situation
    trigger: Trigger
    unlit_ns: int = 0

    @property
    def edge_ns(self) -> int:
        """CLOCK_MONOTONIC of its first edge."""
        return self.known.moment.monotonic_ns


@dataclass(frozen=True, slots=True)
class Served:
    """A press that left its record.

    Attributes:
        signal: what the driver is shown.
        answer: the rule's; None where it was not asked, or something failed.
        ends: whether the process must end, since the camera is of no more use in it.
    """

    label: Label
    record: dict[str, Any]
    signal: Signal
    answer: Allowed | Refused | None = None
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Unserved:
    """A press whose record could not be written, or not yet be queued: red, and a line in the log.

    Attributes:
        label: of the record that is safe but not yet queued; None where there is none.
        answer, ends: as in `Served`.
    """

    error: str
    label: Label | None = None
    answer: Allowed | Refused | None = None
    ends: bool = False


class Capture:
    """Serves presses; whoever calls it gives the devices' time to nothing else.

    `has_room` says whether a photo may be written; `now_ns` tells CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        chain: Chain,
        light: Light,
        *,
        has_room: Callable[[], bool],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._now_ns = now_ns
        self._has_room = has_room
        self._config = config
        self._board = board
        self._chain = chain
        self._light = light
        self._method = "MANUAL" if config.position.kind is PositionKind.FIXED else "GPS"
        self._asked: tuple[CaptureId, str | None, int] | None = None
        self._last: tuple[CaptureId, int] | None = None

    def photo(self, press: Press) -> Served | Unserved:
        """Serve one press: exactly one record, unless nothing can be written.

        What it returns is durable; only then may the driver see green, amber or blue.
        """
        served = self._serve(press)
        label = served.label
        self._last = (label.capture_id, press.edge_ns) if label and made_photo(served) else None
        return served

    def _serve(self, press: Press) -> Served | Unserved:
        known = press.known
        answer = policy.decide(known.manifest, known.circle, known.code)
        try:
            if reason := self._obstacle(known.power):
                return self._no_photo(press, reason)
            return self._by_rule(press, answer)
        except DeviceError as error:
            _log.error("event=camera_fault error=%r", str(error))
            return self._instead(press, Reason.CAMERA_FAULT, ends=True)
        except NotQueued as error:
            return _unserved(error, answer)
        except StorageFull as error:
            _log.error("event=storage_full error=%r", str(error))
            return self._instead(press, Reason.STORAGE_FULL)
        except StorageFault as error:
            _log.error("event=storage_fault error=%r", str(error))
            return self._instead(press, Reason.STORAGE_FAULT)

    def void(self, press: Press) -> Served | Unserved | str:
        """Take the last press back, if it made a photo just now, or say why not.

        `press` is the scan button's.
        """
        known, last = press.known, self._last
        if last is None or press.edge_ns - last[1] > VOID_WINDOW_S * 1e9:
            return f"no photo of the last {VOID_WINDOW_S:.0f} s to take back"
        text = record_json.void_record(self._setting(known), press.trigger, known.power)
        try:
            label = self._chain.keep(Kind.VOID, known.moment, text, about=last[0])
        except StorageFault as error:
            return _unserved(error)
        self._asked = self._last = None
        return Served(label, text, Signal.NO_PHOTO)

    def _obstacle(self, power: PowerReading) -> Reason | None:
        if is_empty(power):
            return Reason.BATTERY_EMPTY
        return None if self._has_room() else Reason.STORAGE_FULL

    def _by_rule(self, press: Press, answer: Allowed | Refused) -> Served:
        """The sensor starts only where the rule allows it."""
        match answer:
            case Allowed():
                return self._take(press, answer)
            case Refused(reason, stop):
                return self._no_photo(press, reason, stop, answer=answer)
            case other:
                assert_never(other)

    def _setting(self, known: Situation) -> Setting:
        return Setting(simulated=self._board.simulated, manifest=policy.version(known.manifest))

    def _take(self, press: Press, answer: Allowed) -> Served:
        board, known, stop = self._board, press.known, answer.stop
        deadline_s = self._config.camera.frame_deadline_ms / 1000
        after_ns = max(press.edge_ns, press.unlit_ns)
        shot = burst.shoot(board.camera, board.lamp, after_ns, deadline_s)
        self._light.exposed()
        frame = shot.frame
        report = quality.assess(frame.pixels, self._config.quality, shot.sharpness)
        capture_id = new_id()
        image = stamp(
            jpeg.encode(frame.pixels, JPEG_QUALITY_PCT), self._exif(capture_id, shot, known)
        )
        digest = hashlib.sha256(image).hexdigest()
        retake_of = self._retaken(press.edge_ns, stop)
        text = record_json.photo_record(
            self._setting(known),
            press.trigger,
            Photo(digest, len(image), frame, shot.lamp, press.edge_ns),
            report,
            stop=stop,
            fix=known.fix,
            power=known.power,
            retake_of=retake_of,
        )
        kind = Kind.TEST if answer.practice or self._config.device.bench_mode else Kind.PHOTO
        label = self._chain.keep(kind, known.moment, text, image, capture_id=capture_id)
        return Served(label, text, self._ask(label, stop, report.verdict, retake_of), answer)

    def _exif(self, capture_id: CaptureId, shot: burst.Shot, known: Situation) -> PhotoFacts:
        frame, moment = shot.frame, known.moment
        exposed_us = (frame.sensor_time_ns - moment.monotonic_ns) / 1000
        height_px, width_px = frame.pixels.shape[:2]
        return PhotoFacts(
            capture_id=capture_id,
            device_id=self._config.device.id,
            make="Doorstep",
            model=f"Doorstep {self._config.camera.kind}",
            software=f"doorstep {__version__}",
            utc=moment.utc + timedelta(microseconds=exposed_us),
            width_px=width_px,
            height_px=height_px,
            exposure_us=frame.exposure_us,
            gain=frame.gain,
            position=_gps(record_json.fresh(known.fix, moment.monotonic_ns), self._method),
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
        press: Press,
        reason: Reason,
        stop: Stop = UNASSIGNED,
        *,
        answer: Refused | None = None,
        ends: bool = False,
    ) -> Served:
        self._asked = None
        known, setting = press.known, self._setting(press.known)
        text = record_json.no_photo_record(setting, press.trigger, reason, known.power, stop)
        label = self._chain.keep(Kind.NO_PHOTO, known.moment, text)
        signal = Signal.FAULT if reason in FAULTS else Signal.NO_PHOTO
        return Served(label, text, signal, answer, ends)

    def _instead(self, press: Press, reason: Reason, *, ends: bool = False) -> Served | Unserved:
        """Leave a record without photo in place of what failed, if that much can be written."""
        try:
            return self._no_photo(press, reason, ends=ends)
        except NotQueued as error:
            return _unserved(error, ends=ends)
        except StorageFault as error:
            _log.critical("event=press_lost reason=%s error=%r", reason, str(error))
            return Unserved(str(error), ends=ends)


def made_photo(served: Served | Unserved) -> bool:
    """Whether a photo came of the press, queued or not."""
    return served.label is not None and served.label.kind in {Kind.PHOTO, Kind.TEST}


def _unserved(
    error: StorageFault, answer: Allowed | Refused | None = None, *, ends: bool = False
) -> Unserved:
    _log.error("event=storage_fault error=%r", str(error))
    label = error.label if isinstance(error, NotQueued) else None
    return Unserved(str(error), label, answer, ends)


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
