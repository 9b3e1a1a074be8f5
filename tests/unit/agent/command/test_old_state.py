"""Every command refuses the state of a release before the oldest accepted one, and leaves it."""

import io
from pathlib import Path

import pytest

from agent.record import signing
from tests.support.authority import new_authority
from tests.support.device import Device
from tests.support.factory import RecordMaker
from tests.unit.agent.command.inprocess import Terminal

URL = "https://127.0.0.1:9"

COMMANDS = [
    "capture",
    "capture --once",
    "sync",
    "sync --once",
    "serve",
    "prune",
    "status",
    "queue",
    "queue retry --all",
    "doctor",
    "locate",
    f"enrol {URL}",
    "retire van-7",
]

Seen = dict[Path, tuple[int, int, bytes]]


@pytest.fixture
def device(tmp_path: Path) -> Device:
    """A device with the state of 2026.11.2: the queue beside the records, all keys in one folder.

    tmpfiles.d has made nothing yet, and the configuration is today's.
    """
    made = Device(
        tmp_path,
        identity={"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"},
        backend={"url": URL, "receipt_keys": []},
        serve={"names": ["van-7.example"], "clients": ["dispatch"]},
    )
    (tmp_path / "ca.pem").write_bytes(new_authority("Fleet").pem)
    key = signing.new_key()
    (tmp_path / "fleet-key.pem").write_bytes(signing.public_pem(key.public_key()))
    state = made.layout.state
    for name in ("records", "torn", "keys"):
        (state / name).mkdir(parents=True)
    RecordMaker().make().into(state / "records")
    (state / "keys" / "device.pem").write_bytes(signing.private_pem(key))
    for name in ("doorstep.db", "doorstep.db-wal", "capture.lock", "sync.lock", "state.lock"):
        (state / name).write_bytes(b"of 2026.11.2")
    return made


def seen(folder: Path) -> Seen:
    """Return the mode, the time of the last change and the content of all there is."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {
        path: (one.st_mode, one.st_ctime_ns, path.read_bytes() if path.is_file() else b"")
        for path, one in found.items()
    }


@pytest.mark.parametrize("words", COMMANDS)
def test_command_refuses_the_state_of_an_older_release(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """The command ends with 70 and says what to do, and not one byte of the device changes."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    device = terminal.device
    before = seen(device.folder)

    ended = terminal.run(*words.split())

    told = ended.out + ended.err
    assert ended.code == 70, told
    assert f"{device.layout.state}: a release before 2026.11.7 left doorstep.db there" in told
    assert "Install 2026.11.7, let it start" in told
    assert seen(device.folder) == before


def test_capture_shows_red_over_the_state_of_an_older_release(device: Device) -> None:
    """A driver must not take the device for one that serves presses, nor for one without power."""
    ended = device.run("capture")

    assert "event=light signal=fault" in ended.stderr
