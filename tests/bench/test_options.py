"""What scripts/bench may be told."""

import pytest

from tests.bench.__main__ import MEASURES
from tests.bench.options import SECTIONS, read_options


def test_every_section_that_may_be_named_can_be_measured() -> None:
    assert tuple(MEASURES) == SECTIONS


def test_an_unknown_section_is_named_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(["pres"])

    assert ended.value.code == 2
    assert "unknown: pres; one of: machine, start, press," in capsys.readouterr().err
