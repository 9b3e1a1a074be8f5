from functools import partial

import pytest

from tests.bench.__main__ import MEASURES
from tests.bench.frame import Figure, by_turns
from tests.bench.options import SECTIONS


@pytest.mark.parametrize(
    ("samples", "verdict"), [([1.3], "met"), ([1.3001], "MISSED"), ([1.0, 1.2, 9.0], "met")]
)
def test_the_median_meets_a_target_or_misses_it_unrounded(
    samples: list[float], verdict: str
) -> None:
    """No target moves by a digit, and one slow repetition does not miss it."""
    assert Figure("press", "x", samples, at_most=1.3, digits=1).verdict == verdict


def test_jobs_take_turns_and_the_warm_up_does_not_count() -> None:
    """A slow moment of the machine meets all of them, and each of them is first in turn."""
    called: list[str] = []

    def job(name: str) -> float:
        called.append(name)
        return float(len(called))

    taken = by_turns(2, {name: partial(job, name) for name in "ab"}, warm_up=1)

    assert "".join(called) == "abbaab"
    assert taken == {"a": [4.0, 5.0], "b": [3.0, 6.0]}


def test_every_section_that_may_be_named_can_be_measured() -> None:
    assert tuple(MEASURES) == SECTIONS
