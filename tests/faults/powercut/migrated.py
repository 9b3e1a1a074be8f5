"""The scenario of a migration: after any cut, a queue of an earlier release has all its rows."""

import json
import sqlite3  # noqa: TID251 - no code of today makes the queue of an earlier release
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from agent.models import RecordState
from agent.queue.opening import parts
from tests.faults.powercut import checker
from tests.faults.powercut.enrolled import device, said
from tests.faults.powercut.promise_log import PromiseLog, Row, Version
from tests.faults.powercut.stage import Stage, has_time, read_queue
from tests.support.benchtop import Bench
from tests.unit.agent.queue.queues import COUNTED, fill_counted

_OF_FILE: Final = (
    *("capture_id", "chain", "seq", "label_sha256", "boot_id", "kind", "about"),
    *("utc", "clock", "bytes", "sha256"),
)
"""Columns that say which file a row is about; the other columns stay as they were released."""

_COUNTS: Final = ("answer", "dead_ends", "sent_whole")
"""Columns that say what came of a record so far; sync judges its next attempt by them."""

_ALARMS: Final = {"suspected": 1, "refused": 1, "damaged": 1}
"""Figures of the status that the rows of the released queue must give."""


def as_released(stage: Stage, bench: Bench) -> None:
    """Leave the queue of 2026.11.7 open, with ten records of this device in its rows.

    All other files have the form of this release.
    """
    for _ in range(9):  # the start of the chain is the first record
        bench.press()
    records = checker.look(stage.layout).rows.values()
    for part in parts(stage.layout.database):
        part.unlink()
    stage.layout.make()
    sql = sqlite3.connect(stage.layout.database)
    stage.left_open.enter_context(closing(sql))
    sql.row_factory = sqlite3.Row
    sql.execute("PRAGMA journal_mode = WAL")
    fill_counted(sql)
    _name_files(sql, list(records))
    rows, decided = read_queue(sql)
    promised = {name: row | _counts(row) for name, row in rows.items()}
    kept = has_time(stage.layout)
    stage.promises.versions.append(Version(0, 0, promised, decided, has_time=kept))
    for name, row in rows.items():
        if row["state"] in {RecordState.PRUNED, RecordState.DAMAGED}:
            stage.layout.record(name).unlink()
            stage.lose(name)


def _name_files(sql: sqlite3.Connection, records: list[Row]) -> None:
    """Write into each row which file it is about: the record of the same number."""
    columns = ", ".join(f"{name} = :{name}" for name in _OF_FILE)
    pruned = "(SELECT capture_id FROM captures WHERE state = 'PRUNED')"
    with sql:
        named = sql.executemany(f"UPDATE captures SET {columns} WHERE number = :number", records)
        assert named.rowcount == len(records), "each record has a row"
        sql.execute(f"UPDATE facts SET text = {pruned} WHERE name = 'last_decided'")


def _counts(row: Row) -> Row:
    """Return the columns that the migration fills from a row's answer."""
    _, dead_ends, sent_whole = COUNTED.get(row["number"], (None, 0, 0))
    return {"dead_ends": dead_ends, "sent_whole": sent_whole}


def migration(stage: Stage) -> None:
    """Start this release for the first time on the queue of 2026.11.7, and take a photo."""
    with stage.open() as bench:
        stage.photo(bench)


def check(stage: Stage, promises: PromiseLog, log_bytes: int, is_real: bool) -> list[str]:
    """Check that each row is as promised, and that `doorstep status` counts the rows.

    A queue that was set aside and made again would have other rows.
    """
    faults = checker.check(stage, promises, log_bytes, is_real)
    faults += _miscounted(promises.versions[0].rows, checker.look(stage.layout).rows)
    code, words = said("status", "--json", config=device(stage).config)
    queue = json.loads(words)["queue"] if code == 0 else {}
    if queue | _ALARMS != queue:
        faults.append(f"`doorstep status` after it: {code}, {words}")
    return faults


def _miscounted(released: dict[str, Row], found: dict[str, Row]) -> Iterator[str]:
    """Yield wrong counts; all later promises are only what the migration itself has counted."""
    for name, row in released.items():
        wanted = [row[count] for count in _COUNTS]
        counts = [found.get(name, {}).get(count) for count in _COUNTS]
        if counts != wanted:
            yield f"#{row['seq']} should have {_COUNTS} {wanted}, and has {counts}"
