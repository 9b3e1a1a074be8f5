"""Which photo the driver is asked to take again, and which one takes its place."""

from dataclasses import dataclass
from typing import Final

from agent.models import CaptureId, Stop, Verdict

RETAKE_WINDOW_S: Final = 20.0
"""How long after the light "press once more" the retake may begin: the driver is still at the door.

It counts from the end of the press before, when that light is shown, to the retake's first edge.
"""

_MENDABLE: Final = frozenset({Verdict.BLURRED, Verdict.COVERED})
"""What a second try can mend; dark and rain it cannot."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A photo that was asked for again, where, and until when."""

    capture_id: CaptureId
    stop_id: str | None
    until_ns: int


class Retakes:
    """At most one is asked for at a time; all times are CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._asked: _Asked | None = None

    def replaced_by(self, edge_ns: int, stop: Stop) -> CaptureId | None:
        """What the photo of a press takes the place of: the one asked for just now, at this stop.

        Whatever was asked for is settled by it.
        """
        asked, self._asked = self._asked, None
        is_it = asked is not None and edge_ns <= asked.until_ns and stop.id == asked.stop_id
        return asked.capture_id if asked and is_it else None

    def ask(self, capture_id: CaptureId, stop: Stop, verdict: Verdict, now_ns: int) -> int | None:
        """Ask for a photo again if a second try can help.

        Returns:
            Until when the retake may begin; None if none is asked for.
        """
        if verdict not in _MENDABLE:
            return None
        until_ns = now_ns + int(RETAKE_WINDOW_S * 1e9)
        self._asked = _Asked(capture_id, stop.id, until_ns)
        return until_ns

    def forget(self) -> None:
        """Something else came: what was asked for is not waited for any more."""
        self._asked = None
