"""`doorstep open`: checks one record file, opens it, and overwrites nothing."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from agent.__main__ import main
from agent.models import RecordKind
from agent.record import file as recordfile
from agent.record import signing
from tests.support.factory import MOMENT, Made, RecordMaker, signed_by_hand
from tests.support.sealed import ESCROW, IDENTITY_FILE, RECIPIENTS
from tests.unit.agent.command.inprocess import Ended

PHOTO: Final = b"\xff\xd8 a door \xff\xd9"


class Desk:
    """A folder with a record and an identity, in which `doorstep open` is run."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.maker = RecordMaker(sealed_to=RECIPIENTS)
        self.made = self.maker.make(RecordKind.PHOTO, {"manifest": "required"}, PHOTO)
        self.file, self.to = self.made.into(folder), folder / "opened"
        self.identity = folder / "identity.txt"
        self.identity.write_text(IDENTITY_FILE)

    def open(self, *words: object) -> Ended:
        given = ["open", *words]
        return Ended(main([str(word) for word in given]), *self._capsys.readouterr())

    def opened(self, *words: object) -> Ended:
        """With the identity."""
        return self.open(self.file, "--identity", self.identity, *words)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def label_of(made: Made) -> dict[str, object]:
    return signing.unverified_payload(made.line.decode())


def test_open_says_what_was_verified_and_what_was_not(desk: Desk) -> None:
    """A key in the file itself proves nothing about the device."""
    ended = desk.opened()

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"record:   {desk.made.label.capture_id} (photo), number 1 of")
    assert "`doorstep verify` checks whose key it is; anybody can make a key" in ended.out
    assert ended.out.endswith(f"body:     record.json, photo.jpg ({len(PHOTO)} bytes)\n")


def test_open_prints_what_a_receipt_needs(desk: Desk) -> None:
    ended = desk.opened("--json")

    assert json.loads(ended.out) == {
        "label": label_of(desk.made),
        "kid": signing.thumbprint(desk.maker.key.public_key()),
        "bytes": len(desk.made.content),
        "sha256": hashlib.sha256(desk.made.content).hexdigest(),
        "record": {"manifest": "required"},
        "photo_bytes": len(PHOTO),
    }


def test_open_writes_the_parts_into_a_new_folder_for_its_owner(desk: Desk) -> None:
    ended = desk.opened("--to", desk.to)

    assert ended.code == 0
    assert {path.name for path in desk.to.iterdir()} == {"label.json", "record.json", "photo.jpg"}
    assert json.loads((desk.to / "label.json").read_text()) == label_of(desk.made)
    assert json.loads((desk.to / "record.json").read_text()) == {"manifest": "required"}
    assert (desk.to / "photo.jpg").read_bytes() == PHOTO
    assert [path.stat().st_mode & 0o077 for path in (desk.to, *desk.to.iterdir())] == [0] * 4


def test_open_accepts_an_empty_folder(desk: Desk) -> None:
    desk.to.mkdir()

    assert desk.opened("--to", desk.to).code == 0
    assert (desk.to / "photo.jpg").exists()


@pytest.mark.parametrize("is_file", [False, True])
def test_open_overwrites_nothing(desk: Desk, *, is_file: bool) -> None:
    there = desk.to if is_file else desk.to / "photo.jpg"
    there.parent.mkdir(exist_ok=True)
    there.write_text("kept")

    ended = desk.opened("--to", desk.to)

    assert ended.code == 2
    assert f"{desk.to}: not an empty folder; name a new one" in ended.err
    assert there.read_text() == "kept"
    assert is_file or [path.name for path in desk.to.iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize("place", ["missing", "identity.txt"])
def test_open_names_the_folder_that_is_missing(desk: Desk, place: str) -> None:
    ended = desk.opened("--to", desk.folder / place / "opened")

    assert ended.code == 2
    assert f"{desk.folder / place}: not a folder" in ended.err


def test_a_sealed_record_is_checked_without_an_identity(desk: Desk) -> None:
    """A backend without identities can check what it receives."""
    in_words, for_programs = desk.open(desk.file), desk.open(desk.file, "--json")

    said = json.loads(for_programs.out)
    assert (in_words.code, for_programs.code) == (0, 0)
    assert "body:     sealed, and not opened" in in_words.out
    assert said["label"] == label_of(desk.made)
    assert (said["record"], said["photo_bytes"]) == (None, None)


def test_a_sealed_record_is_not_unpacked_without_an_identity(desk: Desk) -> None:
    ended = desk.open(desk.file, "--to", desk.to)

    assert ended.code == 2
    assert f"{desk.file}: sealed; name the file of an age identity" in ended.err
    assert not desk.to.exists()


def test_open_refuses_what_its_identity_does_not_open(desk: Desk) -> None:
    others = RecordMaker(sealed_to=replace(RECIPIENTS, names=RECIPIENTS.names[:1])).make()
    path = others.into(desk.folder)
    desk.identity.write_text(ESCROW)

    ended = desk.open(path, "--identity", desk.identity, "--to", desk.to)

    assert ended.code == 65
    assert f"{path}: sealed: " in ended.err
    assert not desk.to.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content[:-1] + b"x", "the body is not what the label says: its digest"),
        (lambda content: content[:-1], "the body is not what the label says: "),
        (lambda content: b"A" + content[1:], "the label does not verify"),
        (lambda _: b"", "cut off: no label line"),
    ],
    ids=["digest", "size", "label", "empty"],
)
def test_open_names_a_file_that_does_not_verify(desk: Desk, change: object, words: str) -> None:
    assert callable(change)
    desk.file.write_bytes(change(desk.made.content))

    ended = desk.opened("--json")

    assert (ended.code, ended.out) == (65, "")
    assert f"{desk.file}: {words}" in ended.err


def test_open_keeps_members_that_it_does_not_know(desk: Desk) -> None:
    """A later release may add a field, and readers pass it on; half a character is no fault."""
    body = recordfile.pack_body({"later": [1]}, None, MOMENT)
    label = replace(desk.made.label, body=recordfile.describe(body)).payload()
    public = desk.maker.key.public_key()
    header = {"alg": "ES256", "kid": signing.thumbprint(public), "jwk": signing.jwk(public)}
    text = json.dumps(label | {"later": "\ud800"}).encode()
    line = signed_by_hand(header, text, desk.maker.key).encode()
    desk.file.write_bytes(line + b"\n" + body)

    ended = desk.open(desk.file, "--to", desk.to)

    assert ended.code == 0
    assert json.loads((desk.to / "label.json").read_text())["later"] == "\ud800"
    assert json.loads((desk.to / "record.json").read_text())["later"] == [1]
    assert not (desk.to / "photo.jpg").exists()


def test_open_reads_standard_input(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(desk.made.content)))

    assert desk.open("-").code == 0


@pytest.mark.parametrize("word", ["file", "identity"])
def test_open_names_a_file_that_it_cannot_read(desk: Desk, word: str) -> None:
    getattr(desk, word).unlink()

    ended = desk.opened()

    assert ended.code == 2
    assert f"{getattr(desk, word)}: No such file or directory" in ended.err
