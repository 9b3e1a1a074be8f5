"""The files under systemd/ are what systemd accepts, and make the folders the agent expects."""

import shutil
import subprocess
from pathlib import Path
from stat import S_IMODE

import pytest

from agent.config import StateSettings
from agent.queue.disk import FILE_MODE
from agent.queue.paths import FOLDER_MODE, KEYS_MODE, Layout

SYSTEMD = Path(__file__).parents[2] / "systemd"

pytestmark = pytest.mark.slow


def _run(*command: str) -> str:
    assert shutil.which(command[0]), f"{command[0]} is missing: apt install systemd"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_units_are_accepted(tmp_path: Path) -> None:
    """systemd-analyze has nothing to say of any unit once its program exists."""
    program = shutil.which("true")
    for unit in SYSTEMD.glob("doorstep-*.*"):
        text = unit.read_text().replace("/opt/doorstep/bin/doorstep", str(program))
        (tmp_path / unit.name).write_text(text)

    said = _run("systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir())))

    assert said == ""


def test_folders_have_the_owners_and_modes_that_three_users_need(tmp_path: Path) -> None:
    """What tmpfiles.d makes is what Layout.make would make, owned by the right users."""
    (tmp_path / "etc").mkdir()
    _run("systemd-sysusers", f"--root={tmp_path}", str(SYSTEMD / "doorstep.sysusers"))
    shutil.copy(SYSTEMD / "doorstep.tmpfiles", tmp_path / "doorstep.conf")
    _run("systemd-tmpfiles", f"--root={tmp_path}", "--create", str(tmp_path / "doorstep.conf"))
    layout = Layout.of(StateSettings())
    passwd = (tmp_path / "etc/passwd").read_text()
    users = dict(line.split(":")[0:3:2] for line in passwd.splitlines())
    there = {path: tmp_path / path.relative_to("/") for path in _expected(layout)}

    modes = {path: S_IMODE(real.stat().st_mode) for path, real in there.items()}

    assert modes == _expected(layout)
    assert str(there[layout.database].stat().st_uid) == users["doorstep-capture"]
    assert str(there[layout.capture_keys].stat().st_uid) == users["doorstep-capture"]


def _expected(layout: Layout) -> dict[Path, int]:
    folders = dict.fromkeys((layout.state, layout.records, layout.torn, layout.run), FOLDER_MODE)
    files = (
        layout.database,
        layout.capture_lock,
        layout.sync_lock,
        layout.state_lock,
        layout.ballast,
    )
    return folders | dict.fromkeys(files, FILE_MODE) | {layout.capture_keys: KEYS_MODE}
