"""Root enrols a device whose folders are its processes' own: each part runs as its owner."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import urlsplit

import pytest

from agent.record import certificates, signing
from agent.record.usages import Use
from tests.faults.syscalls.users import GROUP, USERS, open_folder, tmpfiles
from tests.support.device import REPOSITORY, Device
from tests.support.est import Answered, Asked, EstServer, est_server, required
from tests.support.fleet_documents import fleet_document

pytestmark = pytest.mark.slow

CAPTURE, SYNC = USERS["doorstep-capture"], USERS["doorstep-sync"]
SERVE = USERS["doorstep-serve"]
NAME = "van-7.vans.example"
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
    """Make the folders of tmpfiles.d, and an EST server that has not been asked yet."""
    callers: list[int] = []

    def note(asked: Asked) -> Answered | None:
        callers.append(caller_of(asked.port, urlsplit(server.url).port or 0))
        return None

    with open_folder() as folder, est_server(folder / "est") as server:
        server.fleet, server.script = fleet_document(FLEET_KEY), note
        tables = required(server, folder / "van", FLEET_KEY.public_key())
        device = Device(folder / "van", **tables)
        tmpfiles(device.layout.state, device.layout.run)
        yield Scene(device, server, callers)


def caller_of(port: int, server: int) -> int:
    """Return the user whose socket at this port is connected to the server's.

    Sockets of other connections may have the same port: closed ones count as root's.
    Source: proc_pid_net(5), /proc/net/tcp.
    """
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{port:04X}") and words[2].endswith(f":{server:04X}"):
            return int(words[7])
    raise AssertionError(f"nobody has port {port}")


@pytest.fixture
def serving(scene: Scene) -> Scene:
    """Make a device that may be asked for its status."""
    scene.server.given = {NAME}
    tables = required(scene.server, scene.device.folder, FLEET_KEY.public_key())
    scene.device.configure(**tables, serve={"names": [NAME]})
    return scene


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


def test_serves_key_is_serves_and_the_rest_of_it_is_captures(serving: Scene) -> None:
    """Root makes none of it, and neither capture nor sync may read the key."""
    ended = serving.enrol()

    layout = serving.device.layout
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert owners(layout.serve_keys) == {"key.pem": (SERVE, 0o600)}
    assert owners(layout.trust)["serve.csr"] == (CAPTURE, 0o640)
    assert owners(layout.trust)["serve.pem"] == (CAPTURE, 0o640)
    assert set(serving.callers) == {SYNC}
    assert not [path for path in layout.state.rglob("*") if path.lstat().st_uid == 0]
    assert serving.enrol().returncode == 0


def test_files_are_asked_for_and_taken_by_each_owner(serving: Scene) -> None:
    """Root reads and writes only what the command line names."""
    device, layout = serving.device, serving.device.layout
    tables = required(serving.server, device.folder, FLEET_KEY.public_key())
    tables["identity"]["certificates"] = "files"
    device.configure(**tables, serve={"names": [NAME]})
    folder = device.folder / "csr"

    ended = device.run("enrol", "--csr", str(folder))

    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    waits = {"next-key.pem": (SYNC, 0o600), "next.csr": (SYNC, 0o600)}
    assert owners(layout.sync_keys) == waits
    assert owners(layout.trust)["evidence.csr"] == (CAPTURE, 0o640)
    assert owners(folder) == {f"van-7-{use}.csr": (0, 0o644) for use in Use}
    files = [folder / f"{use}.pem" for use in Use]
    for use, file in zip(Use, files, strict=True):
        asked = certificates.read_request((folder / f"van-7-{use}.csr").read_text())
        is_evidence, is_server = use is Use.EVIDENCE, use is Use.SERVE
        made = serving.server.authority.issue(
            asked.key, "van-7", names=asked.names, evidence=is_evidence, server=is_server
        )
        file.write_bytes(certificates.pem([made]))
        file.chmod(0o600)

    ended = device.run("enrol", "--certificate", *map(str, files))

    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert serving.callers == [SYNC]
    assert owners(layout.sync_keys) == {"tls.pem": (SYNC, 0o600)}
    for name in ("evidence.pem", "serve.pem", "fleet.jws"):
        assert owners(layout.trust)[name] == (CAPTURE, 0o640)
    assert not [path for path in layout.state.rglob("*") if path.lstat().st_uid == 0]


@pytest.mark.parametrize(
    ("part", "owner", "names"),
    [
        ("serve_keys", SERVE, ["key.pem", "key.part"]),
        ("sync_keys", SYNC, ["tls.pem", "next-key.pem", "tls.part", "next-key.part"]),
    ],
)
def test_links_in_a_taken_over_folder_lead_root_nowhere(
    serving: Scene, part: str, owner: int, names: list[str]
) -> None:
    """A link that a process puts into its folder lets root neither read nor write root's file."""
    victim = serving.device.folder / "victim"
    victim.write_text("root's own")
    victim.chmod(0o600)
    for name in names:
        link = getattr(serving.device.layout, part) / name
        link.symlink_to(victim)
        os.lchown(link, owner, GROUP)

    ended = serving.enrol()

    assert "root's own" not in ended.stdout + ended.stderr
    assert victim.read_text() == "root's own"
    assert victim.lstat().st_uid == 0


