import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from agent import __version__
from tests.bench import machine
from tests.bench.__main__ import MEASURES
from tests.bench.frame import WIDTH, Figure, Verdict, by_turns, lines
from tests.bench.options import SECTIONS, read_options


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
    figure = Figure("peak", "MB", [190.0, 200.0, 210.0], at_most=180.0, note="less " * 40)

    rows = list(lines("memory", [figure]))

    assert " ".join(rows[1].split()) == "peak ≤ 180 MB 200.0 MB 192.0 to 208.0 3 MISSED"
    assert rows[2].strip().startswith("less")
    assert max(map(len, rows)) <= WIDTH


def test_json_has_every_sample() -> None:
    """Raw numbers, so that another spread can be drawn from them."""
    figure = Figure("peak", "MB", [3.0, 1.0, 2.0])

    assert json.loads(json.dumps(figure.to_json()))["samples"] == [3.0, 1.0, 2.0]


def test_jobs_take_turns_and_the_warm_up_does_not_count() -> None:
    """A slow moment of the machine meets all of them, and each of them is first in turn."""
    moments = count()

    taken = by_turns(2, {name: lambda: float(next(moments)) for name in "ab"}, warm_up=1)

    assert taken == {"a": [3.0, 4.0], "b": [2.0, 5.0]}


def test_raw_numbers_say_what_was_measured_and_when() -> None:
    """A figure without them cannot be told from an older one, or from another version's."""
    facts = machine.run_facts()

    assert datetime.now(UTC) - datetime.fromisoformat(facts["date"]) < timedelta(minutes=1)
    assert facts["version"] == __version__
    assert facts["commit"]
    assert all(f"{name} " in facts["others"] for name in machine.OTHERS)


def test_every_section_that_may_be_named_can_be_measured() -> None:
    assert tuple(MEASURES) == SECTIONS


def test_an_unknown_section_is_named_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(["pres"])

    assert ended.value.code == 2
    assert "unknown: pres; one of: machine, start, press," in capsys.readouterr().err
