"""Green lights are compared with records: lost, missing and doubled records are reported."""

from dataclasses import replace

from agent.models import RecordLabel
from tests.support.factory import RecordMaker
from tests.system.qemu.power_cuts import NEAR_NS, Answer, broken, lost


def pressed(count: int = 3) -> tuple[list[Answer], list[RecordLabel]]:
    """Photos in this count, and the green light of each."""
    maker = RecordMaker()
    labels = [maker.make(monotonic_ns=at * 3_000_000_000).label for at in range(1, count + 1)]
    return [Answer("GREEN", one.boot_id, one.monotonic_ns + 40_000_000) for one in labels], labels


def test_green_light_with_its_photo_is_not_lost() -> None:
    answers, labels = pressed()

    assert lost(answers, labels) == []
    assert broken(labels) == []


def test_green_light_without_a_photo_is_lost() -> None:
    answers, labels = pressed()

    assert lost(answers, labels[:-1]) == [answers[-1]]


def test_photo_of_another_boot_or_press_does_not_count() -> None:
    (answer,), (label,) = pressed(1)

    assert lost([answer], [replace(label, boot_id="another")])
    assert lost([answer], [replace(label, monotonic_ns=answer.edge_ns + NEAR_NS)])
    assert lost([answer], [replace(label, kind="no_photo")])


def test_amber_light_counts_as_a_photo_and_a_red_one_as_none() -> None:
    (answer,), _ = pressed(1)

    assert lost([replace(answer, light="AMBER")], [])
    assert not lost([replace(answer, light=light) for light in ("RED", "BLUE", "NOTHING")], [])


def test_missing_or_repeated_number_is_reported() -> None:
    _, labels = pressed(4)

    assert broken([labels[0], *labels[2:]]) == ["missing [2]"]
    assert broken([*labels, labels[1]]) == ["twice [2]"]
    assert broken([*labels, replace(labels[0], chain="another", seq=5)]) == ["2 chains"]
