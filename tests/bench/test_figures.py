import json

import pytest

from tests.bench.figures import WIDTH, Figure, Verdict, lines


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [([1.3], Verdict.MET), ([1.3001], Verdict.MISSED), ([1.0, 1.2, 9.0], Verdict.MET)],
)
def test_the_median_meets_a_bar_or_misses_it_unrounded(
    samples: list[float], verdict: Verdict
) -> None:
    """No bar moves by a digit, and one slow repetition does not miss it."""
    assert Figure("press", "x", samples, at_most=1.3, digits=1).verdict is verdict


def test_fewer_than_exactly_one_is_missed_too() -> None:
    """Less than one request per record would mean that some were not sent."""
    assert Figure("requests", "", [0.9], at_most=1.0, exactly=True).verdict is Verdict.MISSED


def test_a_missed_figure_is_told_with_target_measured_and_spread() -> None:
    """A row can be read without the code."""
    figure = Figure("peak", "MB", [190.0, 200.0, 210.0], at_most=180.0, pi="less " * 40)

    rows = list(lines("memory", [figure]))

    assert " ".join(rows[1].split()) == "peak ≤ 180 MB 200.0 MB 192.0 to 208.0 3 MISSED"
    assert rows[2].strip().startswith("on a Pi: less")
    assert max(map(len, rows)) <= WIDTH


def test_json_has_every_sample() -> None:
    """Raw numbers, so that another spread can be drawn from them."""
    figure = Figure("peak", "MB", [3.0, 1.0, 2.0])

    assert json.loads(json.dumps(figure.to_json()))["samples"] == [3.0, 1.0, 2.0]
