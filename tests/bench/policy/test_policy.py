"""The simulated rounds keep what tests/results.md says, on fewer rounds than in that table."""

import random
import statistics
import subprocess
import sys

import pytest

from tests.bench.policy import labels, stickers, tally
from tests.bench.policy.area import AREAS, CITY, OPEN, ROOFTOP, SUBURB, TERRACES, WALL, Spread
from tests.bench.policy.tally import Row


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], Row]:
    return {(row.area, row.rule): row for row in tally.rows(AREAS, rounds=6, seed=4)}


@pytest.mark.parametrize("spread", [OPEN.error, WALL.error, ROOFTOP])
def test_errors_have_the_median_and_the_95_percent_of_their_source(spread: Spread) -> None:
    dice = random.Random(1)
    far = sorted(abs(complex(*spread.draw(dice))) for _ in range(20_000))

    assert statistics.median(far) == pytest.approx(spread.median_m, rel=0.05)
    assert far[19_000] == pytest.approx(spread.p95_m, rel=0.05)


def test_the_same_seed_prints_the_same_figures() -> None:
    first, second, other = (tally.rows([SUBURB], rounds=1, seed=seed) for seed in (1, 1, 2))

    assert first == second != other


@pytest.mark.slow
def test_our_rule_opens_the_eye_at_fewer_forbidden_doors_than_the_nearest_stop_would(
    rows: dict[tuple[str, str], Row],
) -> None:
    for area in AREAS:
        ours, nearest = rows[area.name, "ours, by place"], rows[area.name, "nearest stop only"]

        assert ours.forbidden_pct < (10 if area is TERRACES else 8)
        assert area is SUBURB or ours.forbidden_pct < nearest.forbidden_pct / 2


@pytest.mark.slow
def test_an_old_fix_that_is_widened_refuses_less_than_no_fix_means_refuse(
    rows: dict[tuple[str, str], Row],
) -> None:
    for area in AREAS:
        ours, fresh = rows[area.name, "ours, by place"], rows[area.name, "no fix means refuse"]

        assert ours.refusals < fresh.refusals


@pytest.mark.slow
def test_a_label_at_each_refusal_leaves_only_unreadable_labels_refused(
    rows: dict[tuple[str, str], Row],
) -> None:
    for area in AREAS:
        asked = rows[area.name, "ours, label at a refusal"]

        assert asked.refusals < 0.1 * rows[area.name, "ours, by place"].refusals + 0.5
        assert asked.forbidden_pct <= rows[area.name, "ours, by place"].forbidden_pct + 2


@pytest.mark.slow
def test_scanning_every_label_leaves_next_to_nothing_wrong(
    rows: dict[tuple[str, str], Row],
) -> None:
    """What remains are labels that nobody could read."""
    for area in AREAS:
        scanned = rows[area.name, "ours, every label"]

        assert scanned.forbidden_pct < 1
        assert scanned.wrong_one_pct < 1


@pytest.mark.slow
def test_a_code_that_outlives_its_door_opens_the_eye_at_the_next_one(
    rows: dict[tuple[str, str], Row],
) -> None:
    """Why a bound code has to end early: the figure is here so that nobody forgets it."""
    lasting = rows[CITY.name, "ours, if codes lasted"]

    assert lasting.forbidden_pct > 10


@pytest.mark.slow
def test_label_that_speaks_once_shows_a_tenth_of_the_wrong_photos() -> None:
    """Of the rule before; and one label in a hundred of those that were read is late for it."""
    found = {(row.area, row.memory): row for row in labels.rows(AREAS, rounds=10, seed=4)}

    for area in AREAS:
        before, ours = found[area.name, labels.BEFORE], found[area.name, labels.OURS]
        assert before.used > 10 * max(1.0, ours.used)
        assert ours.of_before_pct < 12
        assert ours.late_pct < 1
        assert ours.forbidden_pct < before.forbidden_pct


@pytest.mark.slow
def test_hardly_an_honest_label_is_taken_for_another_places(
    rows: dict[tuple[str, str], Row],
) -> None:
    """What the rule against strangers' labels costs in refusals: less than one press a day."""
    for area in AREAS:
        assert rows[area.name, "ours, every label"].elsewhere < 1


@pytest.mark.slow
def test_a_label_that_no_position_confirms_is_for_dispatch(
    rows: dict[tuple[str, str], Row],
) -> None:
    """What it costs there: little under the open sky, a third of the labels between towers."""
    a_day = {area.name: rows[area.name, "ours, every label"].unconfirmed for area in AREAS}

    assert a_day["suburb"] < a_day["city"] < 12
    assert 25 < a_day["towers"] < 60


@pytest.mark.slow
def test_a_strangers_label_seldom_opens_a_forbidden_door_unless_it_is_a_neighbours() -> None:
    """Each of them did before; the neighbour's figure is here so that nobody forgets it."""
    found = {(row.area, row.owner): row for row in stickers.rows(AREAS, rounds=6, seed=4)}

    for area in AREAS:
        anybody = found[area.name, "anybody on the route"]
        assert anybody.shown_pct <= anybody.photos_pct < 60
        assert anybody.shown_pct < 15
    assert found[CITY.name, "the nearest on the route"].shown_pct > 50


@pytest.mark.slow
def test_the_table_is_printed() -> None:
    command = [sys.executable, "-m", "tests.bench.policy", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout.count("ours, by place") == len(AREAS)
    assert done.stdout.count("anybody on the route") == len(AREAS)
    assert done.stdout.count(labels.BEFORE) == 1 + len(AREAS)
