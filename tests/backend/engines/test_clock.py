"""The difference between two clocks, as far as it is certain."""

from datetime import UTC, datetime, timedelta

import pytest

from doorstep_backend.engines.clock import WrongClock, apart_s, check_own

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead_s", "took_s", "apart"),
    [
        (0.0, 0.0, 0.0),
        (3600.0, 0.0, 3600.0),
        (-3600.0, 0.0, -3600.0),
        (3600.0, 2.0, 3598.0),
        (-3600.0, 2.0, -3598.0),
        (1.5, 2.0, 0.0),
        (-1.5, 2.0, 0.0),
    ],
)
def test_clock_difference_excludes_the_time_of_a_slow_answer(
    ahead_s: float, took_s: float, apart: float
) -> None:
    assert apart_s(NOON, NOON + timedelta(seconds=ahead_s), took_s) == apart


@pytest.mark.parametrize("ahead_s", [-1.0, 0.0, 1.0])
def test_a_clock_that_is_off_by_up_to_a_second_is_right(ahead_s: float) -> None:
    check_own(NOON, NOON + timedelta(seconds=ahead_s), 0.0)


@pytest.mark.parametrize(("ahead_s", "words"), [(1.1, "1.1 s ahead of"), (-1.1, "1.1 s behind")])
def test_a_clock_that_is_further_off_is_wrong_and_says_how_far(ahead_s: float, words: str) -> None:
    with pytest.raises(WrongClock, match=words):
        check_own(NOON, NOON + timedelta(seconds=ahead_s), 0.0)
