"""The result of a press: a record, or the reason why none could be written."""

from dataclasses import dataclass
from typing import Any

from agent.models import RecordLabel
from agent.rule.policy import Allowed, Answer, HandedOver
from hardware.indicator import Signal


@dataclass(frozen=True, slots=True)
class PressResult:
    """A press that left its record.

    Attributes:
        signal: the light for the driver.
        answer: the rule's answer; None if the rule was not asked, or something failed.
        ends: True if the process must end, since it can use the camera no more.
        again_until_ns: if the photo is asked for again, until when (CLOCK_MONOTONIC) that press
            may begin.
    """

    label: RecordLabel
    record: dict[str, Any]
    signal: Signal
    answer: Answer | None = None
    ends: bool = False
    again_until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class PressFailed:
    """A press whose record could not be written, or not yet be queued: red, and a line in the log.

    Attributes:
        label: the label of the record that is safe but not yet queued; None without such a record.
        answer, ends: as in `PressResult`.
    """

    error: str
    label: RecordLabel | None = None
    answer: Answer | None = None
    ends: bool = False


def made_photo(result: PressResult | PressFailed) -> bool:
    """Return True if the press made a photo, queued or not."""
    return result.label is not None and isinstance(result.answer, Allowed)


def can_be_taken_back(result: PressResult | PressFailed) -> bool:
    """Return True if the press made a photo or a hand-over, queued or not."""
    return result.label is not None and isinstance(result.answer, Allowed | HandedOver)
