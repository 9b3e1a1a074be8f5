"""`doorstep verify`: what it is given, what it ends with, and that it needs no device."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.record import signing
from tests.support.authority import new_authority
from tests.support.factory import RecordMaker, owned_by_a_user
from tests.support.outsider import GARBAGE, NAMES, Office
from tests.support.photographed import Camera
from tests.support.sealed import IDENTITY_FILE
from tests.unit.agent.command.base_package import BasePackage
from tests.unit.agent.command.inprocess import Ended


def verified(capsys: pytest.CaptureFixture[str], *words: object) -> Ended:
    """Run `doorstep verify WORDS`, and return its exit code and output."""
    return Ended(main(["verify", *map(str, words)]), *capsys.readouterr())


class Evidence:
    """A folder as it is handed to an outsider: sealed records, and all that vouches for them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.office, self.camera = folder, Office(), Camera(seals=True)
        self._capsys = capsys
        (folder / "receipts").mkdir(parents=True)
        for number, made in enumerate([self.camera.make() for _ in range(3)]):
            made.into(folder)
            (folder / f"receipts/{number}.jws").write_text(self.office.receipt(made))
        (folder / "van-7.pem").write_bytes(self.camera.certificate_pem)
        (folder / "revoked.jws").write_text(self.office.listed())
        self.given = [str(folder)]
        fleet_key = signing.public_pem(self.office.fleet_key.public_key())
        for option, content in {
            "--ca": self.camera.authority.pem,
            "--identity": IDENTITY_FILE.encode(),
            "--fleet-key": fleet_key,
        }.items():
            path = folder.parent / f"{folder.name}{option}"
            path.write_bytes(content)
            self.given += [option, str(path)]

    def verify(self, *words: object) -> Ended:
        """With all that is given, and these words."""
        return verified(self._capsys, *self.given, *words)


@pytest.fixture
def evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evidence:
    return Evidence(tmp_path / "evidence", capsys)


def test_a_folder_with_all_that_vouches_for_it_holds(evidence: Evidence) -> None:
    """A single thing stays open, since no folder can show it."""
    ended = evidence.verify()

    lines = ended.out.splitlines()
    said = "holds; Content Credentials by the fleet; received 2026-12-01 09:20:02 UTC"
    assert ended.code == 0
    assert [line[-len(said) :] for line in lines[1:4]] == [said] * 3
    assert [line for line in lines if line.startswith("not checked: ")] == [
        "not checked: whether records are missing at the end of a chain: no folder can show that"
    ]
    assert lines[-1] == "holds: everything verifies"


def test_the_same_for_programs(evidence: Evidence) -> None:
    (evidence.folder / "x.rec").write_text("x")

    ended = evidence.verify("--json")

    said = json.loads(ended.out)
    assert ended.code == 65
    assert said.keys() == {"verdict", "erased_at", "records", "missing", "files", "not_checked"}
    assert (said["verdict"], said["erased_at"]) == ("broken", None)
    assert [each["verdict"] for each in said["records"]] == ["holds"] * 3
    assert said["files"][0]["file"] == "x.rec"


def test_a_missing_number_is_one_entry_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = RecordMaker.begun()
    paths = [maker.make("time").into(tmp_path) for _ in range(5)]
    for path in paths[1:3]:
        path.unlink()

    ended = verified(capsys, tmp_path, "--json")

    said = json.loads(ended.out)
    assert (ended.code, said["verdict"]) == (65, "missing")
    assert said["missing"] == [
        {"chain": maker.chain, "from_seq": 3, "to_seq": 4, "verdict": "missing"}
    ]


def test_a_folder_that_this_user_may_not_read_is_not_an_empty_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with owned_by_a_user() as folder:
        RecordMaker.begun().make().into(folder)
        folder.chmod(0o300)
        ended = verified(capsys, folder)
        folder.chmod(0o700)

    assert ended.code == 70
    assert f"cannot read {folder}: Permission denied" in ended.err


@pytest.mark.parametrize(
    ("fill", "verdict"),
    [
        (lambda _: None, "missing"),
        (lambda folder: RecordMaker.begun().make().into(folder).chmod(0), "missing"),
        (lambda folder: (folder / "x.rec").write_text("<html>Log in</html>\n"), "broken"),
    ],
    ids=["empty", "unreadable", "no records"],
)
def test_a_folder_of_which_no_record_could_be_read_ends_with_65(
    capsys: pytest.CaptureFixture[str], fill: Callable[[Path], object], verdict: str
) -> None:
    """Nothing was verified, and a program may look at the exit code alone."""
    with owned_by_a_user() as folder:
        fill(folder)
        in_words, for_programs = verified(capsys, folder), verified(capsys, folder, "--json")

    said = json.loads(for_programs.out)
    words = f"{verdict}: not one record could be read, so nothing was verified"
    assert (in_words.code, for_programs.code) == (65, 65)
    assert in_words.out.splitlines()[-1] == words
    assert said["verdict"] == verdict
    assert [one for one in said["not_checked"] if one.startswith("any record: ")]


def test_verify_needs_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = verified(capsys, tmp_path / "nowhere")

    assert ended.code == 2
    assert "not a folder" in ended.err


