"""A press, from its edge to its durable record with a photo or with the reason for having none."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from agent.capture import burst, quality, record_json
from agent.capture.burst import Shot
from agent.capture.lights import Light
from agent.capture.photo_credentials import PhotoCredentials
from agent.capture.photo_facts import facts, source
from agent.capture.press_context import PressContext
from agent.capture.press_result import PressFailed, PressResult, can_be_taken_back
from agent.capture.record_json import Provenance, StoredPhoto, Trigger
from agent.capture.record_writer import NotQueued, RecordWriter, new_id
from agent.config import Config
from agent.errors import StorageFault, StorageFull
from agent.models import FAULTS, UNASSIGNED, CaptureId, QualityVerdict, Reason, RecordKind, Stop
from agent.record.exif import stamp
from agent.rule import policy
from agent.rule.policy import Allowed, Answer, HandedOver, Refused
from hardware.board import Board
from hardware.camera import Frame
from hardware.errors import DeviceError
from hardware.indicator import Signal

_log = logging.getLogger(__name__)

VOID_WINDOW_S: Final = 30.0
"""Time after a press within which it can be taken back: later the driver may mean another one."""

RETAKE_WINDOW_S: Final = 20.0
"""Time after the light "press once more" within which the retake begins: the driver is at the door.

It counts from the end of the press before, when that light is shown, to the retake's first edge.
"""

_RETAKE_HELPS: Final = frozenset({QualityVerdict.BLURRED, QualityVerdict.COVERED})
"""Faults of a photo that a second press can correct; it cannot correct darkness or rain."""


def _retake_helps(verdict: QualityVerdict, frame: Frame) -> bool:
    """Return True if a second press can correct the photo, also by an exposure that has settled."""
    is_bad = verdict is not QualityVerdict.OK
    return verdict in _RETAKE_HELPS or (is_bad and frame.converged is False)


@dataclass(frozen=True, slots=True)
class Press:
    """A press of a button, or a command in its place.

    Attributes:
        context: the state of the devices at its first edge.
        expose_from_ns: exposures before it may be shaken by the answer to the press before.
        lamp_out_ns: when a scan window put the lamp out; None if none has lit it.
        handed_over: True if the driver says by it that the parcel was handed over.
    """

    context: PressContext
    trigger: Trigger
    expose_from_ns: int = 0
    lamp_out_ns: int | None = None
    handed_over: bool = False

    @property
    def edge_ns(self) -> int:
        """CLOCK_MONOTONIC of the first edge of the press."""
        return self.context.moment.monotonic_ns


@dataclass(frozen=True, slots=True)
class _RetakeRequest:
    """A photo that was asked for again, where, and until when."""

    capture_id: CaptureId
    stop_id: str | None
    until_ns: int


class Retakes:
    """The photo that the driver is asked to take again, one at most; times are CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._asked: _RetakeRequest | None = None

    def replaced_by(self, edge_ns: int, stop: Stop) -> CaptureId | None:
        """Return the photo that this press replaces: the one asked for just now, at this stop.

        Whatever was asked for is settled by it.
        """
        asked, self._asked = self._asked, None
        is_it = asked is not None and edge_ns <= asked.until_ns and stop.id == asked.stop_id
        return asked.capture_id if asked and is_it else None

    def ask(self, capture_id: CaptureId, stop: Stop, now_ns: int) -> int:
        """Ask for a photo again; return until when the retake may begin."""
        until_ns = now_ns + int(RETAKE_WINDOW_S * 1e9)
        self._asked = _RetakeRequest(capture_id, stop.id, until_ns)
        return until_ns

    def clear(self) -> None:
        """Forget the retake that was asked for: something else came."""
        self._asked = None


