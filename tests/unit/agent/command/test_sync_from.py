"""`doorstep sync --from DIR`: a dead card, a technician, a real backend, real processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from agent.__main__ import main
from agent.queue import disk
from agent.record import signing
from agent.sync import record_folder
from doorstep_backend.identity.clients import ClientKind, Clients
from doorstep_backend.wire.rescued import Rescues
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend, running_backend
from tests.support.device import REPOSITORY
from tests.support.engines import received_bytes
from tests.support.enrolment import enrolled_beside, technician
from tests.support.factory import Made, RecordMaker, remount, small_disk
from tests.support.waiting import until

COMMAND = [sys.executable, "-m", "agent", "sync", "--from"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend"), identity=True) as backend:
        yield backend


@dataclass
class Ended:
    """The result of a command."""

    code: int
    out: str
    err: str

    def counted(self, **numbers: int) -> bool:
        """Return whether the last line has these numbers, and 0 of all others."""
        names = ("sent", "there already", "torn", "refused", "left")
        told = ", ".join(f"{numbers.get(name.split()[0], 0)} {name}" for name in names)
        return self.out.strip().rpartition("\n")[2] == told


@dataclass
class Bench:
    """A technician's machine, and the card of a device that sends nothing any more."""

    backend: Backend
    folder: Path
    maker: RecordMaker
    name: str
    capsys: pytest.CaptureFixture[str]
    made: list[Made] = field(default_factory=list)

    @property
    def card(self) -> Path:
        return self.folder / "card"

    @property
    def config(self) -> Path:
        return self.folder / "technician.toml"

    def write(self, number: int, photo: bytes | None = None) -> list[Made]:
        new = [self.maker.make(photo=photo) for _ in range(number)]
        for made in new:
            made.into(self.card)
        self.made += new
        return new

    def run(self, folder: Path | None = None, *words: str) -> Ended:
        words = ("sync", "--from", str(folder or self.card), *words)
        code = main([*words, "--config", str(self.config)])
        return Ended(code, *self.capsys.readouterr())

    def configure(self, **changed: str) -> None:
        said = {
            "ca": str(self.backend.ca_file),
            "fleet_key": str(self.backend.fleet_key_file),
            "technician": str(self.folder / f"{self.name}.pem"),
        } | changed
        url = said.pop("url", self.backend.base_url)
        lines = [f"{name} = {json.dumps(value)}" for name, value in said.items()]
        text = "\n".join([f'[backend]\nurl = "{url}"\n[identity]', *lines])
        self.config.write_text(text)

    def received(self) -> list[bool]:
        return [self.backend.received_file(one.label.capture_id).exists() for one in self.made]

    def receipts(self, folder: Path | None = None) -> set[str]:
        return {path.stem for path in (folder or self.card / "receipts").iterdir()}

    def ids(self) -> set[str]:
        return {one.label.capture_id for one in self.made}


