"""The outcome of an attempt to deliver a record; values only."""

from dataclasses import dataclass

from agent.record.receipt import Receipt, Refusal
from agent.status.troubles import Trouble


@dataclass(frozen=True, slots=True)
class Deferred:
    """A record that could not be delivered now; the backend asked for a wait of `retry_after_s`.

    `blocked_reason` is None if the reason concerns this record alone.
    `sent_whole` is True if this attempt sent the record from its first to its last byte, and the
    answer was no receipt.
    """

    answer: str
    retry_after_s: float | None = None
    blocked_reason: Trouble | None = None
    sent_whole: bool = False


@dataclass(frozen=True, slots=True)
class StuckUpload:
    """An upload without a result: the backend answers, but time alone will not help."""

    answer: str


@dataclass(frozen=True, slots=True)
class NoService:
    """No answer, or none that a working backend gives: it concerns every record.

    `moved` says that the backend has more of the record than ever before: the line is bad, not
    gone. `sent_whole` is as of Deferred.
    """

    answer: str
    retry_after_s: float | None = None
    moved: bool = False
    blocked_reason: Trouble = Trouble.NO_ANSWER
    sent_whole: bool = False


@dataclass(frozen=True, slots=True)
class Unauthorised:
    """The backend, or something before it, does not let this device in: 401, 403."""

    answer: str


@dataclass(frozen=True, slots=True)
class UnsignedRejection:
    """A bare 4xx: this record may be at fault, or any proxy on the way."""

    answer: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """A record whose file is missing, or is not the queued one."""

    what: str


Outcome = Receipt | Refusal | Deferred | StuckUpload | NoService | Unauthorised | UnsignedRejection
"""A Receipt means delivered, a Refusal refused; both are signed and verified."""


def blocked_reason(outcome: Outcome) -> Trouble | None:
    """Return the obstacle of the record, if it concerns other records too."""
    match outcome:
        case Deferred() | NoService():
            return outcome.blocked_reason
        case Unauthorised():
            return Trouble.NOT_LET_IN
    return None
