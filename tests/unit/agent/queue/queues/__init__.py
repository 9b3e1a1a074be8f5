"""Queues as the code of each release made and filled them; see `dump.py`."""

from pathlib import Path
from typing import Final

from agent.queue.database import Connection

COUNTED: Final = {
    1: ("dead end 12: after POST was answered 404: the upload did not stay", 12, 0),
    2: ("sent whole 2: PATCH was answered 500", 0, 2),
    3: ("dead end 3: says the reason of a refusal", 0, 0),
    7: ("POST was answered 500 dead end 3: ", 0, 0),
    8: ("dead end three: ", 0, 0),
    9: ("dead end 99999999999999999999: ", 999_999_999, 0),
    10: (None, 0, 0),
}
"""Answers of rows by number, in 2026.11.7, and what is then in `dead_ends` and `sent_whole`."""


def fill_counted(sql: Connection) -> None:
    """Fill an empty database with the queue of 2026.11.7, whose answers count dead ends."""
    sql.executescript((Path(__file__).parent / "2026.11.7.sql").read_text())
    answers = [(answer, number) for number, (answer, *_) in COUNTED.items()]
    sql.executemany("UPDATE captures SET answer = ? WHERE number = ?", answers)
    sql.commit()
