"""A small peak with real parts: an instance dies, S3 stalls, and nothing is lost or double."""

from functools import partial
from pathlib import Path

import pytest

from tests.bench.fleet import misfortunes, plan, servers
from tests.bench.fleet.play import play

DEVICES, RECORDS, LASTS_S = 6, 3, 12.0

pytestmark = pytest.mark.slow


def test_a_kill_and_a_stall_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    with (
        servers.engines(tmp_path, fsync=False) as engines,
        servers.spread(tmp_path / "peak", engines, intakes=2) as spread,
    ):
        happens = partial(misfortunes.morning, stall_s=2.0, kill_s=10.0)

        before = [one.backend.pid for one in spread.intakes]
        outcome = play(spread, plan.morning(DEVICES, RECORDS, LASTS_S), happens)
        after = [one.backend.pid for one in spread.intakes]

    assert outcome.is_good, outcome
    assert outcome.failed["503"], "the stall was felt by nobody"
    assert (before[0] == after[0], before[1] == after[1]) == (False, True), "nobody was killed"
    assert outcome.s3_requests >= 2 * outcome.records


def test_process_by_itself_takes_all_that_waits(tmp_path: Path) -> None:
    with servers.embedded(tmp_path) as one:
        outcome = play(one, plan.waiting(DEVICES, RECORDS))

    assert outcome.is_good, outcome
    assert not outcome.failed