class Capture:
    """The service of presses; its caller gives the devices' time to nothing else.

    `credentials` signs photos, `has_room` decides if one may be written, `is_empty` returns True
    if the battery has too little left; `now_ns` returns CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        writer: RecordWriter,
        light: Light,
        *,
        credentials: PhotoCredentials,
        has_room: Callable[[], bool],
        is_empty: Callable[[], bool],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._now_ns = now_ns
        self._credentials = credentials
        self._has_room = has_room
        self._is_empty = is_empty
        self._config = config
        self._board = board
        self._writer = writer
        self._light = light
        self._retakes = Retakes()
        self._last: tuple[CaptureId, int] | None = None

    def serve(self, press: Press) -> PressResult | PressFailed:
        """Serve one press: exactly one record, unless nothing can be written.

        What it returns is durable; only then may the driver see green, amber or blue.
        """
        result = self._serve(press)
        label, counts = result.label, can_be_taken_back(result)
        self._last = (label.capture_id, press.edge_ns) if label and counts else None
        return result

    def void(self, press: Press) -> PressResult | PressFailed | str:
        """Take the last press back, if it made a photo or a hand-over just now, or say why not.

        `press` is the scan button's.
        """
        context, last = press.context, self._last
        if last is None or press.edge_ns - last[1] > VOID_WINDOW_S * 1e9:
            return f"no photo and no hand-over of the last {VOID_WINDOW_S:.0f} s to take back"
        record = record_json.void_record(self._provenance(context), press.trigger, context.power)
        try:
            label = self._writer.append(RecordKind.VOID, context.moment, record, about=last[0])
        except StorageFault as error:
            return _failed(error)
        self._retakes.clear()
        self._last = None
        return PressResult(label, record, Signal.NO_PHOTO)

    def _serve(self, press: Press) -> PressResult | PressFailed:
        context, answer = press.context, None
        try:
            if reason := self._obstacle(context):
                return self._no_photo(press, reason)
            ask = policy.hand_over if press.handed_over else policy.decide
            answer = ask(context.manifest, context.circle, context.code)
            return self._by_rule(press, answer)
        except DeviceError as error:
            _log.error("event=camera_fault error=%r", str(error))
            return self._fall_back(press, Reason.CAMERA_FAULT, ends=True)
        except NotQueued as error:
            return _failed(error, answer)
        except StorageFull as error:
            _log.error("event=storage_full error=%r", str(error))
            return self._fall_back(press, Reason.STORAGE_FULL)
        except StorageFault as error:
            _log.error("event=storage_fault error=%r", str(error))
            return self._fall_back(press, Reason.STORAGE_FAULT)

    def _obstacle(self, context: PressContext) -> Reason | None:
        if self._is_empty():
            return Reason.BATTERY_EMPTY
        if not context.is_enrolled:
            return Reason.NOT_ENROLLED
        return None if self._has_room() else Reason.STORAGE_FULL

    def _by_rule(self, press: Press, answer: Answer) -> PressResult:
        """Serve a press by the rule: the sensor starts only if the rule permits it."""
        match answer:
            case Allowed():
                return self._keep_photo(press, answer, self._shoot(press))
            case Refused(reason, stop):
                return self._no_photo(press, reason, stop, answer=answer)
            case HandedOver(stop, practice):
                kind = self._kind(RecordKind.NO_PHOTO, practice=practice)
                return self._no_photo(press, Reason.HANDED_OVER, stop, answer=answer, kind=kind)
            case other:
                assert_never(other)

    def _shoot(self, press: Press) -> Shot:
        deadline_s = self._config.camera.frame_deadline_ms / 1000
        after_ns = max(press.edge_ns, press.expose_from_ns)
        shot = burst.shoot(
            self._board.camera,
            self._board.lamp,
            after_ns,
            deadline_s,
            light_changed_ns=press.lamp_out_ns,
            blurred_below=self._config.quality.blurred_below,
            on_exposed=self._light.exposed,
        )
        if shot.fault is not None:
            _log.error("event=camera_fault error=%r", str(shot.fault))
        return shot

    def _keep_photo(self, press: Press, answer: Allowed, shot: Shot) -> PressResult:
        context, stop, frame, capture_id = press.context, answer.stop, shot.frame, new_id()
        report = quality.assess(frame.pixels, self._config.quality, shot.sharpness)
        image, unsigned = self._credentials.sign(
            stamp(shot.image, facts(self._config, capture_id, frame, context)),
            source(self._config.camera.kind),
            record_json.capture_claim(
                capture_id, self._config.device.id, context.moment, context.fix
            ),
        )
        digest = hashlib.sha256(image).hexdigest()
        retake_of = self._retakes.replaced_by(press.edge_ns, stop)
        record = record_json.photo_record(
            self._provenance(context),
            press.trigger,
            StoredPhoto(digest, len(image), frame, shot.lamp, press.edge_ns, unsigned),
            report,
            stop=stop,
            fix=context.fix,
            power=context.power,
            retake_of=retake_of,
        )
        kind = self._kind(RecordKind.PHOTO, practice=answer.practice)
        label = self._writer.append(kind, context.moment, record, image, capture_id=capture_id)
        again_until_ns = None
        if retake_of is None and _retake_helps(report.verdict, frame):  # never again for a retake
            again_until_ns = self._retakes.ask(capture_id, stop, self._now_ns())
        signal = Signal.SAVED if again_until_ns is None else Signal.ONCE_MORE
        ends = shot.fault is not None
        return PressResult(label, record, signal, answer, ends, again_until_ns)

    def _no_photo(
        self,
        press: Press,
        reason: Reason,
        stop: Stop = UNASSIGNED,
        *,
        answer: Refused | HandedOver | None = None,
        kind: RecordKind = RecordKind.NO_PHOTO,
        ends: bool = False,
    ) -> PressResult:
        self._retakes.clear()
        context, provenance = press.context, self._provenance(press.context)
        record = record_json.no_photo_record(provenance, press.trigger, reason, context.power, stop)
        label = self._writer.append(kind, context.moment, record)
        return PressResult(label, record, _light_of(reason, answer), answer, ends)

    def _fall_back(
        self, press: Press, reason: Reason, *, ends: bool = False
    ) -> PressResult | PressFailed:
        """Leave a record without photo in place of what failed, if that much can be written."""
        try:
            return self._no_photo(press, reason, ends=ends)
        except NotQueued as error:
            return _failed(error, ends=ends)
        except StorageFault as error:
            _log.critical("event=press_lost reason=%s error=%r", reason, str(error))
            return PressFailed(str(error), ends=ends)

    def _kind(self, kind: RecordKind, *, practice: bool) -> RecordKind:
        """Return the kind of what a press made: a test for practice, and in bench mode."""
        return RecordKind.TEST if practice or self._config.device.bench_mode else kind

    def _provenance(self, context: PressContext) -> Provenance:
        return Provenance(
            simulated=self._board.simulated, manifest=policy.version(context.manifest)
        )


def _light_of(reason: Reason, answer: Refused | HandedOver | None) -> Signal:
    if reason in FAULTS:
        return Signal.FAULT
    if isinstance(answer, HandedOver):
        return Signal.HANDED_OVER
    asks = reason is Reason.CODE_ELSEWHERE and answer is not None and answer.code_settles
    return Signal.CODE_ELSEWHERE if asks else Signal.NO_PHOTO


def _failed(
    error: StorageFault, answer: Answer | None = None, *, ends: bool = False
) -> PressFailed:
    _log.error("event=storage_fault error=%r", str(error))
    label = error.label if isinstance(error, NotQueued) else None
    return PressFailed(str(error), label, answer, ends)
