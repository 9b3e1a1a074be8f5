"""Releases brought to three machines: they stay, or the device goes back by itself, SSH or not.

The tests stand in an order, and each leaves machines on which a release runs whole.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent import __version__
from tests.support.backend import REPOSITORY
from tests.support.waiting import until
from tests.system.machines.image import KEPT, image
from tests.system.machines.machine import Machine, machines
from tests.system.machines.network import Network
from tests.system.machines.office import Office
from tests.system.machines.releases import (
    ADDS_A_TABLE,
    NEVER_READY,
    NO_CAPTURE,
    NO_CONTACT,
    NO_IMPORT,
    release,
)
from tests.system.machines.run import RunResult, deploy, inventory, provision

pytestmark = pytest.mark.provision

NAMES = ("van-1", "van-2", "van-3")

WATCH_S = 30
"""Shorter than a device's own: a contact comes within seconds of a start."""

ANYWAY = ("--", "-e", f"deploy_watch_s={WATCH_S}", "-e", "doorstep_even_on_the_road=true")
"""They were pressed just now, or booted, and nobody knows whether they are in use."""

TRIAL = ("/usr/bin/python3", "-IB", "/usr/local/lib/doorstep/trial")


@dataclass(frozen=True, slots=True)
class DeployedMachines:
    """Three machines that were set up, and where releases for them are made."""

    machines: list[Machine]
    file: Path
    folder: Path
    hosts: dict[str, dict[str, Any]]
    office: Office

    def release(self, version: str, *edits: tuple[str, str, str]) -> Path:
        """Makes one, once."""
        made = self.folder / version
        return made if made.exists() else release(self.folder, version, *edits)

    def deploy(self, folder: Path, *words: str) -> RunResult:
        return deploy(self.file, folder, *words)


@pytest.fixture(scope="module")
def fleet(
    network: Network, at_the_office: Office, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeployedMachines]:
    folder = tmp_path_factory.mktemp("releases")
    with machines(network, image(prepared=True), KEPT / "deploy", *NAMES) as made:
        hosts: dict[str, dict[str, Any]] = {one.name: {"ansible_host": one.address} for one in made}
        file = inventory(at_the_office, at_the_office.tokens(*NAMES), hosts)
        told = provision(file)
        assert told.exit_code == 0, told.output
        yield DeployedMachines(made, file, folder, hosts, at_the_office)


@pytest.fixture
def van(fleet: DeployedMachines) -> Machine:
    return fleet.machines[0]


def runs(van: Machine) -> str:
    """The release that runs, whole: units of its own, nothing failed, no trial left."""
    current = van.run("readlink", "/opt/doorstep/current").stdout.strip()
    van.run("test", "!", "-L", "/opt/doorstep/previous")
    for unit in van.run("ls", f"{current}/units").stdout.split():
        van.run("cmp", f"{current}/units/{unit}", f"/etc/systemd/system/{unit}")
    on = ("doorstep-capture", "doorstep-sync")
    until(
        lambda: (
            van.run("systemctl", "is-active", *on, check=False).stdout.split() == ["active"] * 2
        ),
        120.0,
        every_s=1.0,
        told=lambda: van.run("systemctl", "status", *on, check=False).stdout,
    )
    return Path(current).name


def go_back(van: Machine, release: str) -> None:
    """Install a release by hand, as systemd/README.md says."""
    van.run(*TRIAL, "use", release)
    van.run("systemctl", "daemon-reload")
    van.run("systemctl", "restart", "doorstep-capture", "doorstep-sync")


def press(van: Machine) -> str:
    """Press once; return the record's id."""
    ended = (0, 3, 4)
    said = van.run("doorstep", "capture", "--once", check=False)
    assert said.returncode in ended, said.stdout + said.stderr
    return str(json.loads(said.stdout)["label"]["capture_id"])


def records(van: Machine) -> dict[str, str]:
    """Return the digest of each record on it, by name."""
    said = van.run("sh", "-c", "cd /var/lib/doorstep/records && sha256sum -- *.rec").stdout
    return {name: digest for digest, name in map(str.split, said.splitlines())}


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Call a function beside the block; raise its error at the end."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(act)
        yield
        done.result()


def once_tried(van: Machine, script: str) -> Callable[[], object]:
    """Run a script in the machine as soon as it tries a release, at most 15 minutes later."""
    waiting = "until [ -L /opt/doorstep/previous ]; do sleep 0.1; done"
    return lambda: van.run("timeout", "900", "sh", "-c", f"{waiting}; {script}")