@pytest.mark.parametrize("option", ["--key", "--ca", "--identity", "--revoked", "--fleet-key"])
@pytest.mark.parametrize("make", [*GARBAGE[:5], GARBAGE[6]], ids=[*NAMES[:5], NAMES[6]])
def test_invalid_option_is_reported_in_a_sentence(
    evidence: Evidence, option: str, make: Callable[[Path], object]
) -> None:
    path = evidence.folder.parent / "given"
    make(path)

    ended = evidence.verify(option, path)

    assert (ended.code in {2, 65}, ended.out) == (True, "")
    assert ended.err.startswith(f"doorstep: {path}")
    assert len(ended.err) < 400


@pytest.mark.parametrize("is_given", [True, False])
def test_receipts_may_be_one_file(evidence: Evidence, is_given: bool) -> None:
    folder, file = evidence.folder / "receipts", evidence.folder.parent / "all.jws"
    file.write_text("".join(f"{one.read_text()}\n" for one in folder.iterdir()))
    shutil.rmtree(folder)
    if not is_given:
        file.rename(folder)

    ended = evidence.verify(*(["--receipts", file] if is_given else []))

    assert ended.code == 0
    assert ended.out.endswith("holds: everything verifies\n")


def test_receipts_that_are_nowhere_are_told(evidence: Evidence) -> None:
    ended = evidence.verify("--receipts", "/nowhere")

    assert ended.code == 2
    assert "/nowhere: No such file" in ended.err


@pytest.mark.parametrize("name", ["receipts", "revoked.jws", "fleet-ca.pem", "fleet-key.pem"])
@pytest.mark.parametrize("make", GARBAGE, ids=NAMES)
def test_garbage_in_the_folder_ends_no_check(
    evidence: Evidence, name: str, make: Callable[[Path], object]
) -> None:
    path = evidence.folder / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    make(path)
    is_empty = name == "receipts" and path.is_dir()

    ended = evidence.verify("--json")

    said = json.loads(ended.out)
    assert (ended.code, said["verdict"]) == (0, "holds with remarks")
    assert is_empty or [one for one in said["not_checked"] if one.startswith(f"file {name}: ")]
    assert {one["verdict"] for one in said["records"]} <= {"holds", "holds with remarks"}


def test_list_by_another_key_is_reported_with_the_right_option(
    evidence: Evidence,
) -> None:
    """No forgery, where the wrong key was given."""
    (evidence.folder / "revoked.jws").write_text(Office().listed())

    found, given = evidence.verify(), evidence.verify("--revoked", evidence.folder / "revoked.jws")

    words = "signed by another key than --fleet-key"
    assert (found.code, given.code) == (0, 65)
    assert f"not checked: file revoked.jws: {words}" in found.out.splitlines()
    assert words in given.err


def test_other_word_of_the_folder_about_the_fleet_is_reported(evidence: Evidence) -> None:
    (evidence.folder / "fleet-ca.pem").write_bytes(new_authority().pem)
    key = signing.public_pem(Office().fleet_key.public_key())
    (evidence.folder / "fleet-key.pem").write_bytes(key)

    ended = evidence.verify()

    assert ended.code == 0
    assert "not checked: file fleet-ca.pem: another authority than --ca" in ended.out
    assert "not checked: file fleet-key.pem: another key than --fleet-key" in ended.out
    assert "\nholds with remarks: " in ended.out


def test_other_files_of_the_folder_are_named_in_one_line(evidence: Evidence) -> None:
    for name in ("view-log.json", "README.txt", "neighbours.json"):
        (evidence.folder / name).write_text("x")

    ended = evidence.verify()

    assert ended.code == 0
    assert "not checked: neighbours.json, view-log.json: not signed, or not needed\n" in ended.out
    assert ended.out.endswith(
        "\nholds: nothing that was checked contradicts it; 1 thing was not checked\n"
    )


def test_a_devices_certificate_is_no_authority(evidence: Evidence) -> None:
    ended = evidence.verify("--ca", evidence.folder / "van-7.pem")

    assert ended.code == 2
    assert "a device's certificate, and no authority's" in ended.err


def test_unreadable_file_is_not_checked_and_is_no_forgery(
    capsys: pytest.CaptureFixture[str],
) -> None:
    maker = RecordMaker.begun()
    with owned_by_a_user() as folder:
        maker.make("time").into(folder)
        closed = maker.make("time").into(folder)
        closed.chmod(0)
        (folder / "key").write_bytes(signing.public_pem(maker.key.public_key()))
        given = [folder, "--key", folder / "key"]
        record = verified(capsys, *given)
        (folder / "receipts").mkdir(0)
        receipts = verified(capsys, *given)
        authority = verified(capsys, *given, "--ca", closed)

    assert (record.code, receipts.code, authority.code) == (0, 0, 2)
    assert f"not checked: file {closed.name}: Permission denied" in record.out
    assert "\nholds with remarks: nothing that was checked contradicts it" in record.out
    assert "not checked: file receipts: Permission denied" in receipts.out
    assert f"{closed}: Permission denied" in authority.err
    assert "chmod" not in authority.err


@pytest.mark.slow
def test_an_outsiders_machine_needs_only_the_base_dependencies(
    tmp_path: Path, evidence: Evidence
) -> None:
    """An environment with what `pip install doorstep` would bring, and no more."""
    told = BasePackage(tmp_path).run("verify", *evidence.given)

    assert told.returncode == 0, told.stderr
    assert told.stdout.endswith("holds: everything verifies\n"), told.stdout
