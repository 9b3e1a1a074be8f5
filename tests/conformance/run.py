"""The run of some checks against one backend."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.conformance.check import Check, Failed, NotChecked, Profile
from tests.conformance.target import Target


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


def chosen(checks: Iterable[Check], profile: Profile, only: Iterable[str]) -> list[Check]:
    """Return the checks of this profile; only those of these names, if there are names.

    Raises:
        ValueError: the profile has no check of a name.
    """
    within = {one.name: one for one in checks if profile.contains(one.profile)}
    names = list(only)
    if unknown := [name for name in names if name not in within]:
        raise ValueError(f"{profile} has no check named {', '.join(unknown)}")
    return [one for one in within.values() if not names or one.name in names]


def results(checks: Iterable[Check], target: Target) -> Iterator[Result]:
    """Make the checks one after the other, and yield each result."""
    for check in checks:
        began_s = time.monotonic()
        state, text = State.PASSED, ""
        try:
            if check.operator:
                target.operator.expect(check.operator)
            check.run(target)
        except Failed as error:
            state, text = State.FAILED, str(error)
        except NotChecked as error:
            state, text = State.NOT_CHECKED, str(error)
        yield Result(check, state, text, time.monotonic() - began_s)
