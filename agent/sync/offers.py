"""Hands a document to capture, which alone believes it, and keeps it while capture is down."""

from pathlib import Path
from typing import Final

from agent.errors import DoorstepError
from agent.process import control, sd_notify
from agent.process.verdict import Verdict

ANSWER_S: Final = 30.0
"""Longest wait for what capture says: it verifies 4 MB and flushes them on a worn card in ten."""

AGAIN_S: Final = 30.0
"""Wait after one that was not answered: a capture that hangs must not hold up records too."""


class Offers:
    """Documents of one kind, `manifest` or `fleet`; the newest that capture has not answered."""

    def __init__(self, socket: Path, kind: str) -> None:
        self._socket = socket
        self._kind = kind
        self._text: str | None = None
        self._due_s = float("-inf")

    def put(self, text: str) -> None:
        """Offer this one from now on, at once."""
        self._text, self._due_s = text, float("-inf")

    @property
    def waits(self) -> bool:
        """Whether there is one that capture has not answered."""
        return self._text is not None

    def turn(self, now_s: float) -> Verdict | None:
        """Offer what waits (CLOCK_BOOTTIME); None where nothing does or nobody answers."""
        if self._text is None or now_s < self._due_s:
            return None
        request = {"offer": self._kind, "text": self._text}
        try:
            answer = control.ask(self._socket, request, ANSWER_S, sd_notify.alive)
        except DoorstepError:
            self._due_s = now_s + AGAIN_S
            return None
        if answer is None:  # capture does not run; a look costs nothing
            return None
        self._text = None
        return Verdict.read(answer)
