"""When the camera streams: as the rule allows, in a hand, and while a scan window is open."""

from dataclasses import dataclass
from typing import Final

from agent.capture import record_json
from agent.capture.documents import Documents
from agent.capture.press import Press
from agent.capture.press_context import PressContext
from agent.capture.press_result import PressFailed, PressResult, made_photo
from agent.config import Config
from agent.models import BoundBy
from agent.rule import policy, reach, scanning
from agent.rule.policy import Allowed
from agent.rule.reach import Circle
from hardware.board import Board
from hardware.position import Fix

_LONG_AGO_NS: Final = -(10**12)


@dataclass(frozen=True, slots=True)
class _Rest:
    """The rest of the sensor after a hand-over at `here`, None if the place was unknown."""

    here: Circle | None

    def is_over(self, now_here: Circle | None) -> bool:
        """Return True if the device is certainly at another place."""
        if self.here is None or now_here is None:
            return False
        return reach.least_apart_m(self.here, now_here) > 0


class CameraGate:
    """The switch of the sensor, and the code that was read.

    All times are CLOCK_MONOTONIC.
    """

    def __init__(self, config: Config, board: Board, documents: Documents) -> None:
        self._config = config
        self._board = board
        self._documents = documents
        self._scan = scanning.LastCode()
        self._served_ns = _LONG_AGO_NS
        self._rest: _Rest | None = None

    def context(self, at_ns: int) -> PressContext:
        """Ask each device once for its state at that moment."""
        board = self._board
        moment = board.clock.at(at_ns)
        fix = self._fix()
        circle = self._circle(fix, at_ns)
        return PressContext(
            moment,
            fix,
            circle,
            manifest=self._documents.manifest.at(moment),
            power=board.power.read(),
            code=self._scan.code(at_ns, circle),
            is_enrolled=self._documents.fleet.is_enrolled,
        )

    def bind(self, code: str, now_ns: int) -> None:
        """Keep a code that was read: it names the stop of the next press."""
        self._scan.bind(code, now_ns, self._circle(self._fix(), now_ns))

    def served(self, now_ns: int, press: Press, result: PressResult | PressFailed) -> None:
        """Take note of a press that was served.

        The press ends the code that was read, even if it was decided without it: the code must not
        name the stop of a press at the next door. Only if the photo is asked for again, the code
        that decided its stop speaks once more.
        After a hand-over, also one that left the record of a fault, the sensor rests: somebody
        stands before it.
        """
        self._rest = _Rest(press.context.circle) if press.handed_over else None
        if made_photo(result) or result.ends:
            self._served_ns = now_ns
        again_until_ns = None
        if isinstance(result, PressResult) and isinstance(result.answer, Allowed):
            by_code = result.answer.practice or result.answer.stop.bound_by is BoundBy.CODE
            again_until_ns = result.again_until_ns if by_code else None
        self._scan.served(again_until_ns)

    def cancelled(self) -> None:
        """End the code that was read: the driver held the scan button."""
        self._scan.clear()

    def tick(self, now_ns: int, *, is_looking: bool) -> None:
        """Start or stop the sensor, as the rule says; once a second.

        While a window `is_looking` for codes, it streams wherever it is. A device that is certainly
        at rest does not stream; a press starts the sensor anyway. Nothing may be logged or counted
        here: the sensor starts at each door of the route, so the times at which it starts and stops
        are the times at which the driver comes and leaves, pressed or not.

        Raises:
            CameraFailed: it does not start or stop.
        """
        camera, may_stream = self._board.camera, is_looking or self._may_stream(now_ns)
        if camera.streaming and not may_stream:
            camera.stop()
        elif not camera.streaming and may_stream:
            camera.start()

    def _may_stream(self, now_ns: int) -> bool:
        if self._board.motion.lifted() is False:  # a press starts the sensor by itself
            return False
        circle = self._circle(self._fix(), now_ns)
        if self._rest is not None:
            if not self._rest.is_over(circle):
                return False
            self._rest = None
        return policy.may_stream(
            self._documents.manifest.at(self._board.clock.at(now_ns)),
            circle,
            self._scan.code(now_ns, circle),
            keep_warm=now_ns - self._served_ns < self._config.camera.linger_s * 1e9,
        )

    def _fix(self) -> Fix | None:
        board = self._board
        return record_json.without_false_time(board.position.last_fix(), board.clock)

    def _circle(self, fix: Fix | None, at_ns: int) -> Circle | None:
        return reach.where(fix, at_ns, self._config.policy.eph_factor)
