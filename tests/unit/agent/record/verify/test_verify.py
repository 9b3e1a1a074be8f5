"""`doorstep verify`: whatever is wrong with a folder of evidence is told; nothing crashes it."""

import json
import os
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.models import Kind
from agent.queue import recovery
from agent.queue.recovery import Cursor, sweep
from agent.record import file as recordfile
from agent.record import signing
from agent.record.verify import Report, examine, found
from tests.support.factory import (
    MOMENT,
    Made,
    RecordMaker,
    encoded,
    new_id,
    queue,
    with_other_spelling,
)


@pytest.fixture
def new() -> RecordMaker:
    """A device that has made no record yet."""
    return RecordMaker(chain="3f2a9c51-chain")


@pytest.fixture
def device() -> RecordMaker:
    """A device whose `chain_start` was delivered and pruned: its next record is number 2."""
    return RecordMaker.begun(chain="3f2a9c51-chain")


def look(folder: Path, pinned: signing.PublicKey | None = None) -> Report:
    return examine(folder.glob("*.rec"), pinned)


def line_of(report: Report, words: str) -> str:
    found = [line for line in report.lines if words in line]
    assert len(found) == 1, report.lines
    return found[0]


def test_a_whole_chain_verifies(tmp_path: Path, new: RecordMaker) -> None:
    """One line per record in words, by number, then the summary."""
    new.make(Kind.CHAIN_START).into(tmp_path)
    made = [new.make(Kind.TIME) for _ in range(11)]
    for each in made:
        each.into(tmp_path)
    new.make(Kind.VOID, about=made[3].label.capture_id).into(tmp_path)
    report = look(tmp_path, new.key.public_key())

    assert report.problems == 0
    numbers = [line.split("#")[1].split()[0] for line in report.lines if line.startswith("chain ")]
    assert numbers == [str(number) for number in range(1, 14)]
    line = line_of(report, "#2  ")
    assert line.split() == [
        "chain",
        "3f2a9c51...",
        "#2",
        "time",
        made[0].label.utc,
        "gnss",
        "holds",
    ]
    assert line_of(report, "void").endswith("holds; takes back #5")
    assert report.lines[-2:] == [
        "records: 13, chains: 1, with a problem: 0",
        "holds with remarks: nothing that was checked contradicts it; 1 thing was not checked",
    ]
    assert line_of(report, "#5 ").endswith("holds with remarks: taken back by #13")


def test_a_folder_without_a_record_is_a_problem(tmp_path: Path) -> None:
    """Nothing was verified, so nothing holds."""
    report = look(tmp_path)

    assert report.problems == 1
    assert report.verdict == report.document["verdict"] == "missing"
    assert report.lines[-2:] == [
        "records: 0, chains: 0, with a problem: 0",
        "missing: not one record could be read, so nothing was verified",
    ]


def test_a_body_that_was_altered_is_told_and_its_label_still_links(
    tmp_path: Path, device: RecordMaker
) -> None:
    """The chain is made of labels: one lost photo does not break it."""
    device.make().into(tmp_path)
    path = device.make().into(tmp_path)
    device.make().into(tmp_path)
    path.write_bytes(path.read_bytes()[:-1500] + b"!" + path.read_bytes()[-1499:])
    report = look(tmp_path)

    assert report.problems == 1
    line = line_of(report, "#3  ")
    assert "BROKEN: the body is not what the label says: its digest differs" in line
    assert path.name in line
    assert report.lines[-1] == "broken: 1 problem, not everything verifies"


def test_a_body_that_was_cut_is_told_with_both_sizes(tmp_path: Path, device: RecordMaker) -> None:
    path = device.make().into(tmp_path)
    path.write_bytes(path.read_bytes()[:-512])

    assert "2560 bytes, 3072 expected" in line_of(look(tmp_path), "#2  ")


def test_a_body_that_was_withheld_is_told_and_its_label_still_links(
    tmp_path: Path, device: RecordMaker
) -> None:
    made = [device.make() for _ in range(3)]
    paths = [each.into(tmp_path) for each in made]
    paths[1].write_bytes(made[1].line + b"\n")
    report = look(tmp_path)

    assert report.problems == 0
    assert "only the label is left" in line_of(report, "#3  ")


@pytest.mark.parametrize("photo", [None, b"another picture"])
def test_a_photo_that_is_not_the_described_one_is_told(
    tmp_path: Path, device: RecordMaker, photo: bytes | None
) -> None:
    body = recordfile.pack_body({"photo": {"sha256": "0" * 64}}, photo, MOMENT)
    made = device.make(body=recordfile.describe(body))
    content = recordfile.sign(made.label, body, device.key)
    Made(made.label, content).into(tmp_path)

    assert "BROKEN: " in line_of(look(tmp_path), "#2  ")