def remove(folder: Path) -> str:
    folder.rmdir()
    return f"{folder}: not there"


def lead_to_roots(folder: Path) -> str:
    """Put a link in the folder's place, as the owner of `keys/` could."""
    folder.rmdir()
    roots = folder.parents[2] / "roots"
    roots.mkdir(mode=0o700)
    folder.symlink_to(roots)
    os.lchown(folder, CAPTURE, GROUP)
    return f"{folder}: not a folder"


@pytest.mark.parametrize("part", ["capture_keys", "sync_keys", "serve_keys"])
@pytest.mark.parametrize("harm", [remove, lead_to_roots])
def test_folder_that_is_gone_or_became_a_link_is_refused(
    serving: Scene, part: str, harm: Callable[[Path], str]
) -> None:
    """Then nothing may run as root, and the network not as capture."""
    folder = getattr(serving.device.layout, part)
    words = harm(folder)

    ended = serving.enrol()

    assert ended.returncode == 70
    assert f"{words}; `systemd-tmpfiles --create` makes it as it should be" in ended.stderr
    assert folder.exists() == folder.is_symlink()
    assert list(folder.glob("*")) == []
    assert serving.callers == []


def test_roots_folder_in_anothers_state_is_refused(scene: Scene) -> None:
    os.chown(scene.device.layout.sync_keys, 0, 0)

    ended = scene.enrol()

    assert ended.returncode == 70
    assert "root's, where a process's own user is right" in ended.stderr
    assert scene.callers == []


@pytest.mark.parametrize("held", [(), ("capture", "sync", "serve")], ids=["empty", "anothers"])
def test_link_in_the_place_of_all_keys_is_refused(scene: Scene, held: tuple[str, ...]) -> None:
    """Capture owns the state, and can put it there: to root's folders, or to another user's."""
    other = scene.device.folder / "other"
    other.mkdir(mode=0o700)
    for name in held:
        (other / name).mkdir()
        os.chown(other / name, USERS["technician"], GROUP)
    keys = scene.device.layout.keys
    keys.rename(keys.with_name("keys.before"))
    keys.symlink_to(other)
    os.lchown(keys, CAPTURE, GROUP)

    ended = scene.enrol()

    assert ended.returncode == 70
    assert f"{keys}: not a folder; `systemd-tmpfiles --create`" in ended.stderr
    assert sorted(path.name for path in other.rglob("*")) == sorted(held)
    assert scene.callers == []


COMMANDS = ["enrol", "capture", "sync", "prune", "status", "queue", "doctor", "locate"]


def on_a_device(scene: Scene, command: str) -> CompletedProcess[str]:
    """The command as root, where the units' users are known: a passwd of its own."""
    known = scene.device.folder / "passwd"
    user = f"doorstep-capture:x:{CAPTURE}:{GROUP}::/:/usr/sbin/nologin\n"
    known.write_text(Path("/etc/passwd").read_text() + user)
    more = {"enrol": [scene.server.url], "capture": ["--once"], "sync": ["--once"]}
    words = scene.device.words(command, *more.get(command, []))
    script = 'mount --bind "$0" /etc/passwd && exec "$@"'
    namespace = ["unshare", "--mount", "sh", "-c", script, str(known), *words]
    return subprocess.run(
        namespace,
        cwd=REPOSITORY,
        input="blue-42\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("part", "command"),
    [
        *(("state", one) for one in COMMANDS),
        *(("queue", one) for one in COMMANDS if one not in {"enrol", "sync"}),
    ],
)
def test_root_makes_no_missing_folder_on_a_device(scene: Scene, part: str, command: str) -> None:
    """A folder that root makes stays root's after tmpfiles.d: capture could not open its key."""
    folder, state = getattr(scene.device.layout, part), scene.device.layout.state
    shutil.rmtree(folder)

    ended = on_a_device(scene, command)

    assert ended.returncode == 70
    assert "not there; `systemd-tmpfiles --create`" in ended.stdout + ended.stderr
    assert not folder.exists()
    assert not [path for path in state.rglob("*") if path.lstat().st_uid == 0]
    assert scene.callers == []


def test_root_makes_its_own_state_without_the_units_users(scene: Scene) -> None:
    """A container, a laptop and the demo have no users of the units."""
    state = scene.device.layout.state
    shutil.rmtree(state)

    assert scene.enrol().returncode == 0
    assert {path.lstat().st_uid for path in state.rglob("*")} == {0}
    assert scene.enrol().returncode == 0


def test_doctor_asks_the_backend_as_sync(scene: Scene) -> None:
    scene.enrol()
    scene.callers.clear()

    scene.device.run("doctor")  # the rest of it may need what only root can read of this Python

    assert scene.callers
    assert set(scene.callers) == {SYNC}
