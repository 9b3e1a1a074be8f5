"""A module that one user plants is run by no process of another, root's included."""

import re
from collections.abc import Iterator

import pytest

from tests.support.waiting import until
from tests.system.systemd import planting
from tests.system.systemd.commands import SCRIPTS, Command, commands
from tests.system.systemd.pythons import ROLES, places
from tests.system.systemd.running import Running, running

pytestmark = [pytest.mark.slow, pytest.mark.alone]

UNITS = ("capture", "sync", "serve")

ASK = ("/usr/bin/python3", "-IB", "/usr/local/lib/doorstep/trial")

TRIAL = f"/opt/doorstep/source/{ROLES}/doorstep_trial/files"

A_RELEASE = f"""
set -e
mkdir -p /usr/local/lib/doorstep /opt/doorstep/releases
cp -r {TRIAL}/trial /usr/local/lib/doorstep/
cp {TRIAL}/doorstep-trial.service /etc/systemd/system/
mkdir /etc/doorstep/new
cp /etc/doorstep/*.* /etc/doorstep/new/
cd /opt/doorstep
mkdir current/units
cp source/systemd/*.service current/units/
touch current/.complete
mv current releases/1
ln -s /opt/doorstep/releases/1 current
systemctl daemon-reload
"""


@pytest.fixture(scope="module")
def device() -> Iterator[Running]:
    """A device on which every user has planted modules wherever it may write."""
    with running() as one:
        one.shell(A_RELEASE)
        folders = planting.plant(one)
        assert "/var/lib/doorstep" in folders["doorstep-capture"]
        assert planting.HOME in folders["tech"]
        yield one


def _as_root(device: Running, words: str, folder: str, variables: str = "") -> str:
    """Ansible runs a task in the home of its user, unless the task names a folder."""
    inside = f"cd {folder or planting.HOME} && export HOME=/root {variables}\n{words}"
    return device.shell(f"{inside}\n", check=False)


def test_every_start_of_python_on_a_device_is_tried_here() -> None:
    here = {one.file for one in commands()} | SCRIPTS
    found = {one.file for one in places() if one.file.startswith(("systemd/doorstep", ROLES))}
    excused = {"look.sh", "install-release.sh", "look.yml", "identity.yml"}
    services = {one for one in found if one.endswith(".service")}

    assert services == {
        *(f"systemd/doorstep-{unit}.service" for unit in UNITS),
        f"{ROLES}/doorstep_trial/files/doorstep-trial.service",
    }
    assert {one for one in found - services - here if one.rpartition("/")[2] not in excused} == {
        f"{ROLES}/doorstep_preflight/tasks/main.yml"  # apt-get install python3
    }


@pytest.mark.parametrize("unit", UNITS)
def test_unit_runs_no_planted_module(device: Running, unit: str) -> None:
    device.run("systemctl", "restart", f"doorstep-{unit}")

    until(lambda: device.shown(unit, "ActiveState") == "active", 60.0, every_s=0.2)
    assert device.shown(unit, "Result") == "success"
    assert planting.ran(device) == []


@pytest.mark.parametrize("variables", ["", f"PYTHONPATH={planting.HOME} PYTHONUSERBASE=/tmp"])
@pytest.mark.parametrize("command", commands(), ids=lambda one: one.name.replace(" ", "_")[:50])
def test_task_runs_no_planted_module(device: Running, command: Command, variables: str) -> None:
    said = _as_root(device, command.words, command.folder, variables)

    assert "No such file" not in said, said
    assert planting.ran(device) == []


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_script_on_the_device_runs_no_planted_module(device: Running, script: str) -> None:
    said = _as_root(device, f"sh /opt/doorstep/source/{script}", "")

    assert len(said) > 100
    assert planting.ran(device) == []


def test_command_as_another_user_runs_no_planted_module(device: Running) -> None:
    """sudo starts a command with that user's home, in the technician's folder."""
    for user in planting.PLANTERS:
        home = device.shell(f"getent passwd {user} | cut -d: -f6")
        for folder in ("/var/lib/doorstep", planting.HOME, "/tmp"):
            words = f"HOME={home} setpriv --reuid={user} --regid=doorstep --init-groups"
            device.shell(f"cd {folder} && {words} doorstep status", check=False)

    assert planting.ran(device) == []


def test_trials_unit_runs_no_planted_module(device: Running) -> None:
    """doorstep-trial.service runs the trial; its outcome depends on how soon capture answers."""
    device.run(*ASK, "ask", "/opt/doorstep/releases/1", "1")
    device.run(*ASK, "wait", "60")

    assert re.search("event=trial release=1 outcome='(done|rolled back)'", device.journal("trial"))
    assert planting.ran(device) == []


def test_process_that_runs_a_planted_module_is_found(device: Running) -> None:
    """The rig finds it with a Python that is not isolated."""
    python = "/opt/doorstep/current/bin/python"
    _as_root(device, f"{python} - <<'PY'\nimport agent\nPY", "/var/lib/doorstep")
    _as_root(device, f"{python} -c 'import tomllib'", "")

    found = planting.ran(device)
    assert {one.by for one in found} == {0}
    assert {one.file for one in found} >= {
        "/var/lib/doorstep/agent/__init__.py",
        f"{planting.HOME}/tomllib.py",
    }
