"""The ways in which a check ends."""

from dataclasses import dataclass
from enum import StrEnum

from tests.conformance.check import Check


class State(StrEnum):
    """The state of a check after the run, as the table shows it."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check; `text` says what happened, or why nothing was checked."""

    check: Check
    state: State
    text: str
    took_s: float
