"""`doorstep queue`: its list, and putting items back."""

import json
from contextlib import closing

import pytest

from agent.queue.database import Database
from tests.support.device import empty_queue
from tests.unit.agent.command.inprocess import Ended, Terminal, filled


def listed(terminal: Terminal, *words: str, member: str = "capture_id") -> list[object]:
    ended = terminal.run("queue", "--json", *words)
    assert ended.code == 0
    return [json.loads(line)[member] for line in ended.out.splitlines()]


def test_the_queue_can_be_paged_through_also_behind_a_second_chain(terminal: Terminal) -> None:
    """The numbers of a new chain start at 1 again, those of the queue do not."""
    first, second = filled(terminal.device), filled(terminal.device)

    assert listed(terminal, member="number") == list(range(1, 11))
    assert listed(terminal) == first + second
    assert listed(terminal, "--limit", "2", "--after", "2") == first[2:4]
    assert listed(terminal, "--after", "5") == second
    assert listed(terminal, "--state", "REFUSED") == [first[1], second[1]]


def test_content_of_the_queue_does_not_command_the_terminal(terminal: Terminal) -> None:
    """Every process writes there, and who asks is root."""
    filled(terminal.device)
    with closing(Database(terminal.device.layout)) as database, database.step() as sql:
        sql.execute(
            "UPDATE captures SET utc = '\x1b[2J', kind = '\x1b[3J', answer = '\x1b]0;x\x07'"
        )

    for words in (["queue"], ["queue", "--json"]):
        ended = terminal.run(*words)
        told = ended.out.splitlines()
        assert (ended.code, len(told)) == (0, 5)
        assert "]0;x" in told[0], "the answer is told"
        assert all(line.isprintable() for line in told)


def test_a_list_tells_neither_receipts_nor_digests_of_labels(terminal: Terminal) -> None:
    filled(terminal.device)

    assert set(json.loads(terminal.run("queue", "--json").out.splitlines()[0])) == {
        *("number", "capture_id", "chain", "seq", "kind", "about", "utc", "clock", "bytes"),
        *("sha256", "state", "attempts", "suspected", "upload_url", "answer", "decided_utc"),
    }


@pytest.mark.parametrize("state", ["REFUSED", "refused"])
def test_an_empty_list_says_so_and_states_may_be_written_small(
    terminal: Terminal, state: str
) -> None:
    empty_queue(terminal.device.folder)

    assert terminal.run("queue", "--state", state) == Ended(0, "nothing in the queue is REFUSED\n")


def test_a_list_that_ends_at_its_limit_says_how_to_go_on(terminal: Terminal) -> None:
    filled(terminal.device)

    last = terminal.run("queue", "--limit", "1").out.splitlines()[-1]
    assert last == "there may be more: --after 1"
    assert terminal.run("queue", "--after", "99") == Ended(0, "nothing in the queue after 99\n")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_retry_puts_one_item_back(terminal: Terminal, number: int) -> None:
    ids = filled(terminal.device)

    assert "1 put back" in terminal.run("queue", "retry", ids[number]).out
    assert ids[number] in listed(terminal, "--state", "PENDING")


def test_retry_of_all_puts_refused_damaged_and_suspect_items_back(terminal: Terminal) -> None:
    ids = filled(terminal.device)

    assert "3 put back" in terminal.run("queue", "retry", "--all").out
    assert listed(terminal, "--state", "PENDING") == ids


@pytest.mark.parametrize("words", [["--json", "retry"], ["retry", "--json"]])
def test_retry_tells_json_where_it_is_asked_to(terminal: Terminal, words: list[str]) -> None:
    filled(terminal.device)

    ended = terminal.run("queue", *words, "--all")
    assert (ended.code, json.loads(ended.out)) == (0, {"put_back": 3})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give one ID, or --all"),
        (["{first}", "--all"], "give one ID, or --all"),
        (["{first}"], "neither refused nor damaged"),
        (["nobody"], "not in the queue"),
    ],
)
def test_a_retry_that_means_nothing_is_refused_with_2(
    terminal: Terminal, words: list[str], told: str
) -> None:
    first = filled(terminal.device)[0]

    ended = terminal.run("queue", "retry", *(word.format(first=first) for word in words))
    assert ended.code == 2
    assert told in ended.err
