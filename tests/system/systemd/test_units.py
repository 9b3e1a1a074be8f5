"""The files under systemd/ are what systemd accepts, and make the folders the agent expects."""

import re
import shutil
import subprocess
from pathlib import Path
from stat import S_IMODE

import pytest

from agent.config import ServeSettings, StateSettings
from agent.queue.paths import Layout
from doorstep_backend.serving import FINISH_S
from tests.faults.databases.limits import most_bytes

SYSTEMD = Path(__file__).parents[3] / "systemd"
TRIAL = SYSTEMD.parent / "scripts/provisioning/roles/doorstep_trial/files/doorstep-trial.service"
"""Unit that belongs to no release, because it tries releases."""
BACKEND = SYSTEMD.parent / "tests/backend/doorstep_backend/doorstep-backend@.service"
"""Unit of a server."""

pytestmark = pytest.mark.slow


def _run(*command: str) -> str:
    assert shutil.which(command[0]), f"{command[0]} is missing: apt install systemd"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_units_are_accepted(tmp_path: Path) -> None:
    """systemd-analyze has nothing to say of any unit once its program exists."""
    program = shutil.which("true")
    for unit in [*SYSTEMD.glob("doorstep-*.*"), TRIAL, BACKEND]:
        text = unit.read_text().replace("/opt/doorstep/current/bin/python", str(program))
        text = text.replace("/opt/doorstep-backend/bin/python", str(program))
        (tmp_path / unit.name.replace("@", "@8101")).write_text(text)

    said = _run("systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir())))

    assert said == ""


CAPTURE = ("doorstep-capture", "doorstep")
OWNERS = {
    "": CAPTURE,
    "queue": CAPTURE,
    "queue/doorstep.db": CAPTURE,
    "records": CAPTURE,
    "receipts": CAPTURE,
    "torn": CAPTURE,
    "trust": CAPTURE,
    "keys": CAPTURE,
    "keys/capture": CAPTURE,
    "keys/sync": ("doorstep-sync", "doorstep"),
    "keys/serve": ("doorstep-serve", "doorstep"),
    "capture.lock": CAPTURE,
    "sync.lock": CAPTURE,
    "state.lock": CAPTURE,
    "ballast": CAPTURE,
}
RUN_OWNERS = {"": CAPTURE, "sync": ("doorstep-sync", "doorstep")}


def _made(root: Path) -> dict[str, str]:
    """Users and groups by number, as systemd's own tools make them and the folders, in `root`.

    Twice: at each boot they come by again, and refuse what is not theirs to follow.
    """
    (root / "etc").mkdir()
    _run("systemd-sysusers", f"--root={root}", str(SYSTEMD / "doorstep.sysusers"))
    shutil.copy(SYSTEMD / "doorstep.tmpfiles", root / "doorstep.conf")
    for _ in range(2):
        said = _run("systemd-tmpfiles", f"--root={root}", "--create", str(root / "doorstep.conf"))
        assert said == ""
    return {
        f"{kind} {number}": name
        for kind in ("passwd", "group")
        for name, _, number, *_ in (
            line.split(":") for line in (root / "etc" / kind).read_text().splitlines()
        )
    }


def test_folders_have_owners_and_modes_that_separate_processes(tmp_path: Path) -> None:
    """tmpfiles.d makes what Layout.make would make, owned by the right users."""
    names = _made(tmp_path)
    layout = Layout.of(StateSettings())
    wanted = {
        top / name if name else top: owner
        for top, owners in ((layout.state, OWNERS), (layout.run, RUN_OWNERS))
        for name, owner in owners.items()
    }

    found, modes = {}, {}
    for path in wanted:
        real = (tmp_path / path.relative_to("/")).lstat()
        found[path] = (names[f"passwd {real.st_uid}"], names[f"group {real.st_gid}"])
        modes[path] = S_IMODE(real.st_mode)

    assert found == wanted
    assert modes == {**dict(layout.folders()), **dict(layout.files())}


def test_no_user_has_a_home(tmp_path: Path) -> None:
    """A program loads files from the home of its user, so no user has one."""
    _made(tmp_path)

    users = [line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    assert {user[5] for user in users if user[0].startswith("doorstep-")} == {"/nonexistent"}


def _settings(unit: str) -> list[str]:
    return (SYSTEMD / f"doorstep-{unit}.service").read_text().splitlines()


def test_sync_only_reads_records_and_sees_no_other_keys() -> None:
    """The units hold even if owners and modes were altered."""
    sync = _settings("sync")

    folders = ("records", "receipts", "torn", "trust")
    assert f"ReadOnlyPaths={' '.join(f'/var/lib/doorstep/{one}' for one in folders)}" in sync
    assert "InaccessiblePaths=/var/lib/doorstep/keys/capture -/var/lib/doorstep/keys/serve" in sync


def test_only_gpsd_can_answer_where_capture_asks_for_positions() -> None:
    """The process that listens on port 2947 decides where photos may be taken."""
    sync = _settings("sync")

    assert "SocketBindDeny=any" in sync
    assert "IPAddressDeny=127.0.0.1/32 ::1/128" in sync
    assert "SocketBindDeny=any" in _settings("capture")


def test_serve_writes_nothing_and_sees_no_records_or_other_keys() -> None:
    """A member could write queue/: see tests/faults/privileges/attacks.py."""
    serve = _settings("serve")

    assert "ProtectSystem=strict" in serve
    assert "ReadOnlyPaths=/var/lib/doorstep /run/doorstep" in serve
    assert not [line for line in serve if line.startswith("ReadWritePaths")]
    hidden = [line for line in serve if line.startswith("InaccessiblePaths")]
    assert " ".join(hidden).replace("InaccessiblePaths=", "").split() == [
        "/var/lib/doorstep/keys/capture",
        "/var/lib/doorstep/keys/sync",
        "/var/lib/doorstep/records",
        "-/run/dbus",
    ]


def test_serve_listens_on_its_default_port_alone() -> None:
    serve = _settings("serve")

    assert "SocketBindDeny=any" in serve
    assert f"SocketBindAllow=tcp:{ServeSettings().address[1]}" in serve


def test_backend_may_finish_its_requests_before_it_is_killed() -> None:
    stop = re.findall(r"^TimeoutStopSec=(\d+)$", BACKEND.read_text(), re.MULTILINE)

    assert [int(one) > FINISH_S + 1 for one in stop] == [True]


@pytest.mark.parametrize(("memory_mb", "least_mb", "most_mb"), [(426, 210, 240), (900, 320, 600)])
def test_capture_has_memory_for_its_largest_photo(
    memory_mb: int, least_mb: int, most_mb: int
) -> None:
    """274 MB at 4608x2592; with 512 MB the other processes need the rest, and photos are smaller.

    It has 210 MB with a hostile database.
    """
    assert least_mb < most_bytes("capture", memory_mb) / 2**20 < most_mb


def test_no_unit_lets_systemd_change_the_owners() -> None:
    """`StateDirectory=` would, at each start."""
    for unit in ("capture", "sync", "serve"):
        assert not [line for line in _settings(unit) if line.startswith("StateDirectory")]
