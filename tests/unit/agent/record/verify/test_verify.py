"""`doorstep verify` reports each fault of a folder of evidence; nothing crashes it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.models import RecordKind
from agent.queue import recovery
from agent.queue.recovery import Cursor, sweep
from agent.record import signing
from agent.record.verify import VerifyReport, examine, findings
from tests.support.factory import (
    Made,
    RecordMaker,
    encoded,
    new_id,
    queue,
    with_other_spelling,
)
from tests.support.outsider import GARBAGE, NAMES


@dataclass
class Folder:
    """A folder of evidence, and the device that adds its next records to it."""

    path: Path
    device: RecordMaker

    def add(self, kind: str = RecordKind.PHOTO, **changes: Any) -> Made:
        made = self.device.make(kind, **changes)
        made.into(self.path)
        return made

    def chain(self, name: str, *, pruned: int = 0) -> "Folder":
        """Return the same folder for another chain of the device, without its first records."""
        prev = "0" * 64 if pruned else None
        return Folder(self.path, replace(self.device, chain=name, seq=pruned, prev=prev))

    def look(self, pinned: signing.PublicKey | None = None) -> VerifyReport:
        return examine(self.path.glob("*.rec"), pinned)


@pytest.fixture
def new(tmp_path: Path) -> Folder:
    """The folder of a device that has made no record yet."""
    return Folder(tmp_path, RecordMaker(chain="3f2a9c51-chain"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return the same after `chain_start` was delivered and pruned: the next record is number 2."""
    return Folder(tmp_path, RecordMaker.begun(chain="3f2a9c51-chain"))


def line_of(report: VerifyReport, words: str) -> str:
    """Return the only line that these words match, as a regular expression."""
    findings = [line for line in report.lines if re.search(words, line)]
    assert len(findings) == 1, report.lines
    return findings[0]


def test_a_whole_chain_verifies(new: Folder) -> None:
    """A line per record in words, by number, then the summary."""
    new.add(RecordKind.CHAIN_START)
    made = [new.add(RecordKind.TIME) for _ in range(11)]
    new.add(RecordKind.VOID, about=made[3].label.capture_id)
    report = new.look(new.device.key.public_key())

    assert report.problems == 0
    numbers = [line.split("#")[1].split()[0] for line in report.lines if line.startswith("chain ")]
    assert numbers == [str(number) for number in range(1, 14)]
    words = f"chain 3f2a9c51... #2 time {made[0].label.utc} gnss holds"
    assert line_of(report, "#2  ").split() == words.split()
    assert line_of(report, "void").endswith("holds; takes back #5")
    assert report.lines[-2:] == [
        "records: 13, chains: 1, with a problem: 0",
        "holds with remarks: nothing that was checked contradicts it; 1 thing was not checked",
    ]
    assert line_of(report, "#5 ").endswith("holds with remarks: taken back by #13")


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda content: content[:-1500] + b"!" + content[-1499:], "its digest differs"),
        (lambda content: content[:-512], "2560 bytes, 3072 expected"),
    ],
    ids=["altered", "cut"],
)
def test_altered_body_is_reported_and_its_label_still_links(
    folder: Folder, alter: Callable[[bytes], bytes], said: str
) -> None:
    """The chain is made of labels: one lost photo does not break it."""
    paths = [folder.device.make().into(folder.path) for _ in range(3)]
    paths[1].write_bytes(alter(paths[1].read_bytes()))
    report = folder.look()

    assert report.problems == 1
    line = line_of(report, "#3  ")
    assert "BROKEN: the body is not what the label says: " in line
    assert said in line
    assert paths[1].name in line
    assert report.lines[-1] == "broken: 1 problem, not everything verifies"


def test_withheld_body_is_reported_and_its_label_still_links(folder: Folder) -> None:
    made = [folder.add() for _ in range(3)][1]
    (folder.path / f"{made.label.capture_id}.rec").write_bytes(made.line + b"\n")
    report = folder.look()

    assert report.problems == 0
    assert "only the label is left" in line_of(report, "#3  ")


def test_a_missing_record_inside_the_chain_is_a_gap(folder: Folder) -> None:
    paths = [folder.device.make().into(folder.path) for _ in range(6)]
    for path in paths[2:5]:
        path.unlink()
    paths[0].unlink()
    report = folder.look()

    assert report.problems == 1
    assert line_of(report, "MISSING").split("  ")[1:] == ["#4 to #6", "MISSING: not in this folder"]


def test_a_chain_may_begin_later(folder: Folder) -> None:
    """Delivered records are pruned; the device's folder still verifies."""
    for _ in range(39):
        folder.device.make()
    folder.add()
    report = folder.look()

    assert report.problems == 0
    assert line_of(report, "begins").endswith("begins at #41 (earlier ones are not in this folder)")