def test_a_missing_record_inside_the_chain_is_a_gap(tmp_path: Path, device: RecordMaker) -> None:
    paths = [device.make().into(tmp_path) for _ in range(6)]
    for path in paths[2:4]:
        path.unlink()
    paths[0].unlink()
    report = look(tmp_path)

    assert report.problems == 1
    assert line_of(report, "MISSING").split("  ")[1:] == ["#4 to #5", "MISSING: not in this folder"]


def test_a_chain_may_begin_later(tmp_path: Path, device: RecordMaker) -> None:
    """Delivered records are pruned; the device's folder still verifies."""
    for _ in range(39):
        device.make()
    device.make().into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 0
    assert line_of(report, "begins").endswith("begins at #41 (earlier ones are not in this folder)")


def test_two_records_of_one_number_are_a_fork(tmp_path: Path, device: RecordMaker) -> None:
    """A device restored from a copy, or a key in two hands."""
    device.make().into(tmp_path)
    copied = replace(device)
    device.make().into(tmp_path)
    copied.make().into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 2
    forks = [line for line in report.lines if "FORKED: 2 records have this number" in line]
    assert len(forks) == 2


def test_a_record_after_either_side_of_a_fork_follows(tmp_path: Path, device: RecordMaker) -> None:
    device.make().into(tmp_path)
    copied = replace(device)
    device.make().into(tmp_path)
    copied.make().into(tmp_path)
    copied.make(Kind.TIME).into(tmp_path)

    assert line_of(look(tmp_path), "#4  ").endswith("holds")


def test_two_records_that_follow_the_same_one_are_a_fork(
    tmp_path: Path, device: RecordMaker
) -> None:
    """Also in another chain, or under another number."""
    first = device.make()
    first.into(tmp_path)
    device.make().into(tmp_path)
    other = RecordMaker(key=device.key, chain="other", seq=1, prev=first.label_sha256)
    other.make().into(tmp_path)
    report = look(tmp_path)

    assert sum("FORKED: 2 records follow the same one" in line for line in report.lines) == 2


def test_two_records_of_one_id_are_a_fork(tmp_path: Path, device: RecordMaker) -> None:
    first = device.make()
    first.into(tmp_path)
    again = device.make(capture_id=first.label.capture_id)
    (tmp_path / "again.rec").write_bytes(again.content)
    report = look(tmp_path)

    assert sum("FORKED: 2 records have this id" in line for line in report.lines) == 2


def test_a_record_that_follows_another_one_is_told(tmp_path: Path, device: RecordMaker) -> None:
    device.make().into(tmp_path)
    device.make(prev="0" * 64).into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 1
    assert "BROKEN: it does not follow the #2 here" in line_of(report, "#3  ")


def test_a_copy_is_no_fork(tmp_path: Path, device: RecordMaker) -> None:
    """Evidence is mailed and renamed."""
    made = device.make()
    made.into(tmp_path)
    (tmp_path / "for the lawyer.rec").write_bytes(made.content)
    report = look(tmp_path)

    assert report.problems == 0
    assert f"its own name is {made.label.capture_id}" in line_of(report, "it has the same label as")


def test_a_copy_in_the_other_spelling_is_no_fork(tmp_path: Path, device: RecordMaker) -> None:
    """Its label has another digest; whoever copied it needed no key for that."""
    device.make().into(tmp_path)
    made = device.make()
    made.into(tmp_path)
    (tmp_path / "other.rec").write_bytes(with_other_spelling(made).content)
    device.make().into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 0, report.lines
    words = "it has the same label as .*, with the other spelling of its signature"
    assert len([line for line in report.lines if re.search(words, line)]) == 1


