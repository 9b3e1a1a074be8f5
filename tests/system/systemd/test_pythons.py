"""Every Python that root or another user starts loads no module from where it is started.

Each place runs `python -I` with an absolute path; one without `-I` has its reason in `EXCUSED`. A
new script is in `SCRIPTS` of `commands.py`; a test finds Ansible's tasks by itself.
"""

import re

import pytest
import yaml

from tests.support.backend import REPOSITORY
from tests.system.systemd.commands import tasks_of
from tests.system.systemd.pythons import ROLES, places, starts

SCRIPTS = "scripts/provisioning"

_OFFICE = "the caller's own environment; -P leaves the current folder out, PYTHONPATH is this clone"
_CLONE = "runs this clone's own tests: the current folder is the clone"
_ANSIBLE = "Ansible hands on no -I; each play sets connection_python, as a test here says"
_NO_START = "names Python, and starts none"

EXCUSED = {
    ("scripts/arm64.sh", "-m pytest"): _CLONE,
    ("scripts/bench", "-P -m tests.bench"): _OFFICE,
    ("scripts/conformance", "-P -m tests.conformance"): _OFFICE,
    ("scripts/demo", "-P -m tests.demo"): _OFFICE,
    ("scripts/help.sh", '-P -m "$module"'): _OFFICE,
    ("scripts/test", "-m tests."): _CLONE,
    ("scripts/test", "-m coverage run"): _CLONE,
    ("scripts/test", "-m pytest"): _CLONE,
    (f"{SCRIPTS}/ansible.cfg", "interpreter_python ="): _ANSIBLE,
    (f"{SCRIPTS}/connection.yml", "ansible_python_interpreter:"): _ANSIBLE,
    (f"{SCRIPTS}/collect-logs.yml", "ansible_python_interpreter:"): _ANSIBLE,
    (f"{SCRIPTS}/site.yml", "ansible_python_interpreter:"): _ANSIBLE,
    (f"{ROLES}/doorstep_preflight/tasks/look.yml", "ansible_python_interpreter:"): _ANSIBLE,
    (f"{ROLES}/doorstep_system/tasks/identity.yml", "ansible_python_interpreter:"): _ANSIBLE,
    (f"{SCRIPTS}/collect.sh", "python3-numpy"): _NO_START,
    (f"{SCRIPTS}/inventory.py", "with_name("): _NO_START,
    (f"{ROLES}/doorstep_preflight/files/look-as-root.sh", "[ -x "): _NO_START,
    (f"{ROLES}/doorstep_preflight/files/look.sh", "command -v"): _NO_START,
    (f"{ROLES}/doorstep_preflight/tasks/main.yml", "apt-get install"): _NO_START,
}
"""Places without -I: a file, a part of the line, and why."""


def _excuses(file: str, line: str) -> set[tuple[str, str]]:
    return {one for one in EXCUSED if one[0] == file and one[1] in line}


def test_every_place_that_starts_python_is_isolated() -> None:
    """Python would run files of another user from a current folder, a home or a variable."""
    found = places()
    open_ones = [one for one in found if not one.is_isolated and not _excuses(one.file, one.line)]

    assert len(found) > 60
    assert open_ones == []


def test_no_excuse_outlives_its_place() -> None:
    used = [_excuses(one.file, one.line) for one in places() if not one.is_isolated]

    assert set(EXCUSED) - set().union(*used) == set()


@pytest.mark.parametrize(
    "line",
    [
        "ExecStart=/opt/doorstep/current/bin/python -m agent capture",
        "ExecStart=/usr/bin/python3 /usr/local/lib/doorstep/trial run",
        'echo "device=$(python3 -c pass)"',
        '"$release/bin/pip" install --quiet wheel',
        '"$release/bin/python" -c pass',
        '"$base" -m venv "$venv"',
        '"${PYTHON:-python3}" tool.py',
        "/opt/doorstep/current/bin/python - name <<'PYTHON'",
        'argv: ["{{ ansible_playbook_python }}", "keep_logs.py"]',
        '[sys.executable, "-m", "agent"]',
    ],
)
def test_place_without_isolation_is_found(line: str) -> None:
    assert [is_isolated for _, is_isolated in starts(line)] == [False]


@pytest.mark.parametrize(
    "line",
    ["/usr/bin/python3 -IB trial run", '"$x/bin/python" -I -m pip', "timeout 9 doorstep status"],
)
def test_place_with_isolation_is_found(line: str) -> None:
    assert [is_isolated for _, is_isolated in starts(line)] == [True]


@pytest.mark.parametrize("unit", ["capture", "sync", "serve"])
def test_unit_starts_its_process_isolated_in_a_folder_of_root(unit: str) -> None:
    lines = (REPOSITORY / f"systemd/doorstep-{unit}.service").read_text().splitlines()
    program = "/opt/doorstep/current/bin/python -I -X faulthandler -m agent"

    assert [one for one in lines if one.startswith("Exec")] == [f"ExecStart={program} {unit}"]
    assert "WorkingDirectory=/" in lines
    assert not [one for one in lines if re.match(r"Environment=PYTHON", one)]  # -I ignores it


def test_command_of_a_release_is_isolated_before_its_first_start() -> None:
    """pip writes `doorstep` with a first line without -I."""
    script = REPOSITORY / ROLES / "doorstep_agent/files/install-release.sh"
    lines = script.read_text().splitlines()
    isolates = lines.index("""sed -i '1s/$/ -I/' "$release/bin/doorstep\"""")
    installs = next(at for at, one in enumerate(lines) if "-m pip install" in one)
    begins = [at for at, one in enumerate(lines) if '"$release/bin/doorstep" ' in one]

    assert installs < isolates < min(begins)


ON_THE_OFFICES_COMPUTER = {
    *("assert", "fail", "set_fact", "set_stats", "group_by", "include_tasks", "include_role"),
    "raw",  # a shell on the device, and no Python
}


@pytest.mark.parametrize("playbook", ["site", "deploy", "collect-logs"])
def test_play_keeps_the_current_folder_from_ansibles_python(playbook: str) -> None:
    """As root it starts in the user's home, and reads its program from standard input.

    The plays that set no environment look only: Ansible warns of it at each `raw`.
    """
    plays = yaml.safe_load((REPOSITORY / SCRIPTS / f"{playbook}.yml").read_text())
    without = {one["name"] for one in plays if "environment" not in one}

    assert {one["environment"] for one in plays if one["name"] not in without} == {
        "{{ connection_python }}"
    }
    assert without <= {"Look at each device, and refuse what must not be touched", "Judge"}


def test_read_only_plays_start_no_ansible_python_on_a_device() -> None:
    looking = ["doorstep/main", *(f"doorstep_preflight/{one}" for one in ("main", "look", "use"))]
    looking += ["doorstep_deploy/look", "doorstep_deploy/judge"]

    for name in looking:
        for task in tasks_of(REPOSITORY / ROLES / f"{name.replace('/', '/tasks/')}.yml"):
            modules = {one.rpartition(".")[2] for one in task if one.startswith("ansible.")}

            assert modules <= ON_THE_OFFICES_COMPUTER or task["delegate_to"] == "localhost", task


def test_ansibles_python_ignores_folder_home_and_variables() -> None:
    said = yaml.safe_load((REPOSITORY / SCRIPTS / "connection.yml").read_text())

    assert said["connection_python"] == {
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": "",
    }