def forks(report: VerifyReport, words: str) -> int:
    return sum(f"FORKED: 2 records {words}" in line for line in report.lines)


def test_two_records_of_one_number_are_a_fork(folder: Folder) -> None:
    """A device restored from a copy, or a key in two hands; what follows either side holds."""
    folder.add()
    copied = replace(folder.device)
    for maker in (folder.device, copied, folder.device, copied):
        maker.make().into(folder.path)
    report = folder.look()

    assert report.problems == forks(report, "have this number") == 4
    assert not [line for line in report.lines if "BROKEN" in line]


def test_two_records_that_follow_the_same_one_are_a_fork(folder: Folder) -> None:
    """Also in another chain, or under another number."""
    first = folder.add()
    folder.add()
    other = RecordMaker(key=folder.device.key, chain="other", seq=1, prev=first.label_sha256)
    other.make().into(folder.path)

    assert forks(folder.look(), "follow the same one") == 2


def test_two_records_of_one_id_are_a_fork(folder: Folder) -> None:
    first = folder.add()
    again = folder.device.make(capture_id=first.label.capture_id)
    (folder.path / "again.rec").write_bytes(again.content)

    assert forks(folder.look(), "have this id") == 2


def test_record_that_follows_another_one_is_reported(folder: Folder) -> None:
    folder.add()
    folder.add(prev="0" * 64)
    report = folder.look()

    assert report.problems == 1
    assert "BROKEN: it does not follow the #2 here" in line_of(report, "#3  ")


@pytest.mark.parametrize("is_respelled", [False, True])
def test_a_copy_is_no_fork(folder: Folder, is_respelled: bool) -> None:
    """Evidence is mailed and renamed; the other spelling of a signature needs no key."""
    made = folder.add()
    copy = with_other_spelling(made) if is_respelled else made
    (folder.path / "for the lawyer.rec").write_bytes(copy.content)
    folder.add()
    report = folder.look()

    assert report.problems == 0, report.lines
    line = line_of(report, "it has the same label as")
    assert (", with the other spelling of its signature" in line) is is_respelled
    assert f"its own name is {made.label.capture_id}" in "".join(report.lines)