def test_rollback_in_the_second_wave_ends_the_rollout(fleet: DeployedMachines) -> None:
    """Cut a machine off from its backend as soon as it tries a release."""
    made, victim = fleet.release("2099.1.0"), fleet.machines[1]
    before = {van.name: (press(van), records(van)) for van in fleet.machines}
    port = fleet.office.url.rpartition(":")[2]
    cut = f"nft insert rule inet doorstep output tcp dport {port} drop"

    with meanwhile(once_tried(victim, cut)):
        told = fleet.deploy(made, "--wave", "1,1,1", *ANYWAY)

    assert told.exit_code != 0
    rows = {name: row[0] for name, row in told.rows.items()}
    assert rows == {"van-1": "done", "van-2": "rolled back", "van-3": "not tried"}, told.output
    assert "sync had no contact with the backend" in told.rows["van-2"][1]
    assert "since van-2 failed" in told.rows["van-3"][1]
    assert [runs(van) for van in fleet.machines] == ["2099.1.0", __version__, __version__]
    for van in fleet.machines:
        capture_id, kept = before[van.name]
        assert f"{capture_id}.rec" in kept
        assert kept.items() <= records(van).items(), "a record was touched"


def test_next_run_finishes_the_rollout_and_serves_a_press(fleet: DeployedMachines) -> None:
    fleet.machines[1].run("systemctl", "reload", "nftables")
    made, van, pressed = fleet.release("2099.1.0"), fleet.machines[2], list[str]()

    def act() -> None:
        until(lambda: _serves(van, "2099.1.0"), 600.0, every_s=0.5)
        assert _is_tried(van)
        pressed.append(press(van))

    with meanwhile(act):
        told = fleet.deploy(made, "--retry", "--wave", "2", *ANYWAY)

    assert told.exit_code == 0, told.output
    assert {name: row[0] for name, row in told.rows.items()} == {"van-2": "done", "van-3": "done"}
    assert "the trial before was rolled back: sync had no contact" in told.rows["van-2"][1]
    assert [runs(van) for van in fleet.machines] == ["2099.1.0"] * 3
    assert f"{pressed[0]}.rec" in records(van)


def test_device_with_the_release_is_done_and_does_not_change(
    fleet: DeployedMachines,
) -> None:
    press(fleet.machines[0])

    told = fleet.deploy(fleet.release("2099.1.0"))

    assert told.exit_code == 0, told.output
    assert {row[0] for row in told.rows.values()} == {"done"}
    assert set(told.changed.values()) == {0}, told.output


def test_release_that_cannot_say_its_version_is_not_started(
    fleet: DeployedMachines,
) -> None:
    before = runs(fleet.machines[0])

    told = fleet.deploy(fleet.release("2099.1.1", NO_IMPORT), "van-1", *ANYWAY)

    verdict, todo = told.rows["van-1"]
    assert (told.exit_code != 0, verdict) == (True, "not done"), told.output
    assert "could not be installed, and what ran before goes on" in todo
    assert "No module named 'nothing'" in todo
    assert runs(fleet.machines[0]) == before


def test_each_way_to_fail_ends_with_the_release_before(fleet: DeployedMachines) -> None:
    broken = {
        "van-1": ("2099.1.2", NO_CAPTURE, "capture ended, and was started again"),
        "van-2": ("2099.1.3", NEVER_READY, "capture does not start"),
        "van-3": ("2099.1.4", NO_CONTACT, "sync had no contact with the backend"),
    }
    made = {name: fleet.release(version, edit) for name, (version, edit, _) in broken.items()}
    before = [runs(van) for van in fleet.machines]

    with ThreadPoolExecutor(3) as pool:
        told = dict(
            zip(
                made,
                pool.map(lambda name: fleet.deploy(made[name], name, *ANYWAY), made),
                strict=True,
            )
        )

    for name, (_, _, words) in broken.items():
        verdict, todo = told[name].rows[name]
        assert verdict == "rolled back", told[name].output
        assert words in todo
    assert [runs(van) for van in fleet.machines] == before
    for van in fleet.machines:
        press(van)


def test_device_whose_ssh_is_cut_goes_back_by_itself(fleet: DeployedMachines) -> None:
    van = fleet.machines[2]
    before = runs(van)
    cut = "nft insert rule inet doorstep input tcp dport 22 drop"

    with meanwhile(once_tried(van, cut)):
        told = fleet.deploy(fleet.release("2099.1.4", NO_CONTACT), van.name, *ANYWAY)

    verdict, todo = told.rows[van.name]
    assert (told.exit_code != 0, verdict) == (True, "not reached"), told.output
    assert "it goes on or back by itself" in todo
    assert runs(van) == before
    van.run("systemctl", "reload", "nftables")


