"""The upload section: each contender does what its row says, and the bottleneck counts bytes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.bench.upload_jobs import CONTENDERS
from tests.bench.upload_lines import Cutting, Open, loopback
from tests.bench.upload_runs import Run, loaded, run

pytestmark = [pytest.mark.slow, pytest.mark.alone]

RECORDS = 2
WITHIN_S = 60.0


def uploaded(
    name: str, folder: Path, opened: Callable[[Path], AbstractContextManager[Open]]
) -> Run:
    load = loaded(folder / "device", RECORDS)
    with opened(folder / "server") as line:
        return run(name, line, load, folder / "job", WITHIN_S)


@pytest.mark.parametrize(
    ("name", "requests", "handshakes"),
    [
        ("ours", RECORDS, 1),
        ("raw socket", RECORDS, 1),
        ("curl", RECORDS, 1),
        ("tuspy", 2 * RECORDS, 2 * RECORDS),
        ("tus-js-client", 2 * RECORDS, 1),
    ],
)
def test_a_contender_delivers_all_in_its_requests_and_handshakes(
    name: str, requests: int, handshakes: int, tmp_path: Path
) -> None:
    """Every record has a receipt; requests and connections are what the client is known for."""
    one = uploaded(name, tmp_path, loopback)

    assert (one.delivered, one.requests, one.handshakes) == (RECORDS, requests, handshakes)
    assert len(one.each_ms) == RECORDS - 1


@pytest.mark.parametrize("name", CONTENDERS)
def test_a_contender_gets_all_over_a_line_that_is_cut(name: str, tmp_path: Path) -> None:
    """Cut in the middle of the first record, each goes on in its own way until all are there."""
    line = Cutting(400_000, (0.6, 0.6)) if name in {"ours", "tuspy"} else Cutting(1e6, (0.45, 0.45))
    one = uploaded(name, tmp_path, line.open)

    assert one.delivered == RECORDS
    assert one.requests > RECORDS


def test_useful_is_the_share_of_what_the_bottleneck_carried(tmp_path: Path) -> None:
    """Without a cut all but TLS and headers is useful: more than 99 % and less than all."""
    one = uploaded("raw socket", tmp_path, Cutting(4e6, (60.0, 60.0)).open)

    assert 99.0 < one.useful_pct < 100.0