@pytest.fixture
def bench(running: Backend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    running.set_switches()
    maker = RecordMaker.begun(device_id=f"van-{uuid4()}")
    enrolled_beside(running.data, tmp_path, maker.device_id, maker.key)
    name = f"ada-{uuid4()}"
    technician(running, tmp_path, name)
    made = Bench(running, tmp_path, maker, name, capsys)
    made.card.mkdir()
    made.configure()
    return made


def test_a_card_is_delivered_and_marked_and_the_second_run_sends_nothing(bench: Bench) -> None:
    bench.write(3)

    first = bench.run()
    before = bench.backend.counts()
    second = bench.run()
    after = bench.backend.counts()

    assert (first.code, second.code) == (0, 0)
    assert first.counted(sent=3)
    assert second.counted(there=3)
    assert after.requests - before.requests == 1, "the fleet document, and nothing else"
    assert bench.receipts() == bench.ids()
    rescues = Rescues(Store(bench.backend.data))
    assert {rescues.by(one) for one in bench.ids()} == {bench.name}
    words = ["--revoked", str(bench.backend.data / "revoked.jws")]
    words += ["--fleet-key", str(bench.backend.fleet_key_file)]
    assert main(["verify", str(bench.card), *words]) == 0
    assert "receipt" not in bench.capsys.readouterr().out.partition("not checked")[2]


def test_record_that_the_backend_has_is_not_posted_again(bench: Bench) -> None:
    """Its receipts were on a machine that is gone."""
    bench.write(2)
    bench.run()
    for path in (bench.card / "receipts").iterdir():
        path.unlink()
    before = bench.backend.counts().by_method

    again = bench.run()

    after = bench.backend.counts().by_method
    assert again.counted(there=2)
    assert after.get("POST /files") == before.get("POST /files")
    assert bench.receipts() == bench.ids()


def test_a_state_folder_is_looked_into(bench: Bench) -> None:
    """As it lay on the dead device: the records are in `records/`."""
    records = bench.card / "records"
    made = bench.maker.make()
    records.mkdir()
    made.into(records)
    (bench.card / "capture.lock").touch()

    ended = bench.run()

    assert ended.counted(sent=1)
    assert bench.receipts() == {made.label.capture_id}


def test_torn_files_are_named_and_not_sent(bench: Bench) -> None:
    whole, cut, altered = bench.write(3)
    (bench.card / f"{cut.label.capture_id}.rec").write_bytes(cut.content[:-5])
    other = altered.content[:-3] + b"?" + altered.content[-2:]
    (bench.card / f"{altered.label.capture_id}.rec").write_bytes(other)
    (bench.card / "noise.rec").write_bytes(os.urandom(5000))
    (bench.card / "link.rec").symlink_to(bench.card / "noise.rec")
    twin = bench.maker.make(capture_id=whole.label.capture_id)
    (bench.card / "z.rec").write_bytes(twin.content)

    ended = bench.run()

    assert ended.code == 65
    assert ended.counted(sent=1, torn=5)
    assert "torn: z.rec: another file holds another record of the same id" in ended.out
    for name in (f"{cut.label.capture_id}.rec", f"{altered.label.capture_id}.rec", "noise.rec"):
        assert f"torn: {name}: " in ended.out
    assert bench.receipts() == {whole.label.capture_id}
    assert bench.received() == [True, False, False]


def test_file_name_that_is_not_utf8_is_shown_escaped_and_stops_nothing(bench: Bench) -> None:
    """A whole record is sent whatever its file is called; a torn one is named."""
    whole, _ = bench.write(2)
    path = bench.card / f"{whole.label.capture_id}.rec"
    path.rename(os.fsdecode(os.fsencode(bench.card) + b"/\xff.rec"))
    Path(os.fsdecode(os.fsencode(bench.card) + b"/j\xfcrgen.rec")).write_bytes(b"noise")

    ended = bench.run()

    assert ended.code == 65
    assert "torn: j\\xfcrgen.rec: " in ended.out
    assert ended.counted(sent=2, torn=1)
    assert bench.receipts() == bench.ids()


@pytest.mark.parametrize("name", ["records", "receipts"])
def test_a_folder_that_is_a_link_leads_nowhere(bench: Bench, tmp_path: Path, name: str) -> None:
    """The card chose it; what it leads to is this computer's."""
    other = tmp_path / "other"
    other.mkdir()
    bench.write(1)
    hidden = bench.maker.make()
    hidden.into(other)
    (bench.card / name).symlink_to(other)

    ended = bench.run()

    assert [path.name for path in other.iterdir()] == [f"{hidden.label.capture_id}.rec"]
    if name == "records":
        assert ended.counted(sent=1)
    else:
        assert ended.code == 2
        assert "receipts: a link, which the card chose; --receipts DIR2" in ended.err


def test_a_card_of_another_fleet_is_refused_in_words_and_asked_for_once(bench: Bench) -> None:
    """Nothing of it stays at the backend, and the next one's photos do not go over the line."""
    stranger = RecordMaker(device_id=f"van-{uuid4()}")
    made = [stranger.make() for _ in range(4)]
    for one in made:
        one.into(bench.card)
    bench.write(1)
    before = bench.backend.counts().by_method.get("POST /files", 0)

    ended = bench.run()

    posts = bench.backend.counts().by_method["POST /files"] - before
    assert ended.code == 65
    assert ended.counted(sent=1, refused=4)
    assert "refused: 4 records: PATCH was answered 403" in ended.out
    assert f"{stranger.device_id} is no device of this fleet" in ended.out
    assert posts == 2
    assert Store(bench.backend.data).find(made[0].label.capture_id) is None


def test_signed_refusal_is_reported_with_its_reason(bench: Bench) -> None:
    (made,) = bench.write(1)
    bench.backend.set_switches(refuse="wrong_id")

    ended = bench.run()

    assert ended.code == 65
    assert f"refused: {made.label.capture_id}.rec: refused: wrong_id" in ended.out
    assert bench.receipts() == set()


@pytest.mark.parametrize(("headers", "tries"), [({}, 3), ({"Retry-After": "60"}, 1)])
def test_a_busy_backend_is_tried_thrice_unless_it_says_for_how_long(
    bench: Bench, headers: dict[str, str], tries: int
) -> None:
    bench.write(2)
    bench.backend.set_switches(status=503, methods=["HEAD", "POST"], headers=headers)
    before = bench.backend.counts().requests

    ended = bench.run()

    assert ended.code == 75
    assert ended.counted(left=2)
    assert "left: 2 records: HEAD was answered 503" in ended.out
    assert bench.backend.counts().requests - before == 1 + tries


def test_a_record_that_goes_meanwhile_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, _ = bench.write(2)
    read = record_folder.read

    def read_and_lose(folder: Path) -> record_folder.RecordFolder:
        found = read(folder)
        (bench.card / f"{gone.label.capture_id}.rec").unlink()
        return found

    monkeypatch.setattr(record_folder, "read", read_and_lose)
    ended = bench.run()

    assert ended.code == 75
    assert ended.counted(sent=1, left=1)
    assert "its file is missing; the card gives way: copy it first" in ended.out


def test_revoked_device_sends_nothing_and_reads_why(bench: Bench) -> None:
    bench.write(2)
    Clients(bench.backend.data).revoke(bench.name, ClientKind.TECHNICIAN)

    ended = bench.run()

    assert ended.code == 75
    assert "technician's certificate revoked: ask the office" in ended.err
    assert bench.received() == [False, False]


@pytest.mark.slow
def test_a_read_only_card_needs_another_folder_for_receipts(bench: Bench, tmp_path: Path) -> None:
    with small_disk(tmp_path) as card:
        made = bench.maker.make()
        made.into(card)
        remount(card, "ro")
        without = bench.run(card)
        remount(card, "rw")
        (card / "receipts").mkdir()
        remount(card, "ro")

        closed = bench.run(card)
        elsewhere = bench.run(card, "--receipts", str(tmp_path / "receipts"))

    for one in (without, closed):
        assert one.code == 2
        assert "--receipts DIR2 names another folder" in one.err
    assert elsewhere.code == 0
    assert bench.receipts(tmp_path / "receipts") == {made.label.capture_id}


@contextmanager
def begun(bench: Bench) -> Iterator[subprocess.Popen[str]]:
    words = [*COMMAND, str(bench.card), "--config", str(bench.config)]
    with subprocess.Popen(
        words, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process


@pytest.mark.slow
def test_killed_in_the_middle_the_next_run_goes_on(bench: Bench) -> None:
    """Also in the middle of a record: nothing is sent twice, and none is left out."""
    bench.write(6)
    bench.write(1, photo=b"\xff\xd8" + os.urandom(8_000_000) + b"\xff\xd9")
    bench.write(3)
    big = bench.made[6].label.capture_id

    with begun(bench) as process:
        until(lambda: received_bytes(bench.backend.data, big) > 100_000)
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept, received = bench.receipts(), bench.received()
    ended = bench.run()

    assert sum(received) >= len(kept) >= 5
    assert not all(received)
    assert ended.code == 0
    assert bench.received() == [True] * 10
    assert bench.receipts() == bench.ids()


@pytest.mark.slow
def test_a_backend_that_ends_in_the_middle_leaves_the_rest(bench: Bench) -> None:
    bench.write(2)
    bench.write(1, photo=b"\xff\xd8" + os.urandom(8_000_000) + b"\xff\xd9")
    bench.write(1)
    big = bench.made[2].label.capture_id
    with begun(bench) as process:
        until(lambda: received_bytes(bench.backend.data, big) > 100_000)
        bench.backend.kill()
        try:
            told, _ = process.communicate(timeout=60)
        finally:
            bench.backend.start()

    ended = bench.run()

    assert process.returncode == 75
    assert told.strip().endswith("2 sent, 0 there already, 0 torn, 0 refused, 2 left")
    assert (ended.code, bench.received()) == (0, [True] * 4)


def test_a_live_queue_is_left_to_plain_sync(bench: Bench) -> None:
    bench.write(1)
    lock = bench.card / "capture.lock"
    lock.touch()

    with disk.lock(lock, exclusive=True, wait=False):
        ended = bench.run()

    assert ended.code == 2
    assert "`doorstep sync` sends what waits in it" in ended.err
    assert bench.received() == [False]


def test_key_of_another_fleet_is_reported_before_anything_is_sent(
    bench: Bench, tmp_path: Path
) -> None:
    bench.write(1)
    other = tmp_path / "other-key.pem"
    other.write_bytes(signing.public_pem(signing.new_key().public_key()))
    bench.configure(fleet_key=str(other))

    ended = bench.run()

    assert ended.code == 65
    assert "is identity.fleet_key this fleet's" in ended.err
    assert bench.received() == [False]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"technician": "none.pem"}, "technicians add NAME --out FILE"),
        ({"ca": "none.pem"}, "identity.ca: "),
        ({"fleet_key": "none.pem"}, "put the fleet's public key there"),
        ({"other": "1"}, "identity.other: unknown setting"),
        ({"url": "https://a@b"}, "backend.url: "),
        (None, "--from needs a technician's"),
    ],
)
def test_wrong_configuration_ends_with_2(
    bench: Bench, changed: dict[str, str] | None, words: str
) -> None:
    bench.write(1)
    if changed is None:
        bench.config.write_text('[device]\nid = "van-7"\n')
    else:
        bench.configure(**changed)

    ended = bench.run()

    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_an_empty_folder_is_2(bench: Bench) -> None:
    ended = bench.run()

    assert ended.code == 2
    assert "no record files" in ended.err


def test_receipts_of_a_queue_have_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sync", "--once", "--receipts", str(tmp_path)]) == 2
    assert "--receipts goes with --from" in capsys.readouterr().err


NOBODY = 65_534


@pytest.mark.slow
def test_roots_receipts_belong_to_the_owner_of_the_card(bench: Bench) -> None:
    """The owner of a copied card can go on using it after root has written receipts there."""
    if os.geteuid() != 0:
        pytest.fail("only root writes into another user's folder; run this test as root")
    bench.write(1)
    os.chown(bench.card, NOBODY, NOBODY)

    ended = bench.run()

    assert ended.code == 0, ended.err
    receipts = bench.card / "receipts"
    assert {path.stat().st_uid for path in [receipts, *receipts.iterdir()]} == {NOBODY}