INSTALLED = "/opt/doorstep/releases/2099.1.5"

STEPS: dict[str, Callable[[Machine], bool]] = {
    "the release is being copied": lambda van: _exists(van, "/opt/doorstep/release.tar"),
    "it is being installed": lambda van: _exists(van, f"{INSTALLED}/bin/pip"),
    "it is installed": lambda van: _exists(van, f"{INSTALLED}/.complete"),
    "it is to be tried": lambda van: _exists(van, "/run/doorstep-trial.json"),
    "the trial has begun": lambda van: _exists(van, "/run/doorstep-trial.begun"),
    "the way back is known": lambda van: _exists(van, "/opt/doorstep/previous"),
    "it is current": lambda van: _current(van) == "2099.1.5",
    "its capture runs": lambda van: _current(van) == "2099.1.5" and _serves(van, "2099.1.5"),
    "the result is written": lambda van: '"done"' in _text(van, "/opt/doorstep/trial.json"),
    "the trial is over": lambda van: _current(van) == "2099.1.5" and not _is_tried(van),
}
"""Conditions at which the power is cut."""

INSTALLS = ("the release is being copied", "it is being installed", "it is installed")
"""Steps that a device does not take alone: the whole deploy runs."""

STAYS = ("the trial is over",)

EITHER = ("the result is written",)
"""Two writes are this close together: the release that runs is the one that the last one says."""


def _exists(van: Machine, path: str) -> bool:
    return os.path.lexists(van.path(path))


def _text(van: Machine, path: str) -> str:
    try:
        return van.path(path).read_text()
    except OSError:
        return ""


def _current(van: Machine) -> str:
    return van.path("/opt/doorstep/current").readlink().name


def _serves(van: Machine, version: str) -> bool:
    said = van.run("doorstep", "status", "--json", check=False).stdout
    return bool(said) and json.loads(said)["agent"] == version and json.loads(said)["capture"]


def _is_tried(van: Machine) -> bool:
    marks = ("/opt/doorstep/previous", "/run/doorstep-trial.json", "/run/doorstep-trial.begun")
    return any(_exists(van, mark) for mark in marks)


