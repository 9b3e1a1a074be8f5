"""Blur is told on real photographs, in every direction: a share of what README's table shows."""

import pytest

from agent.models import Verdict
from tests.bench.quality.judging import GRAINS, SHARP, Judged, judged, smears
from tests.bench.quality.photographs import PLACES
from tests.bench.quality.table import by_direction

pytestmark = pytest.mark.slow

SMEAR_PX = 12


@pytest.fixture(scope="module")
def rows() -> list[Judged]:
    return list(judged(PLACES, [SHARP, *smears(SMEAR_PX)]))


def test_every_smeared_photograph_is_called_blurred(rows: list[Judged]) -> None:
    for row in rows:
        assert row.spoilt == SHARP or row.now.verdict is Verdict.BLURRED, row


def test_no_sharp_photograph_is_called_blurred(rows: list[Judged]) -> None:
    for row in rows:
        assert row.spoilt != SHARP or row.now.verdict is not Verdict.BLURRED, row


def test_no_direction_counts_half_as_much_again_as_another(rows: list[Judged]) -> None:
    for name in PLACES:
        for grain in GRAINS:
            some = _smeared(rows, name, grain)
            assert by_direction(some, lambda row: row.now) <= 1.5, (name, grain)


def test_the_table_shows_what_2026_11_1_got_wrong(rows: list[Judged]) -> None:
    """What it is compared with must be the one that called a diagonal sharp, and cloth blurred."""
    diagonal = [row for row in rows if row.spoilt.direction_deg == 45]
    coffee = [row for row in rows if row.name == "coffee" and row.spoilt == SHARP]

    assert sum(row.before.verdict is Verdict.OK for row in diagonal) > len(diagonal) / 2
    assert all(row.before.verdict is Verdict.BLURRED for row in coffee)


def _smeared(rows: list[Judged], name: str, grain: float) -> list[Judged]:
    return [row for row in rows if row.spoilt != SHARP and (row.name, row.grain) == (name, grain)]
