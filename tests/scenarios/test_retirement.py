"""`doorstep retire`, with a real backend: refused, interrupted, done twice.

The power cuts of `tests/faults/powercut/retired.py` interrupt it at each write.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import pytest

import agent.command.retire  # noqa: F401 - else each child would load it
from agent.__main__ import main
from agent.queue.disk import lock
from doorstep_backend.office import demo
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store
from tests.faults.syscalls.traced import Ended, run
from tests.support.backend import Backend, running_backend
from tests.support.device import REPOSITORY, Device, device
from tests.support.enrolment import let_in, required
from tests.support.factory import RecordMaker, small_disk
from tests.support.filled import fill, nest

pytestmark = pytest.mark.slow

LEFT: Final = {"retired.json", "world.toml", "receipt-key.pem"}
"""Files that a retired device keeps: its mark, and those of the test."""


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend"), identity=True) as running:
        yield running


@pytest.fixture(scope="module")
def before(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Device:
    """A device that was enrolled, and has delivered two presses; nobody may change it."""
    return made(backend, tmp_path_factory.mktemp("before") / "van")


def made(backend: Backend, folder: Path) -> Device:
    device_id, token = let_in(backend)
    folder.mkdir()
    tables = required(backend)
    for name in ("ca", "fleet_key"):
        shutil.copyfile(tables["identity"][name], folder / f"{name}.pem")
        tables["identity"][name] = f"{name}.pem"
    van = Device(folder, device={"id": device_id}, **tables)
    ended = van.run("enrol", backend.base_url, input=token)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert van.run("capture", "--once").returncode in {0, 4}
    sent = van.run("sync", "--once")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    return van


def id_of(folder: Path) -> str:
    found = re.search(r'id = "(.+)"', (folder / "config.toml").read_text())
    assert found is not None
    return found[1]


def copied(van: Device, folder: Path) -> Path:
    shutil.copytree(van.folder, folder, ignore=shutil.ignore_patterns("*.sock"))
    return folder


def retire(
    folder: Path, name: str, *words: str, trace: Path | None = None, injected: Sequence[str] = ()
) -> Ended:
    """In a child that has everything loaded; with a trace, strace injects something."""
    command = ["retire", name, *words, "--config", str(folder / "config.toml")]
    return run(partial(main, command), trace, injected)


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "run" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def unchanged(folder: Path, was: Mapping[str, bytes]) -> bool:
    """Return True if nothing that anybody could miss is gone or altered."""
    now = contents(folder)
    names = [one for one in was if re.match(r"state/(keys|records|trust)/|.*\.(toml|pem)$", one)]
    return bool(names) and all(now.get(name) == was[name] for name in names)


def test_device_is_revoked_then_wiped_and_leaves_a_line_for_the_books(
    backend: Backend, tmp_path: Path
) -> None:
    van = made(backend, tmp_path / "van")
    name, chain = van.queue()[0]["capture_id"], id_of(van.folder)
    secrets = [path.read_bytes() for path in van.layout.keys.rglob("*.pem")]

    ended = van.run("retire", chain)

    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert "revoked: the backend lets it in no more" in ended.stdout
    assert f"register    {chain} retired 20" in ended.stdout
    assert re.search(r"chain [0-9a-f-]{36} to #2, 2 receipts here, 2 at the backend", ended.stdout)
    left = contents(van.folder)
    assert {Path(one).name for one in left} == LEFT
    assert len(secrets) >= 2
    assert not [one for one in secrets if one in b"".join(left.values())]
    assert name not in "".join(left)

    again = van.run("retire", chain)

    line = re.compile(r"register +(.*)")
    assert again.returncode == 0
    assert line.findall(again.stdout) == line.findall(ended.stdout)
    assert van.run("capture", "--once").returncode == 2


def test_another_id_than_its_own_does_nothing(before: Device, tmp_path: Path) -> None:
    folder = copied(before, tmp_path / "van")

    ended = retire(folder, "van-8")

    assert ended.code == 2
    assert ended.said == f"doorstep: this is {id_of(folder)}, not van-8: nothing was done\n"
    assert unchanged(folder, contents(before.folder))


def test_device_with_a_route_in_hand_stays(backend: Backend, tmp_path: Path) -> None:
    """A driver may be at work with it; and what is pressed next would be lost."""
    device_id, token = let_in(backend)
    office = open_office(Store(backend.data))
    demo.settle(office)
    demo.send_out(office, device_id, datetime.now(UTC))
    tables = required(backend)
    policy = {"manifest": "required"}
    with device(tmp_path / "van", device={"id": device_id}, policy=policy, **tables) as van:
        assert van.run("enrol", backend.base_url, input=token).returncode == 0
        van.start("capture")
        van.start("sync")
        van.await_that((van.layout.trust / "manifest.jws").exists)

        ended = van.run("retire", device_id)

        assert ended.returncode == 75
        assert "a route is in hand" in ended.stderr
        assert re.search(r"has ended, at \d{4}-\d\d-\d\d \d\d:\d\d UTC; nothing", ended.stderr)
        assert "nothing was done" in ended.stderr


@pytest.mark.parametrize("process", ["capture", "sync"])
def test_retirement_is_refused_while_a_process_runs(
    before: Device, tmp_path: Path, process: str
) -> None:
    folder = copied(before, tmp_path / "van")
    with lock(folder / "state" / f"{process}.lock", exclusive=True, wait=False):
        ended = retire(folder, id_of(folder))

    assert ended.code == 75
    assert f"`doorstep {process}` runs: stop it first; nothing was done" in ended.said
    assert unchanged(folder, contents(before.folder))


def torn(folder: Path) -> None:
    (folder / "state" / "torn" / "a.rec").write_bytes(b"torn")


def salvaged(folder: Path) -> None:
    (folder / "state" / "lost+found").mkdir()
    (folder / "state" / "lost+found" / "#12").write_bytes(b"a record that lost its name")


def unqueued(folder: Path) -> None:
    RecordMaker().make().into(folder / "state" / "records")


def pressed(folder: Path) -> None:
    words = [sys.executable, "-m", "agent", "--config", str(folder / "config.toml"), "capture"]
    subprocess.run([*words, "--once"], cwd=REPOSITORY, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (torn, "1 torn (only the office"),
        (salvaged, "1 torn (only the office"),
        (unqueued, "1 unqueued (a start of `doorstep capture`"),
        (pressed, "1 waiting (`doorstep sync --once` sends them)"),
    ],
)
def test_unsent_records_prevent_it_until_they_are_given_up_by_number(
    before: Device, tmp_path: Path, harm: Callable[[Path], None], words: str
) -> None:
    folder = copied(before, tmp_path / "van")
    name = id_of(folder)
    harm(folder)
    was = contents(folder)

    ended, wrong = retire(folder, name), retire(folder, name, "--discard", "2")

    assert (ended.code, wrong.code) == (75, 75)
    assert words in ended.said
    assert "--discard 1" in ended.said
    assert "`doorstep sync --from DIR`" in ended.said
    assert "--discard says 2, and the device 1" in wrong.said
    assert unchanged(folder, was)
    assert retire(folder, name, "--discard", "1").code == 0
    assert {Path(one).name for one in contents(folder)} - {"#12"} == LEFT


def test_nothing_is_wiped_without_a_network(before: Device, tmp_path: Path) -> None:
    folder = copied(before, tmp_path / "van")
    name, config = id_of(folder), folder / "config.toml"
    known = config.read_text()
    config.write_text(re.sub(r'url = "https://[^"]+"', 'url = "https://127.0.0.1:9"', known))

    ended = retire(folder, name)

    config.write_text(known)
    assert ended.code == 75
    assert f"nothing was wiped; in the office, `devices gone {name}` does it" in ended.said
    assert unchanged(folder, contents(before.folder))


def test_connection_that_is_lost_ends_no_wiping(before: Device, tmp_path: Path) -> None:
    """After the commit point: before it, the device stays as it was."""
    folder = copied(before, tmp_path / "van")
    words = ["-e", "trace=rmdir", "-e", "inject=rmdir:signal=HUP:when=1"]

    ended = retire(folder, id_of(folder), trace=tmp_path / "trace", injected=words)

    assert "SIGHUP" in ended.trace
    assert ended.code == 0, ended.said
    assert {Path(one).name for one in contents(folder)} == LEFT


def test_files_of_others_stay(before: Device, tmp_path: Path) -> None:
    """Files beside its own, and what its links lead to; and they keep nothing from being wiped."""
    folder = copied(before, tmp_path / "van")
    ours, mine = tmp_path / "ca.pem", [folder / one / "mine" for one in ("run", "state", "")]
    (folder / "ca.pem").rename(ours)
    (folder / "ca.pem").symlink_to(ours)
    for path in mine:
        path.write_bytes(b"mine")
    kept = ours.read_bytes()

    ended = retire(folder, id_of(folder))

    assert ended.code == 0, ended.said
    assert {Path(one).name for one in contents(folder)} == LEFT | {"mine"}
    assert [path.read_bytes() for path in (*mine, ours)] == [b"mine"] * 3 + [kept]


def test_device_is_wiped_whatever_another_process_put_into_its_queue(
    before: Device, tmp_path: Path
) -> None:
    """After the commit point, so that nobody may be left with half a device."""
    folder = copied(before, tmp_path / "van")
    nest(folder / "state" / "queue" / "deep", 1_500)
    fill(folder / "state" / "queue" / "many", 20_000)

    ended = retire(folder, id_of(folder))

    assert ended.code == 0, ended.said
    assert {Path(one).name for one in contents(folder)} == LEFT
    assert not (folder / "state" / "queue").exists()


def test_unwiped_file_is_named_and_all_else_is_wiped(before: Device, tmp_path: Path) -> None:
    with small_disk(tmp_path, 64) as disk:
        folder = copied(before, disk / "van")
        name, fixed = id_of(folder), folder / "state" / "queue" / "fixed"
        fixed.write_bytes(b"nobody may delete this")
        with immutable(fixed):
            ended = retire(folder, name)

            assert ended.code == 70, ended.said
            assert "but not fixed: Operation not permitted\n" in ended.said
            assert "not all of it is wiped; see to this, then run this again: fixed" in ended.said
            assert f"register    {name} retired 20" in ended.said
            assert {Path(one).name for one in contents(folder)} == LEFT | {"fixed"}

        again = retire(folder, name)

        assert again.code == 0, again.said
        assert {Path(one).name for one in contents(folder)} == LEFT


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Not even root deletes it meanwhile."""
    subprocess.run(["chattr", "+i", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


def test_mark_of_a_life_that_ended_wipes_nothing_of_the_next(
    before: Device, tmp_path: Path
) -> None:
    """The card was made a device again, and its configuration was moved away."""
    folder = copied(before, tmp_path / "van")
    name = id_of(folder)
    assert retire(folder, name).code == 0
    shutil.copytree(before.layout.records, folder / "state" / "records")

    ended = retire(folder, name)

    assert ended.code == 0
    assert "wiped       before; nothing was done now" in ended.said
    assert len(list((folder / "state" / "records").iterdir())) == len(before.queue())


@pytest.mark.parametrize("mark", ['{"device_id": "%s"}', "[" * 60_000])
def test_invalid_mark_is_reported(before: Device, tmp_path: Path, mark: str) -> None:
    folder = copied(before, tmp_path / "van")
    name = id_of(folder)
    (folder / "config.toml").unlink()
    (folder / "retired.json").write_text(mark.replace("%s", name))

    ended = retire(folder, name)

    assert ended.code == 2
    assert "cannot be read as the mark of a retired device" in ended.said
    assert (folder / "state" / "keys").exists()
    assert (folder / "state" / "records").exists()
