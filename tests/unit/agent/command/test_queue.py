"""`doorstep queue`: its list, and putting items back."""

import json
from contextlib import closing

import pytest

from agent.queue.database import Database
from tests.support.device import Device, empty_queue
from tests.unit.agent.command.inprocess import filled, printed, run


def listed(device: Device, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert run(device, "queue", "--json", *words) == 0
    return [json.loads(line)["capture_id"] for line in printed(capsys).splitlines()]


def test_the_queue_can_be_paged_through_also_behind_a_second_chain(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    """The numbers of a new chain start at 1 again, those of the queue do not."""
    first, second = filled(device), filled(device)
    run(device, "queue", "--json")
    numbers = [json.loads(line)["number"] for line in printed(capsys).splitlines()]

    assert numbers == list(range(1, 11))
    assert listed(device, capsys) == first + second
    assert listed(device, capsys, "--limit", "2", "--after", "2") == first[2:4]
    assert listed(device, capsys, "--after", "5") == second
    assert listed(device, capsys, "--state", "REFUSED") == [first[1], second[1]]


def test_what_the_queue_holds_does_not_command_the_terminal(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every process writes there, and who asks is root."""
    filled(device)
    with closing(Database(device.layout)) as database, database.step() as sql:
        sql.execute(
            "UPDATE captures SET utc = '\x1b[2J', kind = '\x1b[3J', answer = '\x1b]0;x\x07'"
        )

    for words in (["queue"], ["queue", "--json"]):
        assert run(device, *words) == 0
        told = printed(capsys).splitlines()
        assert len(told) == 5
        assert "]0;x" in told[0], "the answer is told"
        assert all(line.isprintable() for line in told)


def test_a_list_tells_neither_receipts_nor_digests_of_labels(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(device)
    run(device, "queue", "--json")

    assert set(json.loads(printed(capsys).splitlines()[0])) == {
        *("number", "capture_id", "chain", "seq", "kind", "about", "utc", "clock", "bytes"),
        *("sha256", "state", "attempts", "suspected", "upload_url", "answer", "decided_utc"),
    }


@pytest.mark.parametrize("state", ["REFUSED", "refused"])
def test_an_empty_list_says_so_and_states_may_be_written_small(
    device: Device, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    empty_queue(device.folder)

    assert run(device, "queue", "--state", state) == 0
    assert printed(capsys) == "nothing in the queue is REFUSED\n"


def test_a_list_that_ends_at_its_limit_says_how_to_go_on(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(device)

    assert run(device, "queue", "--limit", "1") == 0
    assert printed(capsys).splitlines()[-1] == "there may be more: --after 1"
    assert run(device, "queue", "--after", "99") == 0
    assert printed(capsys) == "nothing in the queue after 99\n"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_retry_puts_one_item_back(
    device: Device, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    ids = filled(device)

    assert run(device, "queue", "retry", ids[number]) == 0
    assert "1 put back" in printed(capsys)
    assert ids[number] in listed(device, capsys, "--state", "PENDING")


def test_retry_of_all_puts_refused_damaged_and_suspect_items_back(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = filled(device)

    assert run(device, "queue", "retry", "--all") == 0
    assert "3 put back" in printed(capsys)
    assert listed(device, capsys, "--state", "PENDING") == ids


@pytest.mark.parametrize("words", [["--json", "retry"], ["retry", "--json"]])
def test_retry_tells_json_where_it_is_asked_to(
    device: Device, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    filled(device)

    assert run(device, "queue", *words, "--all") == 0
    assert json.loads(printed(capsys)) == {"put_back": 3}


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
    device: Device, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    first = filled(device)[0]

    assert run(device, "queue", "retry", *(word.format(first=first) for word in words)) == 2
    assert told in capsys.readouterr().err
