"""A roll-out whose release changes in its folder between two waves: it ends there."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.system.machines.playbooks import PROVISIONING, VERSION, make_release, played

pytestmark = pytest.mark.slow

DEVICES: Final = ("van-1", "van-2", "van-3")


def _release(folder: Path, build: str) -> Path:
    """Make a whole release of one architecture; another build of the same version differs."""
    files = {
        f"doorstep-{VERSION}-py3-none-any.whl": build,
        "units/doorstep-capture.service": "",
        "SHA256SUMS": build,
    }
    return make_release(folder, files)


def _read(release: Path) -> dict[str, Any]:
    """Return what `scripts/deploy` reads of a release."""
    program = PROVISIONING / "filter_plugins" / "doorstep_release.py"
    ran = subprocess.run(
        [sys.executable, program, release], capture_output=True, text=True, check=True
    )
    return dict(json.loads(ran.stdout or "{}"))


def _roles(folder: Path) -> Path:
    """Copy the role of a deploy without the steps that a device takes."""
    shutil.copytree(PROVISIONING / "roles" / "doorstep_deploy", folder / "doorstep_deploy")
    tasks = folder / "doorstep_deploy" / "tasks"
    for name in ("road", "room", "install"):
        (tasks / f"{name}.yml").write_text(yaml.safe_dump([{"ansible.builtin.debug": None}]))
    outcome = {"verdict": "done", "todo": "it was brought", "counts": False}
    done = [{"ansible.builtin.set_fact": {"doorstep_deploy_outcome": outcome}}]
    (tasks / "try.yml").write_text(yaml.safe_dump(done))
    return folder


def _waves(release: Path, other: Path) -> list[dict[str, Any]]:
    """Write the waves of deploy.yml; after the first, another release takes this one's place."""
    plays = yaml.safe_load((PROVISIONING / "deploy.yml").read_text())
    play = next(one for one in plays if "serial" in one)
    machine = {"architecture": "amd64"}
    play |= {"hosts": "all", "become": False, "roles": ["doorstep_deploy"]}
    play |= {"vars_files": [], "environment": {}}
    play["vars"] = {
        "doorstep_id": "{{ inventory_hostname }}",
        "doorstep_preflight_found": {"release": "2026.11.7"},
        "doorstep_preflight_machine": machine,
        "deploy_release": str(release),
    }
    change = {
        "ansible.builtin.shell": f"cp {other}/amd64.tar {other}/SHA256SUMS {release}/",
        "when": "inventory_hostname == 'van-1'",
    }
    play["post_tasks"] = [*play["post_tasks"], change]
    say = "{{ inventory_hostname }}: {{ doorstep_deploy_outcome.todo | default('not tried') }}"
    told = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.fail": {"msg": f"TOLD {say}"}}],
    }
    return [play, told]


@pytest.mark.parametrize("failures", [0, 99])
def test_release_that_changes_between_two_waves_ends_the_rollout(
    tmp_path: Path, failures: int
) -> None:
    """The next devices would run an untried release, however many may fail in a wave."""
    release = _release(tmp_path, "first")
    (tmp_path / "other").mkdir()
    other = _release(tmp_path / "other", "second")
    (tmp_path / "play.yml").write_text(yaml.safe_dump(_waves(release, other)))
    hosts = {name: {"ansible_connection": "local"} for name in DEVICES}
    (tmp_path / "fleet.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    given = {"deploy_waves": [1], "deploy_max_failures": failures, "deploy_read": _read(release)}
    roles = str(_roles(tmp_path / "roles"))

    said = played(
        tmp_path, tmp_path / "play.yml", "-e", json.dumps(given), ANSIBLE_ROLES_PATH=roles
    )

    told = dict(
        line.partition("TOLD ")[2].split(": ", 1)
        for line in said.splitlines()
        if line.startswith("fatal: ") and "TOLD " in line
    )
    assert set(told) == set(DEVICES), said
    assert told["van-1"] == "it was brought"
    assert "amd64.tar is not what it was when the roll-out began" in told["van-2"]
    assert told["van-3"] == "not tried"
