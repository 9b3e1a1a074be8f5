"""`doorstep rescue` as root on real file systems: killed, torn, half readable, hostile, foreign."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.record import certificates, signing
from tests.support.authority import new_authority
from tests.support.device import device
from tests.support.factory import RecordMaker, small_disk
from tests.support.waiting import until
from tests.unit.agent.rescue import cards
from tests.unit.agent.rescue.cards import rescue

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_root")]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """The disk of a device that was killed after three presses, as the kernel had written it."""
    folder = tmp_path_factory.mktemp("killed")
    with small_disk(folder) as disk:
        state = {"dir": str(disk), "run_dir": str(folder / "run")}
        with device(folder / "van", state=state) as van:
            van.start("capture")
            for number in range(3):
                time.sleep(0.7 if number else 0)  # presses within 600 ms count as one
                van.press()
            van.stop("capture", signal.SIGKILL)
            shutil.copyfile(folder / "disk.img", folder / "card.img")
            return folder / "card.img", {path.name for path in (disk / "records").iterdir()}


def test_records_that_are_only_in_the_journal_are_found(killed: tuple[Path, set[str]]) -> None:
    """Mounted in the way that leaves a dirty journal alone, the card seems empty."""
    image, names = killed
    before = cards.sha256(image)
    folder = image.parent / "saved"

    ended = rescue(image, "--to", folder)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "it lost power: its journal was played back, in a copy" in ended.stdout
    assert "#1 to #4: 4 whole records, 4 of them waiting" in ended.stdout
    assert "all 3 are sealed" in ended.stdout
    assert f"doorstep sync --from {folder}" in ended.stdout
    assert set(cards.saved(folder)) == names
    assert cards.sha256(image) == before
    assert _without_its_journal(image) != names


def _without_its_journal(image: Path) -> set[str]:
    folder = image.parent / "noload"
    folder.mkdir()
    subprocess.run(["mount", "-o", "loop,ro,noload", image, folder], check=True)
    try:
        return {path.name for path in folder.glob("records/*")}
    finally:
        subprocess.run(["umount", folder], check=True)


def test_second_run_saves_what_is_missing_and_nothing_twice(tmp_path: Path) -> None:
    made = cards.some(3)
    image = cards.state_card(tmp_path, *made)
    target = tmp_path / "saved"
    rescue(image, "--to", target)
    first = min(target.iterdir())
    first.unlink()
    kept = {path: path.stat().st_ino for path in target.iterdir()}

    ended = rescue(image, "--to", target)

    assert ended.returncode == 0, ended.stdout
    assert "copied      1 whole record to" in ended.stdout
    assert "2 were there before" in ended.stdout
    assert cards.saved(target) == cards.contents(*made)
    assert {path: path.stat().st_ino for path in kept} == kept


@pytest.mark.parametrize("where", ["partition", "folder of the root", "file of the root"])
def test_state_is_found_wherever_a_device_has_it(tmp_path: Path, where: str) -> None:
    made = cards.some(2)
    root, boot = tmp_path / "root", tmp_path / "boot.img"
    library = root / "var" / "lib"
    library.mkdir(parents=True)
    boot.write_bytes(b"no file system of ours" * 1_000)
    parts = [boot]
    if where == "folder of the root":
        cards.state(library / "doorstep", *made)
    else:
        state = cards.file_system(cards.state(tmp_path / "state", *made), tmp_path / "state.img")
        if where == "partition":
            parts.append(state)
        else:
            state.rename(library / "doorstep.ext4")
    parts.insert(1, cards.file_system(root, tmp_path / "root.img", 40, label="rootfs"))
    image = cards.card(tmp_path / "card.img", *parts)

    ended = rescue(image, "--to", tmp_path / "saved")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert cards.saved(tmp_path / "saved") == cards.contents(*made)


def test_hostile_card_leads_nowhere_and_says_nothing_to_the_terminal(tmp_path: Path) -> None:
    made = cards.some(2)
    records = cards.state(tmp_path / "state", *made) / "records"
    (records / "link.rec").symlink_to("/etc/passwd")
    (records / "\x1b[31mred\n.rec").write_bytes(made[0].content[:-7])
    (records / "folder.rec").mkdir()
    (records / "half.part").write_bytes(made[1].content[:99])
    os.mkfifo(records / "pipe.rec")
    with (records / "giant.rec").open("wb") as giant:
        giant.truncate(3 * 2**30)
    shutil.rmtree(tmp_path / "state" / "keys")
    (tmp_path / "state" / "keys").symlink_to("/etc")
    image = cards.file_system(tmp_path / "state", tmp_path / "card.img")
    target = tmp_path / "saved"

    ended = rescue(image, "--to", target)

    assert ended.returncode == 65, ended.stdout + ended.stderr
    assert ended.stdout.replace("\n", "").isprintable()
    assert "root:x:0" not in ended.stdout + ended.stderr
    assert ended.stdout.count("not a plain file of a record's size") == 4
    assert "the body is not what the label says" in ended.stdout
    assert "unfinished  1 file" in ended.stdout
    assert cards.saved(target) == cards.contents(*made)
    (torn,) = (target / "torn").iterdir()
    assert torn.read_bytes() == made[0].content[:-7]
    assert torn.name.isascii()
    assert torn.name.isprintable()


def test_state_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """Otherwise a card could have this machine's own files saved as a device's."""
    own = cards.state(tmp_path / "own", *cards.some(1))
    (tmp_path / "root/var/lib").mkdir(parents=True)
    (tmp_path / "root/var/lib/doorstep").symlink_to(own)
    image = cards.file_system(tmp_path / "root", tmp_path / "card.img", label="rootfs")

    ended = rescue(image, "--to", tmp_path / "saved")

    assert ended.returncode == 70
    assert "no file system on it that holds a Doorstep's state" in ended.stderr
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize("is_ours", [True, False])
def test_nothing_is_copied_of_a_card_of_another_fleet(tmp_path: Path, is_ours: bool) -> None:
    maker, ours, theirs = RecordMaker(), new_authority("Fleet A"), new_authority("Fleet B")
    state = cards.state(tmp_path / "state", maker.make())
    maker_ca = ours if is_ours else theirs
    evidence = maker_ca.issue(maker.key.public_key(), maker.device_id, evidence=True)
    (state / "trust" / "evidence.pem").write_bytes(certificates.pem([evidence]))
    (tmp_path / "ca.pem").write_bytes(ours.pem)
    image = cards.file_system(state, tmp_path / "card.img")

    ended = rescue(image, "--to", tmp_path / "saved", "--ca", tmp_path / "ca.pem")

    assert "device      van-7\n" in ended.stdout
    if is_ours:
        assert ended.returncode == 0, ended.stdout
        assert "fleet       ours" in ended.stdout
        assert (tmp_path / "saved" / "evidence.pem").exists()
    else:
        assert ended.returncode == 65
        assert "fleet       another's: its certificate is by CN=Fleet B" in ended.stdout
        assert not (tmp_path / "saved").exists()


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """An image of which the rest is missing, and of how many records."""
    folder = tmp_path_factory.mktemp("half")
    made = cards.some(20, photo=os.urandom(300_000))
    image = cards.state_card(folder, *made)
    os.truncate(image, 5 * 2**20)
    return image, len(made)


def _check_half(ended: "subprocess.CompletedProcess[str]", target: Path, count: int) -> None:
    assert ended.returncode == 65, ended.stdout + ended.stderr
    assert "of the card could not be read; `ddrescue" in ended.stdout
    whole = [path for path in target.iterdir() if path.suffix == ".rec"]
    assert 0 < len(whole) < count
    assert f"{len(whole)} whole records to" in ended.stdout


def test_readable_half_of_half_a_card_is_saved(half: tuple[Path, int], tmp_path: Path) -> None:
    image, count = half

    _check_half(rescue(image, "--to", tmp_path / "saved"), tmp_path / "saved", count)


def test_read_errors_of_a_disk_end_nothing(half: tuple[Path, int], tmp_path: Path) -> None:
    """A loop device whose file has become shorter gives EIO for the rest."""
    image, count = half
    shutil.copyfile(image, tmp_path / "card.img")
    os.truncate(tmp_path / "card.img", 16 * 2**20)
    with _disk(tmp_path / "card.img") as disk:
        os.truncate(tmp_path / "card.img", 5 * 2**20)

        ended = rescue(disk, "--to", tmp_path / "saved")

    _check_half(ended, tmp_path / "saved", count)


@contextmanager
def _disk(image: Path) -> Iterator[str]:
    words = ["losetup", "--find", "--show", str(image)]
    made = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    try:
        yield made
    finally:
        subprocess.run(["losetup", "--detach", made], check=True)


def test_mounted_disk_is_refused(tmp_path: Path) -> None:
    """A desktop mounts a card by itself; it would change while it is read."""
    image = cards.state_card(tmp_path, *cards.some(1))
    (tmp_path / "mounted").mkdir()
    with _disk(image) as disk:
        subprocess.run(["mount", "-o", "ro", disk, tmp_path / "mounted"], check=True)
        ended = rescue(disk)
        subprocess.run(["umount", tmp_path / "mounted"], check=True)

        assert (ended.returncode, ended.stdout) == (2, "")
        assert "it is mounted: `umount` it first" in ended.stderr
        assert rescue(disk).returncode == 0


def test_file_system_that_wants_another_disk_is_not_mounted(tmp_path: Path) -> None:
    """The kernel would play back, and write to, the journal that the superblock names."""
    image = cards.state_card(tmp_path, *cards.some(1))
    with image.open("r+b") as file:
        file.seek(1_024 + 0xE4)
        file.write(b"\x01\x08\0\0")

    ended = rescue(image)

    assert ended.returncode == 70
    assert "it wants another disk or options of its own" in ended.stdout


def test_full_disk_for_the_copy_is_reported_with_the_way_out(tmp_path: Path) -> None:
    image = cards.state_card(tmp_path, *cards.some(8, photo=os.urandom(1_000_000)))
    (tmp_path / "work").mkdir()
    with small_disk(tmp_path / "work", 5) as disk:
        ended = rescue(image, TMPDIR=str(disk))

        assert ended.returncode == 70
        assert "TMPDIR names another folder for it: No space left" in ended.stderr
        assert [path.name for path in disk.iterdir()] == ["lost+found"]


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("text", 70, "no file system on it that holds a Doorstep's state"),
        ("empty", 70, "no file system on it that holds a Doorstep's state"),
        ("missing", 2, "cannot be read: No such file or directory"),
        ("folder", 2, "a folder; `doorstep sync --from"),
    ],
)
def test_invalid_card_is_reported_in_a_sentence(
    tmp_path: Path, what: str, code: int, words: str
) -> None:
    source = tmp_path / "source"
    if what == "folder":
        source.mkdir()
    elif what != "missing":
        source.write_text("a holiday, and no card " * 1_000 if what == "text" else "")

    ended = rescue(source)

    assert ended.returncode == code
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_killed_at_work_it_leaves_neither_loop_nor_mount_nor_copy(tmp_path: Path) -> None:
    image = cards.state_card(tmp_path, *cards.some(300))
    work = tmp_path / "work"
    work.mkdir()
    words = [*cards.command(), str(image), "--to", str(tmp_path / "saved")]
    process = subprocess.Popen(words, env={**os.environ, "TMPDIR": str(work)})
    until(lambda: len(list(tmp_path.glob("saved/*"))) > 3, 30, every_s=0.002)

    process.kill()
    process.wait()

    until(lambda: str(work) not in _loops(), 10, every_s=0.05)
    assert str(work) not in Path("/proc/self/mountinfo").read_text()
    assert [path for path in work.rglob("*") if path.is_file()] == []
    assert rescue(image, "--to", tmp_path / "saved").returncode == 0
    assert len([*(tmp_path / "saved").glob("*.rec")]) == 300


def _loops() -> str:
    return subprocess.run(["losetup", "--all"], capture_output=True, text=True, check=True).stdout


def test_user_who_is_not_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.img").write_bytes(bytes(4_096))
    key = signing.public_pem(signing.new_key().public_key())
    (tmp_path / "no-authority.pem").write_bytes(key)

    def ended(*words: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["setpriv", "--reuid=65534", "--clear-groups", *cards.command(), *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )

    assert rescue(tmp_path / "card.img", "--ca", tmp_path / "no-authority.pem").returncode == 2
    assert ended("card.img").returncode == 2
    assert "run this as root" in ended("card.img").stderr
