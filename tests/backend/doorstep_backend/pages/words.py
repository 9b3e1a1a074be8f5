"""Words of more than one page."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from agent.models import BoundBy, QualityVerdict
from agent.rule.manifest import PhotoRule
from agent.rule.reach import Ring
from doorstep_backend import zones
from doorstep_backend.languages import ENGLISH, Language, translatable
from doorstep_backend.office.access import View
from doorstep_backend.office.cases import EXPIRED, Closing, Report
from doorstep_backend.office.cases import REASONS as REASONS_OF_CASES
from doorstep_backend.office.claims import LABEL_ELSEWHERE, LABEL_UNPLACED, UNOPENED_BODY
from doorstep_backend.office.corrections import Correction
from doorstep_backend.office.orders import Order
from doorstep_backend.office.outcomes import How, Outcome
from doorstep_backend.office.photos import Photo

NO_PICTURE: Final = translatable("This photo cannot be shown: what we received is not a picture.")
"""The device did its part, and another photo will not come."""

NOT_KEPT: Final = translatable(
    "This photo cannot be shown: what we received cannot be opened, or is not there any more."
)
"""The log says which."""

NOT_BLURRED: Final = translatable("This photo cannot be shown now: faces in it cannot be blurred.")
"""Rather none than one with a face; the log says why."""

HIDDEN_ADDRESS: Final = translatable("An address that we do not show")
"""In the place of a confidential order's address."""

REASONS: Final[Mapping[str, str]] = {
    "where": translatable("Where is the parcel?"),
    "missing": translatable("The parcel is missing."),
    "damaged": translatable("The parcel is damaged."),
    "other": translatable("Another question about the delivery."),
}
"""Why customer service looks: a closed list, since the customer reads it."""

WAITS: Final[Mapping[str, str]] = {
    BoundBy.AMBIGUOUS: "More than one door was in reach.",
    BoundBy.UNASSIGNED: "No stop was in reach.",
    LABEL_ELSEWHERE: "The stop that its label names was out of reach.",
    UNOPENED_BODY: "It is sealed, and no identity here opens it.",
    LABEL_UNPLACED: "Its label was read where the device did not know where it was.",
}
"""Why a photo waits for dispatch."""

NOT_ON_ROUTE: Final = "The stop was not on this device’s route."
"""Why a photo waits that the device itself was certain of."""

WAITS_SHORTLY: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "several": ("Several doors in reach", (BoundBy.AMBIGUOUS,)),
    "none": ("No stop in reach", (BoundBy.UNASSIGNED,)),
    "elsewhere": ("Its label’s stop was out of reach", (LABEL_ELSEWHERE,)),
    "unplaced": ("Its label’s stop, place unknown", (LABEL_UNPLACED,)),
    "route": ("Not on this device’s route", (BoundBy.CODE, BoundBy.PLACE)),
    "sealed": ("Sealed", (UNOPENED_BODY,)),
}
"""Choices of a filter by why photos wait: each with its words and values of `bound_by`."""

CASES: Final[Mapping[str, str]] = {
    **REASONS_OF_CASES,
    Report.NOT_MY_DOOR: "The customer reports: “This is not my door.”",
    Report.CANNOT_FIND: "The customer reports: “I cannot find it.”",
    Report.NOT_HANDED_TO_ME: "The customer reports: “It was not handed to me.”",
}
"""Why a case was opened, for dispatch."""

IN_REPORT: Final = translatable("Looked into your report.")
"""Why dispatch looks in a case that the customer's report opened."""

CLOSINGS: Final[Mapping[str | None, str]] = {
    Closing.MOVED: "It is of another order, and was moved there.",
    Closing.WITHDRAWN: "It is of no order, and was deleted.",
    Closing.CORRECT: "It is of this order.",
}
"""Decisions about a case, for dispatch."""

WHAT_CAME_OF_IT: Final[Mapping[str | None, str]] = {
    None: translatable("Dispatch is looking into it."),
    Closing.MOVED: translatable(
        "Dispatch decided that it is not of your delivery, and took it away."
    ),
    Closing.WITHDRAWN: translatable(
        "Dispatch decided that it is not of your delivery, and deleted it."
    ),
    Closing.CORRECT: translatable("Dispatch decided that it is of your delivery."),
    EXPIRED: translatable("Dispatch did not decide in time. A hidden photo stays hidden."),
}
"""Answers to a customer's report, for the customer."""

RINGS: Final[Mapping[str | None, str]] = {
    Ring.INSIDE: "Inside the stop’s radius",
    Ring.NEAR: "Near the stop’s radius",
    Ring.OUTSIDE: "Outside the stop’s radius",
    None: "Not known",
}
"""Where the device was, seen from the stop."""

FLAGS: Final[Mapping[str, str]] = {
    QualityVerdict.DARK: "Too dark",
    QualityVerdict.CLIPPED: "Too bright",
    QualityVerdict.COVERED: "Lens covered",
    QualityVerdict.NOISY: "Too grainy",
    QualityVerdict.BLURRED: "Blurred",
}
"""Findings of the quality check."""

