"""The summary of a card follows from the records found, whatever its queue says."""

from dataclasses import replace

import pytest

from agent.models import CaptureId
from agent.rescue.card_files import Torn, Unread, Whole, judged, name_of
from agent.rescue.owner import FleetMatch, Owner
from agent.rescue.rows import QueueRow
from agent.rescue.summary import Tally, chains, is_all_whole, lines
from tests.support.factory import Made, RecordMaker, new_id


def tally(*records: Made) -> Tally:
    found = Tally()
    for one in records:
        found.add(judged(f"{one.label.capture_id}.rec", one.content))
    return found


def row(one: Made, *, is_delivered: bool) -> QueueRow:
    return QueueRow(one.label.capture_id, one.label.chain, one.label.seq, is_delivered)


def test_record_with_a_receipt_or_pruned_is_not_missing() -> None:
    maker = RecordMaker()
    made = [maker.make() for _ in range(6)]
    rows = [row(one, is_delivered=one.label.seq <= 3) for one in made]

    (found,) = chains(tally(*made[2:4], made[5]), rows)

    assert (found.first, found.last, found.whole, found.delivered) == (1, 6, 3, 1)
    assert found.missing == [range(5, 6)]


def test_records_behind_the_last_file_that_the_queue_knows_are_missing() -> None:
    maker = RecordMaker()
    made = [maker.make() for _ in range(4)]

    (found,) = chains(tally(*made[:2]), [row(one, is_delivered=False) for one in made])

    assert (found.last, found.missing) == (4, [range(3, 5)])
    assert not is_all_whole(tally(*made[:2]), [found])


def test_torn_record_whose_label_verifies_is_torn_and_not_missing() -> None:
    maker = RecordMaker()
    first, second, third = (maker.make() for _ in range(3))
    found = tally(first, third)
    found.add(judged("any", second.content[:-1]))

    (chain,) = chains(found, [])

    assert (chain.whole, chain.missing) == (2, [])
    assert not is_all_whole(found, [chain])


def test_absurd_number_costs_no_time() -> None:
    maker = RecordMaker()
    made = [maker.make(), maker.make(seq=2**62)]

    (found,) = chains(tally(*made), [])

    assert found.missing == [range(2, 2**62)]


def test_same_record_twice_is_one() -> None:
    one = RecordMaker().make()

    assert chains(tally(one, one), [])[0].whole == 1


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "x" * 255, "\udcff", "\u202egnp.exe"])
def test_card_text_is_one_printable_line_each(name: str) -> None:
    found = tally(RecordMaker(device_id="van-7").make())
    found.add(Torn(name, "no record"))
    found.add(Unread(name, "Input/output error"))
    whose = Owner(FleetMatch.ANOTHERS, name, name)

    for line in lines("a place", whose, found, None, []):
        assert line.isprintable()
        assert len(line) <= 300


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", ".", "..", "\x1b[2J", "a\nb", "x" * 255])
def test_name_of_what_is_torn_is_a_plain_name_of_its_own(name: str) -> None:
    one, other = Torn(name, "torn", content=b"one"), Torn(name, "torn", content=b"other")

    assert name_of(one) != name_of(other)
    for saved in (name_of(one), name_of(other)):
        assert "/" not in saved
        assert not saved.startswith(".")
        assert saved.isprintable()
        assert len(saved) < 128


def test_name_of_a_whole_record_is_its_label_s_whatever_the_file_was_called() -> None:
    made = RecordMaker().make()
    found = judged("../evil.rec", made.content)

    assert isinstance(found, Whole)
    assert name_of(found) == f"{made.label.capture_id}.rec"


def test_id_that_is_no_uuid_makes_a_record_torn() -> None:
    """Otherwise it could name any file in the folder of saved records."""
    made = RecordMaker().make()
    label = replace(made.label, capture_id=CaptureId("../../evil"))
    forged = RecordMaker().make(capture_id=label.capture_id)

    assert isinstance(judged(f"{new_id()}.rec", forged.content), Torn)