@pytest.mark.parametrize("step", STEPS)
def test_power_cut_at_any_step_leaves_one_release_whole(
    fleet: DeployedMachines, network: Network, van: Machine, step: str
) -> None:
    made, kept = fleet.release("2099.1.5"), records(van)
    if runs(van) == "2099.1.5":
        go_back(van, "/opt/doorstep/releases/2099.1.0")
    van.path("/opt/doorstep/trial.json").unlink(missing_ok=True)
    if step in INSTALLS:
        van.run("rm", "-rf", INSTALLED)
    is_installed = _exists(van, f"{INSTALLED}/.complete")
    command = [str(REPOSITORY / "scripts/deploy"), "-i", str(fleet.file), str(made), van.name]
    environment = {**os.environ, "DOORSTEP_PROVISION_DIR": str(fleet.file.parent)}
    running = None
    if is_installed:
        van.run(*TRIAL, "ask", INSTALLED, str(WATCH_S))
    else:
        running = subprocess.Popen(
            [*command, *ANYWAY], env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
    until(lambda: STEPS[step](van), 300.0, every_s=0.001)

    van.stop()
    if running:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    network.pull_out(van.name)
    van.start(network)

    wanted = {"2099.1.5"} if step in STAYS else {"2099.1.0"}
    assert runs(van) in (wanted | {"2099.1.5"} if step in EITHER else wanted)
    assert f"{press(van)}.rec" in records(van)
    assert kept.items() <= records(van).items(), "a record was touched"


def test_next_deploy_after_power_cuts_finishes(fleet: DeployedMachines, van: Machine) -> None:
    go_back(van, "/opt/doorstep/releases/2099.1.0")

    told = fleet.deploy(fleet.release("2099.1.5"), van.name, *ANYWAY)

    assert told.exit_code == 0, told.output
    assert told.rows[van.name][0] == "done"
    assert runs(van) == "2099.1.5"


def test_trial_that_is_killed_goes_back(fleet: DeployedMachines) -> None:
    van = fleet.machines[1]
    before = runs(van)
    kill = "systemctl kill --signal=KILL doorstep-trial.service"

    with meanwhile(once_tried(van, kill)):
        told = fleet.deploy(fleet.release("2099.1.5"), van.name, *ANYWAY)

    verdict, todo = told.rows[van.name]
    assert verdict == "rolled back"
    assert todo.startswith("the trial itself ended before its time")
    assert runs(van) == before


def test_second_deploy_and_provisioning_leave_a_trial_alone(fleet: DeployedMachines) -> None:
    van, other = fleet.machines[1], fleet.release("2099.1.0")
    told: list[RunResult] = []

    def act() -> None:
        until(lambda: _exists(van, "/opt/doorstep/previous"), 300.0, every_s=0.1)
        told.append(fleet.deploy(other, van.name, *ANYWAY))
        told.append(provision(fleet.file, van.name, *ANYWAY))

    with meanwhile(act):
        first = fleet.deploy(
            fleet.release("2099.1.5"), van.name, "--", "-e", "deploy_watch_s=60", *ANYWAY[3:]
        )

    assert first.rows[van.name][0] == "done", first.output
    for one in told:
        verdict, todo = one.rows[van.name]
        assert verdict == "not done"
        assert "a release is being tried on it, and it was not touched" in todo


def test_earlier_release_runs_on_the_database_of_a_later_one(
    fleet: DeployedMachines, van: Machine
) -> None:
    """A queue with an added table is set aside, and made again from the files.

    Both speak to the same backend. A deploy of the older one is refused by that one's doctor.
    """
    told = fleet.deploy(fleet.release("2099.1.6", ADDS_A_TABLE), van.name, *ANYWAY)
    assert told.exit_code == 0, told.output
    by_the_new = press(van)
    van.run("doorstep", "sync", "--once")

    told = fleet.deploy(fleet.release("2099.1.5"), van.name, *ANYWAY)

    verdict, todo = told.rows[van.name]
    assert verdict == "not done", told.output
    assert "its schema is not what Doorstep made: 'more'" in todo
    go_back(van, "/opt/doorstep/releases/2099.1.5")
    assert runs(van) == "2099.1.5"
    by_the_old = press(van)
    assert {f"{by_the_new}.rec", f"{by_the_old}.rec"} <= records(van).keys()
    van.run("doorstep", "sync", "--once")
    status = json.loads(van.run("doorstep", "status", "--json").stdout)
    assert status["queue"]["waiting"] == 0
    assert status["queue"]["damaged"] == 0


def test_unfit_device_is_reported_in_a_sentence_and_not_touched(fleet: DeployedMachines) -> None:
    one, two, three = fleet.machines
    supply = "mount -t tmpfs none /sys/class/power_supply && mkdir /sys/class/power_supply/ac"
    tell = (
        "echo Mains >/sys/class/power_supply/ac/type && echo 0 >/sys/class/power_supply/ac/online"
    )
    one.run("sh", "-c", f"{supply} && {tell}")
    others = 'cd /opt/doorstep/releases && ls -d $PWD/* | grep -vx "$(readlink ../current)"'
    two.run("sh", "-c", f"{others} | xargs rm -rf")
    small = "mount -t tmpfs -o size=500M none /mnt && cp -a /opt/. /mnt && mount --move /mnt /opt"
    two.run("sh", "-c", small)
    hosts = {**fleet.hosts, "stranger": {"ansible_host": three.address}}
    hosts["van-3"] = {**fleet.hosts["van-3"], "ansible_host": "10.77.1.99"}
    tokens = fleet.office.folder / "tokens-0"
    inventory(fleet.office, tokens, hosts)
    before = [van.files() for van in fleet.machines]
    try:
        told = fleet.deploy(fleet.release("2099.1.1", NO_IMPORT), *ANYWAY)
    finally:
        inventory(fleet.office, tokens, fleet.hosts)
        one.run("umount", "/sys/class/power_supply")
        two.run("umount", "--lazy", "/opt")

    words = {
        "van-1": "it runs on its battery: put it into its cradle",
        "van-2": "MB are needed for a second release",
        "van-3": "does not answer",
        "stranger": "it is van-3 already, and not stranger",
    }
    for name, text in words.items():
        assert text in told.rows[name][1], told.output
        assert len(told.rows[name][1]) < 300
    assert told.exit_code != 0
    assert [
        van.files().keys() - seen.keys() for van, seen in zip(fleet.machines, before, strict=True)
    ] == [set()] * 3


def test_release_for_another_architecture_touches_nothing(
    fleet: DeployedMachines, van: Machine
) -> None:
    made = fleet.release("2099.1.0")
    other = fleet.folder / "arm" / "2099.1.8"
    other.mkdir(parents=True)
    (other / "arm64.tar").write_bytes((made / "amd64.tar").read_bytes())
    (other / "SHA256SUMS").write_text((made / "SHA256SUMS").read_text().replace("amd64", "arm64"))

    told = fleet.deploy(other, van.name)

    assert told.exit_code == 2
    assert "arm64.tar has wheels of another architecture" in told.output
