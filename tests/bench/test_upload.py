"""The upload section: each contender does what its row says."""

from pathlib import Path

import pytest

from tests.bench.upload_lines import cut_line
from tests.bench.upload_runs import loaded, run

pytestmark = [pytest.mark.slow, pytest.mark.alone]

RECORDS = 2
WITHIN_S = 60.0

WHOLE = (4e6, 60.0)
EARLY = (1e6, 0.45)
LATER = (400_000.0, 0.6)
"""Bytes a second, and seconds from cut to cut."""


@pytest.mark.parametrize(
    ("name", "requests", "handshakes", "cutting"),
    [
        ("ours", RECORDS, 1, LATER),
        ("raw socket", RECORDS, 1, EARLY),
        ("curl", RECORDS, 1, EARLY),
        ("tuspy", 2 * RECORDS, 2 * RECORDS, LATER),
    ],
)
def test_a_contender_delivers_all_over_a_whole_line_and_over_one_that_is_cut(
    name: str, requests: int, handshakes: int, cutting: tuple[float, float], tmp_path: Path
) -> None:
    """Requests and connections are what the client is known for; cut, it continues in its way."""
    for kind, line in (("whole", WHOLE), ("cut", cutting)):
        load = loaded(tmp_path / kind, RECORDS)
        with cut_line(tmp_path / f"{kind} server", *line) as opened:
            one = run(name, opened, load, tmp_path / f"{kind} job", WITHIN_S)

        assert one.delivered == RECORDS
        if line is WHOLE:
            assert (one.requests, one.handshakes) == (requests, handshakes)
            assert 0.97 < one.useful_bytes / one.sent_bytes < 1
        else:
            assert one.requests > RECORDS
