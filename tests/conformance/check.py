"""A check: one rule that a device relies on, and the function that tries it from outside."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # a target raises what is defined here
    from tests.conformance.target import Target

DOCS: Final = "agent/docs"
"""Folder of the pages that a failure links to."""

RULES: Final = "integrate.md#write-your-own"
"""Page and heading with the rules of the profile receipts."""


class Profile(StrEnum):
    """A profile of the integrator's page; each contains those before it."""

    RECEIPTS = "receipts"
    ROUTES = "routes"
    FLEET = "fleet"

    def contains(self, other: "Profile") -> bool:
        return list(Profile).index(other) <= list(Profile).index(self)


class Failed(Exception):
    """The backend broke the rule; the message is a sentence that says what happened."""


class NoAnswer(Failed):
    """A request got no answer that a device could read."""


class NotChecked(Exception):
    """The check could not be made; the message completes "not checked, because …"."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check, and what a report says about it.

    Attributes:
        name: as in `--only`, such as `wrong-offset-409`.
        profile: the first profile that needs the rule.
        rule: a sentence.
        cost: sentences on what a breach costs; in the words of photos, not of HTTP.
        link: page and heading that have the rule.
        operator: the word for the operator command without which nothing can be checked; or empty.
        run: raises Failed or NotChecked.
    """

    name: str
    profile: Profile
    rule: str
    cost: str
    link: str
    operator: str
    run: Callable[["Target"], None]


def check(
    link: str, profile: Profile = Profile.RECEIPTS, operator: str = ""
) -> Callable[[Callable[["Target"], None]], Check]:
    """Make a check of a function: its docstring is the rule, and in the next paragraph the cost."""

    def made(run: Callable[["Target"], None]) -> Check:
        rule, _, cost = (inspect.getdoc(run) or "").partition("\n\n")
        name = run.__name__.replace("_", "-")
        rule, cost = " ".join(rule.split()), " ".join(cost.split())
        return Check(name, profile, rule, cost, f"{DOCS}/{link}", operator, run)

    return made