@pytest.mark.parametrize("respelled", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_record_in_the_other_spelling_breaks_no_link(
    folder: Folder, respelled: tuple[int, ...]
) -> None:
    """The next one's prev is the digest of the spelling that the device had."""
    made = [folder.device.make() for _ in range(3)]
    for number, each in enumerate(made):
        (with_other_spelling(each) if number in respelled else each).into(folder.path)
    report = folder.look(folder.device.key.public_key())
    notes = [line for line in report.lines if "by the other spelling of its signature" in line]

    assert report.problems == 0, report.lines
    assert len(notes) == len([number for number in respelled if number < 2])


def test_two_records_that_follow_two_spellings_of_the_same_one_are_a_fork(folder: Folder) -> None:
    first = folder.add()
    folder.add()
    folder.add(seq=4, prev=with_other_spelling(first).label_sha256)

    assert forks(folder.look(), "follow the same one") == 2


def test_a_forged_record_breaks_no_genuine_chain(folder: Folder) -> None:
    """Otherwise anybody could make evidence look doubtful by adding to the folder."""
    folder.add()
    replace(folder.device, key=signing.new_key()).make().into(folder.path)
    folder.add()
    report = folder.look(folder.device.key.public_key())

    assert report.problems == 1
    assert "signed by another key than the given one" in line_of(report, "NOT OURS")


def test_device_keeps_its_first_key_without_a_given_one(folder: Folder) -> None:
    """Two devices have two keys; one device has one."""
    folder.add()
    RecordMaker.begun("van-8").make().into(folder.path)
    assert folder.look().problems == 0

    forger = replace(folder.device, key=signing.new_key())
    forger.make().into(folder.path)
    folder.add()
    report = folder.look()
    assert report.problems == 1
    assert "another key than the first one of van-7" in line_of(report, "NOT OURS")


@pytest.mark.parametrize("gap", [0, 3])
def test_a_record_of_another_device_does_not_verify_in_a_chain(folder: Folder, gap: int) -> None:
    """A stranger needs no key of ours to write a label that follows the last one."""
    for _ in range(3):
        folder.add()
    device = folder.device
    stranger = RecordMaker("van-8", chain=device.chain, seq=device.seq + gap, prev=device.prev)
    forged = [stranger.make() for _ in range(2)]
    for each in forged:
        each.into(folder.path)
    report = folder.look()

    assert report.problems == len(forged)
    for each in forged:
        line = line_of(report, each.label.capture_id)
        assert "NOT OURS: of van-8, in a chain of van-7" in line


def test_device_that_begins_a_pruned_chain_does_not_own_it(folder: Folder) -> None:
    """The genuine ones follow each other, and nothing follows the stranger's."""
    made = [folder.device.make() for _ in range(3)]
    for each in made[1:]:
        each.into(folder.path)
    stranger = RecordMaker.begun("van-8", chain=folder.device.chain).make()
    stranger.into(folder.path)
    report = folder.look()

    assert report.problems == 1
    line = line_of(report, stranger.label.capture_id)
    assert "NOT OURS: of van-8, in a chain of van-7" in line


def test_chain_without_a_known_owner_has_none(folder: Folder) -> None:
    folder.device.make()
    folder.add()
    RecordMaker.begun("van-8", chain=folder.device.chain).make().into(folder.path)
    report = folder.look()

    assert report.verdict == "forked"
    words = "FORKED: several devices are in this chain, nothing tells whose it is"
    assert sum(words in line for line in report.lines) == 2


def test_a_number_that_only_a_forger_has_is_missing_and_said_so(folder: Folder) -> None:
    folder.add()
    replace(folder.device, key=signing.new_key()).make().into(folder.path)
    folder.device.make()
    folder.add()
    report = folder.look(folder.device.key.public_key())

    assert line_of(report, "MISSING").endswith(
        "not in this folder, except files that do not verify"
    )


def test_key_of_two_devices_does_not_make_one_chain(folder: Folder) -> None:
    folder.add()
    replace(folder.device, device_id="van-8").make().into(folder.path)
    report = folder.look(folder.device.key.public_key())

    assert report.problems == 1
    assert "of van-8, in a chain of van-7" in line_of(report, "#3  ")


BEFORE: Final[dict[str, Any]] = {"utc": "2026-11-30T09:00:00.000Z"}
AFTER: Final[dict[str, Any]] = {"utc": "2026-12-01T12:00:00.000Z"}
UNDATED: Final[dict[str, Any]] = {"utc": "1971-01-01T00:00:00.000Z", "clock": "unsynced"}
"""Before and after the other records, and where no clock knew."""

NAMES_OF_CHAINS: Final = ["0 sorts before", "z sorts behind"]


def lacks_start(report: VerifyReport, made: Made, which: str) -> bool:
    """Return whether the only problem is that this record's chain has no `chain_start`."""
    line = line_of(report, made.label.capture_id)
    said = f"MISSING: the chain_start of this {which} chain of van-7" in line
    return said and (report.problems, report.verdict) == (1, findings.RecordVerdict.MISSING)


@pytest.mark.parametrize("dated", [BEFORE, AFTER, UNDATED], ids=["before", "after", "undated"])
@pytest.mark.parametrize("name", NAMES_OF_CHAINS)
def test_two_chains_need_their_chain_starts(new: Folder, name: str, dated: dict[str, Any]) -> None:
    """Otherwise the part cut from the end of the first one could continue in another."""
    new.add(RecordKind.CHAIN_START, **(UNDATED if dated == UNDATED else {}))
    forged = new.chain(name).add(**dated)

    assert lacks_start(new.look(), forged, "first" if dated == BEFORE else "second")


@pytest.mark.parametrize("name", NAMES_OF_CHAINS)
@pytest.mark.parametrize("dated", [AFTER, UNDATED], ids=["dated", "undated"])
def test_the_first_chain_needs_none_if_it_was_pruned(
    folder: Folder, name: str, dated: dict[str, Any]
) -> None:
    folder.device.make()
    folder.add()
    folder.chain(name).add(RecordKind.CHAIN_START, **dated)

    assert folder.look().problems == 0


@pytest.mark.parametrize("kind", [RecordKind.PHOTO, RecordKind.TIME, "a later version's"])
def test_a_single_chain_from_number_1_needs_its_chain_start(new: Folder, kind: str) -> None:
    """Every release began each chain with one; the rest of a forged chain may be flawless."""
    first = new.add(kind)
    new.add()
    new.add()

    assert lacks_start(new.look(), first, "first")


@pytest.mark.parametrize("name", NAMES_OF_CHAINS)
def test_a_pruned_chain_without_a_date_is_the_first_one(folder: Folder, name: str) -> None:
    folder.chain(name, pruned=40).add(**UNDATED)

    second = folder.add()

    assert lacks_start(folder.look(), second, "second")


def test_a_pruned_chain_that_was_never_dated_verifies_beside_a_new_one(new: Folder) -> None:
    """The start was delivered and pruned; then the state was lost, and GNSS came back."""
    old = new.chain("old", pruned=4)
    for _ in range(3):
        old.add(**UNDATED)
    new.add(RecordKind.CHAIN_START, **UNDATED)
    new.add()
    report = new.look()

    assert report.problems == 0
    assert "begins at #5 (earlier ones are not in this folder)" in line_of(report, "begins")


@pytest.mark.parametrize(
    "kind", [RecordKind.PHOTO, RecordKind.CHAIN_START], ids=["another", "the chain_start"]
)
def test_second_chain_without_its_beginning_is_reported(new: Folder, kind: RecordKind) -> None:
    """Also if records were cut from the end of the first one and the beginning of this one."""
    new.add(RecordKind.CHAIN_START)
    second = new.chain("second", pruned=4).add(kind, **AFTER)

    assert lacks_start(new.look(), second, "second")


def test_a_second_chain_that_says_why_it_began_verifies(new: Folder) -> None:
    """The first one may have been pruned from its beginning."""
    new.chain("first", pruned=40).add()
    new.add(RecordKind.CHAIN_START, **AFTER)
    new.add(**AFTER)

    assert new.look().problems == 0


def test_the_key_that_was_taken_on_trust_is_named(folder: Folder) -> None:
    folder.add()
    kid = signing.thumbprint(folder.device.key.public_key())

    assert (
        line_of(folder.look(), kid)
        == f"key of van-7: {kid} (first seen here: nobody vouches for it; --key or --ca would)"
    )
    assert line_of(folder.look(folder.device.key.public_key()), kid).endswith("(as given)")


def test_a_device_takes_back_its_own_earlier_records_only(folder: Folder) -> None:
    made, own, elsewhere = folder.add(), new_id(), new_id()
    RecordMaker.begun("van-8").make(RecordKind.VOID, about=made.label.capture_id).into(folder.path)
    folder.add(RecordKind.VOID, about=own, capture_id=own)
    folder.add(RecordKind.VOID, about=elsewhere)
    report = folder.look()

    assert report.problems == 2
    line_of(report, "NOT OURS: takes back .* of another device")
    line_of(report, "BROKEN: it takes back itself")
    line_of(report, f"takes back {elsewhere}, which is not in this folder")


@pytest.mark.parametrize("beyond_bytes", [0, 1])
def test_the_sweep_takes_what_verifies_up_to_the_same_size(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, beyond_bytes: int
) -> None:
    """Anybody can verify the records that the device keeps and sends."""
    layout, _, outbox = queue(folder.path)
    size_bytes = folder.device.make().into(layout.records).stat().st_size
    for module in (recovery, findings):
        monkeypatch.setattr(module, "LARGEST_RECORD_BYTES", size_bytes - beyond_bytes)

    assert Folder(layout.records, folder.device).look().problems == beyond_bytes
    keys = [folder.device.key.public_key()]
    assert sweep(layout, outbox, keys, lambda: None, Cursor()).torn == beyond_bytes


def _portal(path: Path) -> None:
    path.write_bytes(b"<html>Log in to the Wi-Fi</html>\n")


@pytest.mark.parametrize("make", [Path.touch, _portal, *GARBAGE], ids=["empty", "portal", *NAMES])
def test_file_that_is_no_record_is_reported(folder: Folder, make: Callable[[Path], object]) -> None:
    folder.add()
    make(folder.path / "x.rec")
    report = folder.look()

    assert report.problems == 1
    assert line_of(report, "file x.rec").startswith("file x.rec  NOT A RECORD: ")


@pytest.mark.parametrize("content", [b"", b"a" * 8_193 + b"\n"], ids=["empty", "long"])
def test_a_first_line_that_is_longer_than_a_label_is_not_parsed(
    folder: Folder, content: bytes
) -> None:
    (folder.path / "x.rec").write_bytes(content)

    assert line_of(folder.look(), "file x.rec").endswith("it does not begin with a label line")


def test_nothing_in_a_file_or_its_name_reaches_the_terminal_raw(folder: Folder) -> None:
    """A hostile record could otherwise repaint the report to say `ok`."""
    evil = "\x1b[2J\n#1 ok\u202e"
    (folder.path / f"{evil}.rec").write_bytes(b"x")
    head = {"alg": "ES256", "crit": [evil], evil: 1, "jwk": {"kty": "EC", "crv": evil}}
    segments = (json.dumps(head).encode(), b"{}", bytes(64))
    line = ".".join(encoded(part) for part in segments)
    (folder.path / "y.rec").write_text(f"{line}\n")
    report = folder.look()

    assert report.problems == 2
    assert all(line.isprintable() and len(line) < 400 for line in report.lines)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_single_change_to_the_folder_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A byte of one file, or one whole file except the first or the last."""
    folder = Folder(tmp_path_factory.mktemp("chain"), CHAINED)
    paths = [each.into(folder.path) for each in MADE]
    victim = data.draw(st.integers(0, len(paths) - 1))
    if 0 < victim < len(paths) - 1 and data.draw(st.booleans()):
        paths[victim].unlink()
    else:
        content = bytearray(paths[victim].read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        paths[victim].write_bytes(content)

    assert folder.look(CHAINED.key.public_key()).problems >= 1


CHAINED = RecordMaker.begun()
MADE = [CHAINED.make() for _ in range(4)]