@pytest.mark.parametrize("respelled", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_record_in_the_other_spelling_breaks_no_link(
    tmp_path: Path, device: RecordMaker, respelled: tuple[int, ...]
) -> None:
    """The next one's prev is the digest of the spelling that the device had."""
    made = [device.make() for _ in range(3)]
    for number, each in enumerate(made):
        (with_other_spelling(each) if number in respelled else each).into(tmp_path)
    report = look(tmp_path, device.key.public_key())
    notes = [line for line in report.lines if "by the other spelling of its signature" in line]

    assert report.problems == 0, report.lines
    assert len(notes) == len([number for number in respelled if number < 2])


def test_two_records_that_follow_two_spellings_of_the_same_one_are_a_fork(
    tmp_path: Path, device: RecordMaker
) -> None:
    first = device.make()
    first.into(tmp_path)
    device.make().into(tmp_path)
    device.make(seq=4, prev=with_other_spelling(first).label_sha256).into(tmp_path)
    report = look(tmp_path)

    forks = [line for line in report.lines if "FORKED: 2 records follow the same one" in line]
    assert len(forks) == 2


def test_another_key_than_the_given_one_does_not_verify(
    tmp_path: Path, device: RecordMaker
) -> None:
    device.make().into(tmp_path)
    RecordMaker.begun().make().into(tmp_path)
    report = look(tmp_path, device.key.public_key())

    assert report.problems == 1
    assert "signed by another key than the given one" in line_of(report, "NOT OURS")


def test_without_a_given_key_each_device_keeps_its_first_one(
    tmp_path: Path, device: RecordMaker
) -> None:
    """Two devices have two keys; one device has one."""
    device.make().into(tmp_path)
    RecordMaker.begun("van-8").make().into(tmp_path)
    assert look(tmp_path).problems == 0

    forger = replace(device, key=signing.new_key())
    forger.make().into(tmp_path)
    device.make().into(tmp_path)
    report = look(tmp_path)
    assert report.problems == 1
    assert "another key than the first one of van-7" in line_of(report, "NOT OURS")


@pytest.mark.parametrize("gap", [0, 3])
def test_a_record_of_another_device_does_not_verify_in_a_chain(
    tmp_path: Path, device: RecordMaker, gap: int
) -> None:
    """A stranger needs no key of ours to write a label that follows the last one."""
    for _ in range(3):
        device.make().into(tmp_path)
    stranger = RecordMaker("van-8", chain=device.chain, seq=device.seq + gap, prev=device.prev)
    forged = [stranger.make() for _ in range(2)]
    for each in forged:
        each.into(tmp_path)
    report = look(tmp_path)

    assert report.problems == len(forged)
    for each in forged:
        line = line_of(report, each.label.capture_id)
        assert "NOT OURS: of van-8, in a chain of van-7" in line


def test_who_begins_a_pruned_chain_does_not_own_it(tmp_path: Path, device: RecordMaker) -> None:
    """The genuine ones follow each other, and nothing follows the stranger's."""
    made = [device.make() for _ in range(3)]
    for each in made[1:]:
        each.into(tmp_path)
    stranger = RecordMaker.begun("van-8", chain=device.chain).make()
    stranger.into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 1
    line = line_of(report, stranger.label.capture_id)
    assert "NOT OURS: of van-8, in a chain of van-7" in line


def test_where_nothing_tells_whose_a_chain_is_nobody_has_it(
    tmp_path: Path, device: RecordMaker
) -> None:
    device.make()
    device.make().into(tmp_path)
    RecordMaker.begun("van-8", chain=device.chain).make().into(tmp_path)
    report = look(tmp_path)

    assert report.verdict == "forked"
    words = "FORKED: several devices are in this chain, nothing tells whose it is"
    assert sum(words in line for line in report.lines) == 2


def test_a_number_that_only_a_forger_has_is_missing_and_said_so(
    tmp_path: Path, device: RecordMaker
) -> None:
    device.make().into(tmp_path)
    replace(device, key=signing.new_key()).make().into(tmp_path)
    device.make()
    device.make().into(tmp_path)
    report = look(tmp_path, device.key.public_key())

    assert line_of(report, "MISSING").endswith("not in this folder, but for what does not verify")


def test_a_record_that_takes_back_itself_is_told(tmp_path: Path, device: RecordMaker) -> None:
    own = new_id()
    device.make(Kind.VOID, about=own, capture_id=own).into(tmp_path)

    assert "BROKEN: it takes back itself" in line_of(look(tmp_path), "void")


def test_one_key_does_not_make_two_devices_one_chain(tmp_path: Path, device: RecordMaker) -> None:
    device.make().into(tmp_path)
    replace(device, device_id="van-8").make().into(tmp_path)
    report = look(tmp_path, device.key.public_key())

    assert report.problems == 1
    assert "of van-8, in a chain of van-7" in line_of(report, "#3  ")


AFTER: Final[dict[str, Any]] = {"utc": "2026-12-01T12:00:00.000Z"}
"""Later than the records of `device`."""


UNDATED: Final[dict[str, Any]] = {"utc": "1971-01-01T00:00:00.000Z", "clock": "unsynced"}


@pytest.mark.parametrize("dated", [AFTER, UNDATED], ids=["dated", "undated"])
@pytest.mark.parametrize("chain", ["0 sorts before", "z sorts behind"])
def test_a_second_chain_needs_its_chain_start(
    tmp_path: Path, new: RecordMaker, chain: str, dated: dict[str, Any]
) -> None:
    """Else what was removed from the end of the first one could go on in another."""
    new.make(Kind.CHAIN_START, **(UNDATED if dated == UNDATED else {})).into(tmp_path)
    second = replace(new, chain=chain, seq=0, prev=None).make(**dated)
    second.into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 1
    line = line_of(report, second.label.capture_id)
    assert "MISSING: the chain_start of this second chain of van-7" in line


@pytest.mark.parametrize("chain", ["0 sorts before", "z sorts behind"])
@pytest.mark.parametrize("dated", [AFTER, UNDATED], ids=["dated", "undated"])
def test_the_first_chain_needs_none_if_it_was_pruned(
    tmp_path: Path, device: RecordMaker, chain: str, dated: dict[str, Any]
) -> None:
    device.make()
    device.make().into(tmp_path)
    replace(device, chain=chain, seq=0, prev=None).make(Kind.CHAIN_START, **dated).into(tmp_path)

    assert look(tmp_path).problems == 0


@pytest.mark.parametrize("chain", ["0 sorts before", "z sorts behind"])
def test_a_backdated_chain_from_number_1_needs_its_chain_start(
    tmp_path: Path, new: RecordMaker, chain: str
) -> None:
    """Nothing was pruned from it, and no device begins a chain with a photo."""
    new.make(Kind.CHAIN_START).into(tmp_path)
    forger = replace(new, chain=chain, seq=0, prev=None)
    backdated = forger.make(utc="2026-11-30T09:00:00.000Z")
    backdated.into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 1
    line = line_of(report, backdated.label.capture_id)
    assert "MISSING: the chain_start of this first chain of van-7" in line


@pytest.mark.parametrize("kind", [Kind.PHOTO, Kind.TIME, "a later version's"])
def test_a_single_chain_from_number_1_needs_its_chain_start(
    tmp_path: Path, new: RecordMaker, kind: str
) -> None:
    """Every release began each chain with one; the rest of a forged chain may be flawless."""
    first = new.make(kind)
    for each in (first, new.make(), new.make()):
        each.into(tmp_path)
    report = look(tmp_path)

    assert (report.problems, report.verdict) == (1, found.Verdict.MISSING)
    line = line_of(report, first.label.capture_id)
    assert "MISSING: the chain_start of this first chain of van-7" in line


@pytest.mark.parametrize("chain", ["0 sorts before", "z sorts behind"])
def test_a_pruned_chain_without_a_date_is_the_first_one(
    tmp_path: Path, device: RecordMaker, chain: str
) -> None:
    replace(device, chain=chain, seq=40, prev="0" * 64).make(**UNDATED).into(tmp_path)
    second = device.make()
    second.into(tmp_path)

    assert "MISSING: the chain_start" in line_of(look(tmp_path), second.label.capture_id)


def test_a_chain_that_was_never_dated_and_lost_its_start_verifies_beside_a_new_one(
    tmp_path: Path, new: RecordMaker
) -> None:
    """The start was delivered and pruned; then the state was lost, and GNSS came back."""
    old = replace(new, chain="old", seq=4, prev="0" * 64)
    for _ in range(3):
        old.make(**UNDATED).into(tmp_path)
    new.make(Kind.CHAIN_START, **UNDATED).into(tmp_path)
    new.make().into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 0
    assert "begins at #5 (earlier ones are not in this folder)" in line_of(report, "begins")


@pytest.mark.parametrize("kind", [Kind.PHOTO, Kind.CHAIN_START], ids=["another", "the chain_start"])
def test_a_second_chain_that_is_cut_off_at_its_beginning_does_not_verify(
    tmp_path: Path, new: RecordMaker, kind: Kind
) -> None:
    """Whatever was removed from the end of the first one and from the beginning of this one."""
    new.make(Kind.CHAIN_START).into(tmp_path)
    second = replace(new, chain="second", seq=4, prev="0" * 64).make(kind, **AFTER)
    second.into(tmp_path)

    assert "MISSING: the chain_start" in line_of(look(tmp_path), second.label.capture_id)


def test_a_second_chain_that_says_why_it_began_verifies(tmp_path: Path, new: RecordMaker) -> None:
    """The first one may have been pruned from its beginning."""
    replace(new, seq=40, prev="0" * 64).make().into(tmp_path)
    second = replace(new, chain="second")
    for kind in (Kind.CHAIN_START, Kind.PHOTO):
        second.make(kind, **AFTER).into(tmp_path)

    assert look(tmp_path).problems == 0


def test_a_forged_record_breaks_no_genuine_chain(tmp_path: Path, device: RecordMaker) -> None:
    """Else anybody could make evidence look doubtful by adding to the folder."""
    device.make().into(tmp_path)
    replace(device, key=signing.new_key()).make().into(tmp_path)
    device.make().into(tmp_path)
    device.make().into(tmp_path)
    report = look(tmp_path, device.key.public_key())

    assert report.problems == 1


def test_the_key_that_was_taken_on_trust_is_named(tmp_path: Path, device: RecordMaker) -> None:
    device.make().into(tmp_path)
    kid = signing.thumbprint(device.key.public_key())

    assert (
        line_of(look(tmp_path), kid)
        == f"key of van-7: {kid} (first seen here: nobody vouches for it; --key or --ca would)"
    )
    assert line_of(look(tmp_path, device.key.public_key()), kid).endswith("(as given)")


def test_what_a_void_takes_back_may_be_elsewhere(tmp_path: Path, device: RecordMaker) -> None:
    about = new_id()
    device.make(Kind.VOID, about=about).into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 0
    assert f"takes back {about}, which is not in this folder" in line_of(report, "void")


def test_a_device_takes_back_its_own_records_only(tmp_path: Path, device: RecordMaker) -> None:
    made = device.make()
    made.into(tmp_path)
    RecordMaker.begun("van-8").make(Kind.VOID, about=made.label.capture_id).into(tmp_path)
    report = look(tmp_path)

    assert report.problems == 1
    assert "of another device" in line_of(report, "void")


@pytest.mark.parametrize("beyond_bytes", [0, 1])
def test_the_sweep_takes_what_verifies_up_to_the_same_size(
    tmp_path: Path, device: RecordMaker, monkeypatch: pytest.MonkeyPatch, beyond_bytes: int
) -> None:
    """What the device keeps and sends, anybody can verify."""
    layout, _, outbox = queue(tmp_path)
    size_bytes = device.make().into(layout.records).stat().st_size
    for module in (recovery, found):
        monkeypatch.setattr(module, "LARGEST_RECORD_BYTES", size_bytes - beyond_bytes)

    assert look(layout.records).problems == beyond_bytes
    keys = [device.key.public_key()]
    assert sweep(layout, outbox, keys, lambda: None, Cursor()).torn == beyond_bytes


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\n\n"),
        lambda path: path.write_bytes(b"<html>Log in to the Wi-Fi</html>\n"),
        lambda path: path.write_bytes(random.Random(1).randbytes(20_000)),
        lambda path: path.write_bytes(b"a.b.c\n"),
        lambda path: path.mkdir(),
        os.mkfifo,
        _link_to_nothing,
        lambda path: path.symlink_to("/dev/zero"),
        _huge,
    ],
    ids=[
        "empty",
        "newlines",
        "portal",
        "noise",
        "dots",
        "folder",
        "fifo",
        "dangling",
        "endless",
        "huge",
    ],
)
def test_a_file_that_is_no_record_is_told(
    tmp_path: Path, device: RecordMaker, make: Callable[[Path], object]
) -> None:
    device.make().into(tmp_path)
    make(tmp_path / "x.rec")
    report = look(tmp_path)

    assert report.problems == 1
    assert line_of(report, "file x.rec").startswith("file x.rec  NOT A RECORD: ")


