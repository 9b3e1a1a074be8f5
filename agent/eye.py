"""When the camera looks: as the rule allows, and at labels while a scan window is open."""

import logging
from typing import Final

from agent import labels, policy, route, scanning
from agent.config import Config
from agent.manifest import Manifest
from agent.models import BoundBy
from agent.policy import Allowed, Refused
from agent.shift import Shift
from agent.shutter import LAMP_SETTLE_MS
from agent.situation import Situation
from hardware.board import Board

_log = logging.getLogger(__name__)

STREAM_S: Final = 60.0
"""How long the camera streams after a served press. Source: design section 6."""

_LONG_AGO_NS: Final = -(10**12)


class Eye:
    """Starts and stops the sensor, and reads labels; frames of a scan window are never stored.

    In the dark the lamp lights labels.

    All times are CLOCK_MONOTONIC.

    Attributes:
        unlit_ns: from when on no picture shows the lamp of a scan window, nor is exposed for it.
    """

    def __init__(self, config: Config, board: Board, shift: Shift) -> None:
        self._config = config
        self._board = board
        self._shift = shift
        self._scan = scanning.Scan()
        self._served_ns = _LONG_AGO_NS
        self._is_lit = False
        self.unlit_ns = _LONG_AGO_NS

    @property
    def reads_labels(self) -> bool:
        """Whether there is a route whose codes could be read, and the fleet has them read."""
        return self._config.policy.scanning and isinstance(self._shift.today(), Manifest)

    def situation(self, at_ns: int) -> Situation:
        """What is known of that moment: each device is asked once."""
        board = self._board
        fix, moment = board.position.last_fix(), board.clock.at(at_ns)
        circle = route.where(fix, at_ns, self._config.policy.eph_factor)
        return Situation(
            moment,
            fix,
            circle,
            manifest=self._shift.at(moment),
            power=board.power.read(),
            code=self._scan.code(at_ns, circle),
        )

    def open_window(self, now_ns: int) -> None:
        """Look for a label from now on."""
        self._scan.open(now_ns)

    def close_window(self, now_ns: int) -> None:
        """Look no more, and put the lamp out."""
        self._scan.close()
        if self._board.lamp is not None and self._is_lit:
            self._board.lamp.off()
            self._is_lit = False
            self.unlit_ns = now_ns + LAMP_SETTLE_MS * 1_000_000

    def is_looking(self, now_ns: int) -> bool:
        """Whether a scan window is open, and there is still a route."""
        return self._scan.is_open(now_ns) and self.reads_labels

    def look(self) -> str | None:
        """Read one picture; the code that is meant, if any: bind it, and close the window.

        Raises:
            CameraStalled: no picture in time.
            CameraFailed: the camera reported an error.
        """
        today, camera = self._shift.today(), self._board.camera
        if not isinstance(today, Manifest):
            return None
        camera.start()
        luma = camera.look(self._config.camera.frame_deadline_ms / 1000)
        codes = labels.read(luma)
        code = scanning.choose(today, codes)
        if code is None:
            self._scan.saw(scanning.unknown(today, codes))
            if self._board.lamp is not None and labels.is_dark(luma):
                self._board.lamp.on()
                self._is_lit = True
        return code

    def bind(self, code: str, now_ns: int) -> None:
        """From now on this code names the stop; not for a press that came while it was read."""
        self._scan.bind(code, now_ns)

    def end_window(self, now_ns: int, *, asked: bool) -> bool:
        """The time is over; whether only a code was read that the route does not know.

        It counts where the driver `asked` for labels to be read; else anything that lies about
        would refuse press after press.
        """
        return asked and self._scan.end(now_ns)

    def looked(self, now_ns: int, known: Situation, answer: Allowed | Refused | None) -> None:
        """A press was answered by looking; `answer` is None where a fault came of it."""
        self._served_ns = now_ns
        if not isinstance(answer, Allowed):
            return
        if answer.practice:
            self._scan.refused()  # the next press is for a parcel again
        elif answer.stop.bound_by is BoundBy.CODE:
            self._scan.used(now_ns, known.circle)

    def refused(self) -> None:
        """A press left no photo: its code must not speak for the next door."""
        self._scan.refused()

    def turn(self, now_ns: int) -> None:
        """Start or stop the sensor, as the rule says; once a second.

        Raises:
            CameraFailed: it does not start or stop.
        """
        camera = self._board.camera
        if camera.streaming and not self._may_stream(now_ns):
            camera.stop()
            _log.info("event=camera_stopped")
        elif not camera.streaming and self._may_stream(now_ns):
            camera.start()
            _log.info("event=camera_started")

    def _may_stream(self, now_ns: int) -> bool:
        if self.is_looking(now_ns):
            return True
        known, lingers = self.situation(now_ns), now_ns - self._served_ns <= STREAM_S * 1e9
        return policy.may_stream(known.manifest, known.circle, known.code, lingers=lingers)
