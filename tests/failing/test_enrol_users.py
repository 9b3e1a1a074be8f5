"""Root enrols a device whose folders are its processes' own: each part runs as its owner."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

import pytest

from agent.record import signing
from tests.failing.users import GROUP, USERS, tmpfiles
from tests.support.device import Device
from tests.support.est import Answered, Asked, EstServer, est_server, required
from tests.support.fleet_documents import fleet_document

pytestmark = pytest.mark.slow

CAPTURE, SYNC = USERS["doorstep-capture"], USERS["doorstep-sync"]
FLEET_KEY = signing.new_key()


@dataclass
class Scene:
    device: Device
    server: EstServer
    callers: list[int]
    """Which user was at the other end of each request."""

    def enrol(self) -> CompletedProcess[str]:
        return self.device.run("enrol", self.server.url, input="blue-42\n")


@pytest.fixture
def scene() -> Iterator[Scene]:
    if os.geteuid() != 0:
        pytest.fail("this changes users: run it as root")
    with TemporaryDirectory(prefix="users-") as name:  # pytest's own are root's alone
        folder = Path(name)
        folder.chmod(0o755)
        callers: list[int] = []
        with est_server(folder / "est") as server:
            server.fleet = fleet_document(FLEET_KEY)

            def note(asked: Asked) -> Answered | None:
                callers.append(_caller(asked.port))
                return None

            server.script = note
            tables = required(server, folder / "van", FLEET_KEY.public_key())
            device = Device(folder / "van", **tables)
            tmpfiles(device.layout.state, device.layout.run)
            yield Scene(device, server, callers)


def _caller(port: int) -> int:
    """The user whose socket has this port. Source: proc_pid_net(5), /proc/net/tcp."""
    local = f":{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(local):
            return int(words[7])
    raise AssertionError(f"nobody has port {port}")


def owners(folder: Path) -> dict[str, tuple[int, int]]:
    found = {path.name: path.lstat() for path in folder.iterdir()}
    return {name: (one.st_uid, stat.S_IMODE(one.st_mode)) for name, one in found.items()}


def test_each_part_runs_as_its_owner_and_the_network_never_as_root(scene: Scene) -> None:
    ended = scene.enrol()

    layout = scene.device.layout
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert scene.callers == [SYNC] * 3
    assert owners(layout.sync_keys) == {"tls.pem": (SYNC, 0o600)}
    assert set(owners(layout.capture_keys).values()) == {(CAPTURE, 0o600)}
    assert "device.pem" in owners(layout.capture_keys)
    assert owners(layout.trust)["evidence.pem"] == (CAPTURE, 0o640)
    assert owners(layout.trust)["fleet.jws"] == (CAPTURE, 0o640)
    assert not [path for path in layout.state.rglob("*") if path.lstat().st_uid == 0]
    assert scene.enrol().returncode == 0


def test_links_in_a_taken_over_folder_lead_root_nowhere(scene: Scene) -> None:
    """What sync can put into its folder gets a file of root's neither read nor written."""
    victim = scene.device.folder / "victim"
    victim.write_text("root's own")
    victim.chmod(0o600)
    keys = scene.device.layout.sync_keys
    for name in ("tls.pem", "next-key.pem", "tls.part", "next-key.part"):
        (keys / name).symlink_to(victim)
        os.lchown(keys / name, SYNC, GROUP)

    ended = scene.enrol()

    assert "root's own" not in ended.stdout + ended.stderr
    assert victim.read_text() == "root's own"
    assert victim.lstat().st_uid == 0


@pytest.mark.parametrize("part", ["capture_keys", "sync_keys"])
def test_folder_that_became_a_link_to_roots_is_refused(scene: Scene, part: str) -> None:
    """Whoever owns `keys/` could put it there: then nothing may run as root."""
    folder = getattr(scene.device.layout, part)
    roots = scene.device.folder / "roots"
    roots.mkdir(mode=0o700)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.symlink_to(roots)
    os.lchown(folder, CAPTURE, GROUP)

    ended = scene.enrol()

    assert ended.returncode == 70
    assert "not a folder; `systemd-tmpfiles --create` makes it as it should be" in ended.stderr
    assert list(roots.iterdir()) == []
    assert 0 not in scene.callers


def test_roots_folder_in_anothers_state_is_refused(scene: Scene) -> None:
    os.chown(scene.device.layout.sync_keys, 0, 0)

    ended = scene.enrol()

    assert ended.returncode == 70
    assert "root's, where a process's own user is right" in ended.stderr
    assert scene.callers == []


def test_doctor_asks_the_backend_as_sync(scene: Scene) -> None:
    scene.enrol()
    scene.callers.clear()

    scene.device.run("doctor")  # the rest of it may need what only root can read of this Python

    assert scene.callers
    assert set(scene.callers) == {SYNC}