def test_nothing_in_a_file_or_its_name_reaches_the_terminal_raw(tmp_path: Path) -> None:
    """A hostile record could otherwise repaint the report to say `ok`."""
    evil = "\x1b[2J\n#1 ok\u202e"
    (tmp_path / f"{evil}.rec").write_bytes(b"x")
    head = {"alg": "ES256", "crit": [evil], evil: 1, "jwk": {"kty": "EC", "crv": evil}}
    segments = (json.dumps(head).encode(), b"{}", bytes(64))
    line = ".".join(encoded(part) for part in segments)
    (tmp_path / "y.rec").write_text(f"{line}\n")
    report = look(tmp_path)

    assert report.problems == 2
    assert all(line.isprintable() and len(line) < 400 for line in report.lines)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_single_change_to_the_folder_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """One byte of one file, or one whole file but the first or the last."""
    folder, device = tmp_path_factory.mktemp("chain"), CHAINED
    paths = [each.into(folder) for each in MADE]
    victim = data.draw(st.integers(0, len(paths) - 1))
    if 0 < victim < len(paths) - 1 and data.draw(st.booleans()):
        paths[victim].unlink()
    else:
        content = bytearray(paths[victim].read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        paths[victim].write_bytes(content)

    assert look(folder, device.key.public_key()).problems >= 1


CHAINED = RecordMaker.begun()
MADE = [CHAINED.make() for _ in range(4)]
