"""What is asked of a filled database is found by an index: PostgreSQL itself says how it looked."""

import re
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from tests.backend.engines.opening import PER_FOLDER, URL
from tests.backend.engines.postgres import close_pools
from tests.backend.process import Backend
from tests.bench import records, row_count
from tests.bench.row_count import QUESTIONS, Site
from tests.support.filed import await_filed
from tests.support.postgres import Postgres, asked

GROW: Final = {table.partition(" ")[0] for table in records.Month(1, records.NEVER).tables()}
"""Tables with a row for each record, order, route or look."""

RECORDS: Final = 200
DEVICES: Final = 20

EXPLAINS: Final = {
    "shared_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "enable_seqscan": "off",
    "jit": "off",
}
"""Each plan into the server's log, which reads a table from end to end only where no index serves.

Source: PostgreSQL's manual, F.4 and 20.7.1.
"""


NODE: Final = re.compile(r"(?:Seq|Index(?: Only)?) Scan(?: Backward)?(?: using (\w+))? on (\w+)")
"""One node of a plan that reads a table, by an index or not."""

TAKES_ALL: Final = ("Sort", "Aggregate", "Hash", "Unique")
"""Nodes that read all of what is below them, whatever LIMIT is above. Source: EXPLAIN's words."""


def read_whole(log: str, partial: Collection[str]) -> dict[str, str]:
    """Tables that grow and were read from end to end, each with the question.

    So is one whose whole index is read: of all rows, unless it is one of the `partial` ones.
    What stops at a LIMIT passes.
    """
    found = {}
    for entry in re.split(r"\n(?=\S)", log):
        lines = entry.split("\n")
        for place, line in enumerate(lines):
            node = NODE.search(line)
            if node is None or node[2] not in GROW or node[1] in partial:
                continue
            is_by_key = node[1] is not None and _has_condition(lines, place)
            if not (is_by_key or (node[1] is not None and _stops(lines, place))):
                found[node[2]] = entry
    return found


def _has_condition(lines: Sequence[str], place: int) -> bool:
    """Whether only a part of the index is read: said in the lines of this node."""
    for line in lines[place + 1 :]:
        if _depth(line) <= _depth(lines[place]) or "->" in line:
            return False
        if "Index Cond:" in line:
            return True
    return False


def _stops(lines: Sequence[str], place: int) -> bool:
    """Whether a LIMIT is above, and nothing between that needs all rows."""
    depth = _depth(lines[place])
    for line in reversed(lines[:place]):
        is_above = _depth(line) < depth and ("->" in line or "(cost=" in line)
        if not is_above:
            continue
        depth = _depth(line)
        words = line.strip().removeprefix("->").strip()
        if words.startswith("Limit"):
            return True
        if any(one in words.partition("(")[0] for one in TAKES_ALL):
            return False
    return False


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def plan(*lines: str) -> str:
    """As auto_explain logs it."""
    return "\n".join(["LOG:  duration: 1 ms  plan:", "\tQuery Text: SELECT 1", *lines])


BY_KEY: Final = "\tIndex Scan using captures_pkey on captures c  (cost=0.1..2 rows=1 width=9)"
CONDITION: Final = "\t  Index Cond: (capture_id = 'x'::text)"
LIMIT: Final = "\tLimit  (cost=0.1..2 rows=1 width=9)"
BELOW: Final = "\t  ->  Index Scan using captures_pkey on captures c  (cost=0.1..2 rows=1 width=9)"
SORT: Final = "\t  ->  Sort  (cost=0.1..2 rows=1 width=9)"
DEEPER: Final = f"\t      {BELOW.strip()}"


@pytest.mark.parametrize(
    ("said", "is_whole"),
    [
        (plan("\tSeq Scan on captures c  (cost=1..2 rows=1 width=9)"), True),
        (plan(LIMIT, "\t  ->  Seq Scan on captures c  (cost=1..2 rows=1 width=9)"), True),
        (plan(BY_KEY, CONDITION), False),
        (plan(BY_KEY, "\t  Filter: (kind = 'photo'::text)"), True),
        (plan(LIMIT, BELOW), False),
        (plan(LIMIT, SORT, "\t        Sort Key: utc", DEEPER), True),
        (plan(BY_KEY.replace("captures_pkey", "captures_waiting")), False),
        (plan(BY_KEY.replace("captures c", "migrations")), False),
    ],
)
def test_a_look_sees_what_is_read_whole(said: str, is_whole: bool) -> None:
    assert bool(read_whole(said, {"captures_waiting"})) is is_whole


@pytest.mark.slow
def test_no_question_reads_a_table_that_grows_from_end_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(PER_FOLDER, raising=False)
    monkeypatch.setattr(records, "DEVICES", DEVICES)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="doorstep-rows-")))
        folder.chmod(0o755)
        server = Postgres(folder / "own", fsync=False).make().start(**EXPLAINS)
        opened.callback(server.stop)
        opened.callback(close_pools)
        monkeypatch.setenv(URL, server.url)
        data, log = folder / "backend", folder / "own.log"
        backend = Backend(data, switches=True, identity=True)
        opened.callback(backend.kill)
        backend.start()
        row_count.fill(data, RECORDS)
        begins = log.stat().st_size
        site = row_count.asked_by(backend, data, opened)
        site.intake(1)
        await_filed(data)
        for ask in QUESTIONS.values():
            ask(site)
        _look_around(site, backend, folder)

        said = log.read_text()[begins:]
        query = "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%WHERE%'"
        partial = {one[0] for one in asked(server.url, query)}

    assert "Index Scan using captures_pkey" in said
    assert read_whole(said, partial) == {}


def _look_around(site: Site, backend: Backend, folder: Path) -> None:
    """What is not asked for every day."""
    site.metrics()
    row_count.got(site.dispatch, f"{backend.base_url}/pages/dispatch")
    row_count.got(site.customer, f"{backend.base_url}/pages/orders")
    backend.command("expire")
    backend.command("hold", row_count.number(1), "CASE-7")
    backend.command("export-evidence", site.sent, "--out", str(folder / "evidence"))
    backend.command("export-order", row_count.number(1), str(folder / "order.zip"))
    backend.command("export-device", row_count.VAN, str(folder / "van.zip"))
    backend.command("devices", "revoke", row_count.VAN, "--evidence", "2026-01-01T00:00:00Z")
    backend.command("devices", "gone", row_count.VAN)
