from pathlib import Path

import pytest

from agent.serve.places import MOST
from tests.backend.reports.store import Reports
from tests.bench import pulling
from tests.bench.besieged import connections, siege
from tests.bench.listeners import device_id
from tests.support.served import served
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def test_each_listener_is_pulled_in_its_own_name(tmp_path: Path) -> None:
    """A round in which some are refused would be quick."""
    rows = list(pulling.measure(tmp_path, count=3, rounds=2))

    assert rows[1].name.strip() == "listeners that gave no report"
    assert rows[1].samples == [0]
    kept = [one.device_id for one in Reports(tmp_path / "puller").all()]
    assert kept == [device_id(number) for number in range(3)]


def test_who_attacks_is_counted_until_the_server_ends(tmp_path: Path) -> None:
    """No connections left would be nothing, if none were ever seen."""
    with served(tmp_path) as attacked:
        before = connections(attacked.pid)
        with siege(attacked, before) as attack:
            assert before == 1
            until(lambda: connections(attacked.pid) == before + MOST)
            assert attack.gone_after_s(0.5) == 0.5
