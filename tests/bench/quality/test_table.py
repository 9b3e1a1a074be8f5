"""Shares of photographs: what counts, and how sure a share is."""

import pytest

from agent.models import QualityVerdict
from tests.bench.quality.judging import Judged
from tests.bench.quality.table import share

OK, BLURRED, DARK = QualityVerdict.OK, QualityVerdict.BLURRED, QualityVerdict.DARK


def rows(verdicts: list[QualityVerdict], pictures: int = 1) -> list[Judged]:
    return [
        Judged(str(number), "arc", "day", verdict)
        for number, verdict in enumerate(verdicts)
        for _ in range(pictures)
    ]


def test_interval_is_the_one_of_wilson() -> None:
    """If none of 20 passes, it is 0 to 16 % (Newcombe, Two-sided confidence intervals for the
    single proportion, 1998, table I); if one of 10 passes, 2 to 40 %, by the same formula."""
    none, one = share(rows([BLURRED] * 20), [OK]), share(rows([OK] + [BLURRED] * 9), [OK])

    assert (none.least, none.most) == pytest.approx((0, 0.161), abs=0.001)
    assert (one.least, one.most) == pytest.approx((0.018, 0.404), abs=0.001)


def test_pictures_of_one_photograph_count_as_one() -> None:
    verdicts = [OK, OK, *[BLURRED] * 8]

    assert share(rows(verdicts, pictures=4), [OK]) == share(rows(verdicts), [OK])


def test_dark_picture_says_nothing_of_blur() -> None:
    found = share(rows([OK, BLURRED, DARK, DARK]), [OK])

    assert (found.share, found.photographs) == (0.5, 2)
