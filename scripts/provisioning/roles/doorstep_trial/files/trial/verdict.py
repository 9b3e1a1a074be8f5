"""The verdict on a release, from what was seen: without a clock, a disk or a process."""

from dataclasses import dataclass
from typing import Any, Final

MAY_NOT_NOW: Final = 75
"""Exit code of what is to be tried later: here, a camera that may not look while a route is in
hand. Source: agent/errors.py."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The observations of a release since it was switched to.

    Attributes:
        lacks: what capture lacks to serve presses now, as text; empty if nothing.
        frame: True if the camera gave one; or the reason why it was not asked to.
        contact: True if the new sync has heard from the backend.
        ended: processes that ended for good, or were started again, as text.
    """

    lacks: str = "capture has not answered"
    frame: bool | str = False
    contact: bool = False
    ended: str = ""


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """The end of a trial: the release stays, or why not; `note` is always reported."""

    stays: bool
    words: str


def judge(seen: Seen, elapsed_s: float, watch_s: float) -> TrialVerdict | None:
    """Return the verdict on a release; None as long as it must be watched. Pure."""
    if seen.ended:
        return TrialVerdict(stays=False, words=seen.ended)
    if elapsed_s < watch_s:
        return None
    missing = [seen.lacks] if seen.lacks else []
    if seen.frame is False:
        missing.append("the camera gave no frame")
    if not seen.contact:
        missing.append("sync had no contact with the backend")
    if missing:
        return TrialVerdict(stays=False, words=f"{', '.join(missing)}, within {watch_s:.0f} s")
    return TrialVerdict(stays=True, words=seen.frame if isinstance(seen.frame, str) else "")


def lacks(capture: dict[str, Any] | None) -> str:
    """Return what capture lacks to serve presses in a cradle; a route comes later. Pure."""
    if capture is None:
        return "capture does not answer"
    if "error" in capture:
        return f"capture says: {plain(capture['error'])}"
    if capture.get("writable") is not True:
        return "capture cannot write to the card"
    return "the camera gives no frames" if capture.get("frames_come") is False else ""


def framed(answer: dict[str, Any] | None) -> bool | str:
    """Return True if an answer to `test_card` shows a frame, or why none may be taken. Pure."""
    if answer is None:
        return False
    if answer.get("exit") == MAY_NOT_NOW:
        return f"no frame was asked for: {plain(answer.get('error'))}"
    return "error" not in answer and "verdict" in answer


def plain(text: object) -> str:
    """Return a process's words on one line, shortened; a fixed text if they are no text."""
    words = text if isinstance(text, str) else "(no words)"
    return "".join(one if one.isprintable() else " " for one in words)[:200]
