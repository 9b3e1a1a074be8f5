"""Limits of time for a connection, by its state; pure, times in seconds of one clock."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

HANDSHAKE_S: Final = 15.0
"""For TLS: as long as a device tries."""

HEAD_S: Final = 15.0
"""From a connection, or a head's first byte, to the head's end, and to the body's end too if the
request proves nothing: it is one packet or two.
"""

BODY_S: Final = 60.0
"""Between two pieces of a body: after as long, a device has given up itself."""

REQUEST_S: Final = 600.0
"""A body, and again its answer: longer than a device's attempt, 540 s, however it drips."""

UNPROVEN_ANSWER_S: Final = 60.0
"""An answer to a request that proves nothing: as long as nginx waits for it."""

REFUSED_S: Final = 1.0
"""From an error answer, or from the last one, to the end, if the request proves nothing; the look
comes up to 1 s later.
"""

UNWANTED_BYTES: Final = 8_388_608
"""Bytes of a body that has its answer already; the sender of a record must be able to read that."""


class Phase(Enum):
    """The part of a request for which a connection waits."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    CLOSING = auto()


@dataclass(slots=True)
class ConnectionTimeouts:
    """The state of a connection. It does not limit the time without any request.

    Attributes:
        asked_s: when the request began.
        is_proven: the request is a device's, a client's or an account's.
        refused_s: when it was answered with an error although it is not proven.
    """

    phase: Phase
    since_s: float
    moved_s: float = field(init=False)
    asked_s: float = field(init=False)
    is_proven: bool = False
    refused_s: float | None = None
    unwanted_bytes: int = 0

    def __post_init__(self) -> None:
        self.moved_s = self.asked_s = self.since_s

    def ask(self, phase: Phase, now_s: float) -> None:
        """Begin a request, with the phase in which it is noticed."""
        self.asked_s, self.is_proven, self.refused_s = now_s, False, None
        self.begin(phase, now_s)

    def begin(self, phase: Phase, now_s: float) -> None:
        """Begin a phase: its limits count from `now_s`, of the loop's clock."""
        self.phase, self.since_s, self.moved_s = phase, now_s, now_s
        self.unwanted_bytes = 0

    def move(self, now_s: float) -> None:
        """Note that data came."""
        self.moved_s = now_s

    def is_over(self, now_s: float) -> bool:
        """Return whether the phase takes longer, or has more unwanted bytes, than it may."""
        here_s, still_s = now_s - self.since_s, now_s - self.moved_s
        if self.refused_s is not None and now_s - self.refused_s > REFUSED_S:
            return True
        match self.phase:
            case Phase.NOTHING:
                return False
            case Phase.HEAD:
                return here_s > HEAD_S
            case Phase.BODY:
                late = here_s > REQUEST_S or still_s > BODY_S
                late |= not self.is_proven and now_s - self.asked_s > HEAD_S
                return late or self.unwanted_bytes > UNWANTED_BYTES
            case Phase.ANSWER:
                return here_s > (REQUEST_S if self.is_proven else UNPROVEN_ANSWER_S)
            case Phase.CLOSING:
                return here_s > (REQUEST_S if self.is_proven else REFUSED_S)