QUALITY: Final[Mapping[str, str]] = {QualityVerdict.OK: "Good", **FLAGS}

NO_VERDICT: Final = "Not known"
"""Quality of a picture that its device did not check, or by a newer word."""


def day(at: date, language: Language = ENGLISH) -> str:
    """Format a day: `1 December 2026`."""
    return language.day(at)


def not_waiting(said: str, made: Sequence[Correction], zone: ZoneInfo) -> str:
    """Return why a press waits no more, with who decided about it last, and when."""
    if not made:
        return said
    return f"{said} Decided by {made[-1].who}, {day_and_time(made[-1].at, zone)}."


def day_and_time(
    at: datetime, zone: ZoneInfo = zones.UTC_ZONE, language: Language = ENGLISH
) -> str:
    """Format a time: `1 December 2026, 10:15 (Europe/Zurich)`, or `09:15 UTC`.

    No line breaks at the space before UTC. An hour that the clocks there show twice has its
    offset: `02:30 UTC+2 (Europe/Zurich)`.
    """
    return f"{day(at.astimezone(zone), language)}, {_time(at, zone, language)}"


def _time(at: datetime, zone: ZoneInfo, language: Language) -> str:
    there = at.astimezone(zone)
    said = language.time(there)
    if zone == zones.UTC_ZONE:
        return f"{said}\N{NO-BREAK SPACE}UTC"
    return " ".join(filter(None, (said, zones.offset_if_doubled(there), f"({zone.key})")))


def delivered(
    order: Order, outcome: Outcome | None, zone: ZoneInfo, language: Language = ENGLISH
) -> str:
    """Return how and when an order was delivered; of one that takes no photos, the day alone.

    So nobody reads there whether a photo was taken and erased, or who took the parcel.
    """
    if outcome is None:
        return language.gettext("Not delivered yet.")
    if outcome.at is None:
        return language.gettext("Delivered.")
    there = outcome.at.astimezone(zone)
    values = {"day": day(there, language), "time": _time(there, zone, language)}
    sentence = _DELIVERED[outcome.how is How.HANDED_OVER, outcome.is_exact]
    if order.photo is PhotoRule.NO_PHOTO:
        sentence = translatable("Delivered on %(day)s.")
    return language.gettext(sentence) % values


_DELIVERED: Final[Mapping[tuple[bool, bool], str]] = {
    (False, True): translatable("Delivered on %(day)s at %(time)s."),
    (True, True): translatable("Handed over on %(day)s at %(time)s."),
    (False, False): translatable("Delivered, on %(day)s at the latest."),
    (True, False): translatable("Handed over, on %(day)s at the latest."),
}
"""Sentences by whether the order was handed over, and whether the time is exact."""


def alternative_text(photo: Photo, number: str, zone: ZoneInfo, language: Language) -> str:
    """Return what is known of a photo, for people who do not see it."""
    said = [language.gettext("Delivery photo of order %(number)s.") % {"number": number}]
    if photo.left_at:
        at = day_and_time(photo.left_at, zone, language)
        said.append(language.gettext("Left on %(moment)s.") % {"moment": at})
    else:
        said.append(language.gettext("When it was left is not known."))
    said.append(photo.how_placed(language))
    if photo.bound_by != BoundBy.CODE:  # else the place has said it
        said.append(language.gettext(_LABELS.get(photo.named_by, "")))
    return " ".join(filter(None, said))


_LABELS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (BoundBy.CODE, LABEL_ELSEWHERE, LABEL_UNPLACED), translatable("A parcel label was read.")
    ),
    **dict.fromkeys(
        (BoundBy.PLACE, BoundBy.AMBIGUOUS, BoundBy.UNASSIGNED),
        translatable("No parcel label was read."),
    ),
}
"""The label in words, by how the device named the stop; of a sealed record nobody knows it."""


def looker(view: View, language: Language) -> str:
    """Return who looked at a photo, for its customer."""
    role, _, name = view.viewer.partition(" ")
    if role == "customer":
        return language.gettext("You")
    if role == "agent":
        return language.gettext("Customer service, agent %(number)s") % {"number": name}
    return f"{language.gettext(role.capitalize())} {name}".rstrip()


def why(view: View, language: Language) -> str:
    """Return why somebody looked at a photo, or what they did with it, for its customer."""
    sentence, _, case = view.why.partition(" Case ")
    act, _, reason = sentence.partition(" Reason: ")
    said = [language.gettext(act)]
    if reason:
        values = {"reason": language.gettext(reason)}
        said.append(language.gettext("Reason: %(reason)s") % values)
    if case:
        values = {"number": case.removesuffix(".")}
        said.append(language.gettext("Case %(number)s.") % values)
    return " ".join(said)


_VIEWERS: Final = translatable("Dispatch"), translatable("Office"), translatable("System")
"""The other roles of a view, as `looker` names them."""
