"""Checks of `scripts/provision` and `scripts/deploy` before they reach a device."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.backend import REPOSITORY
from tests.system.machines.playbooks import make_release

INVENTORY = """
all:
  vars:
    ansible_ssh_common_args: -o ProxyCommand=false
    doorstep_backend_url: https://pod.example.com
    doorstep_office_networks: [192.0.2.0/24]
  hosts:
    van-1: {ansible_host: 192.0.2.1}
"""
"""Nothing is reached, whatever goes wrong here."""

SEE_HELP = "see scripts/deploy --help"


def _ran(folder: Path, text: str, *words: str, command: str = "provision") -> tuple[int, list[str]]:
    """Run it with this environment's Ansible; return its exit code and its lines."""
    (folder / "fleet.yml").write_text(text)
    for name in ("fleet-ca.pem", "fleet-key.pem"):
        (folder / name).touch()
    wanted = (REPOSITORY / "scripts/provisioning/controller.txt").read_bytes()
    stamp = subprocess.run(["cksum"], input=wanted, capture_output=True, check=True)
    venv = folder / "venv"
    if not venv.exists():
        venv.mkdir()
        (venv / "bin").symlink_to(Path(sys.executable).parent)
    (venv / "doorstep.stamp").write_bytes(stamp.stdout)
    own = {"DOORSTEP_PROVISION_VENV": str(venv), "DOORSTEP_PROVISION_DIR": str(folder / "kept")}
    own |= {"COLUMNS": "10000", "ANSIBLE_LOCAL_TEMP": str(folder / "temporary")}
    ran = subprocess.run(
        [REPOSITORY / "scripts" / command, *words],
        cwd=folder,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran.returncode, (ran.stdout + ran.stderr).splitlines()


def _listed(folder: Path, name: str = "retry.txt", version: str = "") -> list[str]:
    """Return the devices that a list names."""
    first, *hosts = (folder / "kept" / name).read_text().splitlines()
    assert first == f"# for {version}{folder / 'fleet.yml'}"
    return hosts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (INVENTORY.replace("hosts:", "hosts"), "fleet.yml, line 8: cannot be read: Colons"),
        ("all:\n  hosts: [van-1]\n", 'fleet.yml: cannot be read: Invalid "hosts" entry'),
        ("all:\n  vars: {ansible_user: pi}\n", "fleet.yml: it names no device"),
    ],
)
def test_unreadable_inventory_is_reported_and_not_run(
    tmp_path: Path, text: str, words: str
) -> None:
    code, said = _ran(tmp_path, text, "van-1")

    assert code == 2
    assert len(said) == 1, said
    assert said[0].startswith(words)
    assert said[0].endswith("correct it; nothing was touched")


def test_device_that_the_inventory_lacks_is_reported(tmp_path: Path) -> None:
    code, said = _ran(tmp_path, INVENTORY, "van-1", "van-2")

    assert (code, said) == (2, ["van-2: fleet.yml has no such device; nothing was touched"])


@pytest.mark.slow
def test_table_has_all_faults_of_an_inventory(tmp_path: Path) -> None:
    settings = "{doorstep_timezon: UTC, doorstep_backend_url: , doorstep_state_mb: lots}"
    hosts = f"    van-1: {{ansible_host: 192.0.2.1}}\n    van-2: {settings}\n"
    hosts += "    van-3: {doorstep_config: {camara: {mains_hz: 50}}}\n"
    hosts += "    van-4: {doorstep_config: {camera: {mains_hz: 5}}, doorstep_device_id: 42}\n"

    code, said = _ran(tmp_path, INVENTORY.partition("    van-1")[0] + hosts)

    rows = {
        row[0]: row[3]
        for row in (re.split(r"\s{2,}", line, maxsplit=3) for line in said)
        if row[3:]
    }
    refusals = [line for line in said if line.startswith("fatal: [van-3]: ")]
    assert [line.partition("]: ")[2] for line in refusals] == [rows["van-3"]]
    assert code != 0
    assert "SSH" in rows["van-1"] or "does not answer" in rows["van-1"], "it is fit"
    assert "doorstep_timezon: there is no such setting; did you mean" in rows["van-2"]
    assert "doorstep_backend_url: missing" in rows["van-2"]
    assert 'doorstep_state_mb: "lots" must be a whole number' in rows["van-2"]
    assert "camara: unknown setting; did you mean camera?" in rows["van-3"]
    assert "camera.mains_hz: 5 is not 0" in rows["van-4"]
    assert _listed(tmp_path) == ["van-1", "van-2", "van-3", "van-4"]


def test_run_of_one_device_leaves_the_others_in_the_list(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "retry.txt").write_text("van-2\nvan-9\n")

    _, said = _ran(tmp_path, INVENTORY + "    van-2: {ansible_host: 192.0.2.2}\n", "van-1")

    assert _listed(tmp_path) == ["van-1", "van-2"]
    assert said[-1].endswith("scripts/provision -i fleet.yml --retry")


def test_run_that_breaks_off_reports_no_earlier_run(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "retry.txt").write_text("van-1\n")

    code, said = _ran(tmp_path, INVENTORY, "--", "--no-such-option")

    assert code != 0
    assert not [line for line in said if "--retry" in line]


def test_option_without_its_value_is_refused_with_an_example(tmp_path: Path) -> None:
    assert _ran(tmp_path, INVENTORY, "-i") == (
        2,
        ["-i needs a file: scripts/provision -i fleet.yml"],
    )


def test_retry_needs_a_run_before(tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    assert _ran(tmp_path, INVENTORY, "--retry") == (
        2,
        ["No run has come to its end yet: leave --retry out"],
    )
    kept.mkdir()
    (kept / "retry.txt").touch()
    assert _ran(tmp_path, INVENTORY, "--retry") == (
        0,
        ["Nothing to do: the last run left no device to try again."],
    )


def _release(folder: Path) -> Path:
    """Make the folder of a valid release with empty files."""
    names = ("doorstep-2026.12.0-py3-none-any.whl", "units/doorstep-capture.service", "SHA256SUMS")
    return make_release(folder, dict.fromkeys(names, ""))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Which release? scripts/deploy VERSION"),
        (("--wave", "1,half", "1"), "--wave needs numbers or percentages: --wave 1,5%,25%,100%"),
        (("--max-failures", "few", "1"), "--max-failures needs a number: --max-failures 1"),
        (
            ("--now", "1"),
            f"--now is not an option here; after -- it goes to ansible-playbook; {SEE_HELP}",
        ),
        (("--retry", "1"), "No run has come to its end yet: leave --retry out"),
        (("1", "van-9"), "van-9: fleet.yml has no such device; nothing was touched"),
    ],
)
def test_wrong_call_of_deploy_is_reported(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert _ran(tmp_path, INVENTORY, *words, command="deploy") == (2, [said])


def test_missing_or_incomplete_release_reaches_no_device(tmp_path: Path) -> None:
    code, said = _ran(tmp_path, INVENTORY, "2026.99.0", command="deploy")
    assert (code, len(said)) == (2, 1)
    assert said[0].startswith("2026.99.0: there is no such release at ")
    place = _release(tmp_path)
    with (place / "amd64.tar").open("ab") as tar:
        tar.write(b"one more")

    code, said = _ran(tmp_path, INVENTORY, str(place), command="deploy")

    words = "2026.12.0: amd64.tar is not what SHA256SUMS says: copy it again"
    assert (code, said) == (2, [words])


def test_deploy_has_a_list_of_its_own(tmp_path: Path) -> None:
    """A deploy keeps the list of devices that provisioning still has to do."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "retry.txt").write_text("van-9\n")

    code, said = _ran(tmp_path, INVENTORY, str(_release(tmp_path)), command="deploy")

    assert code != 0
    assert [line.split()[:4] for line in said if line.startswith("van-1 ")][-1][2] == "not"
    assert said[-1].endswith(f"scripts/deploy -i fleet.yml --retry {tmp_path / '2026.12.0'}")
    assert _listed(tmp_path, "retry-deploy.txt", "2026.12.0 and ") == ["van-1"]
    assert (kept / "retry.txt").read_text() == "van-9\n"


@pytest.mark.parametrize("names", ["van-1\n", ""])
def test_list_is_not_tried_again_with_another_version(tmp_path: Path, names: str) -> None:
    """An empty list of another version is refused too."""
    kept, fleet = tmp_path / "kept", tmp_path / "fleet.yml"
    kept.mkdir()
    (kept / "retry-deploy.txt").write_text(f"# for 2026.11.9 and {fleet}\n{names}")

    ran = _ran(tmp_path, INVENTORY, "--retry", str(_release(tmp_path)), command="deploy")

    words = (
        f"--retry has those of the last run, which was for 2026.11.9 and {fleet}; this is for"
        f" 2026.12.0 and {fleet}: say the same as then, or leave --retry out; nothing was touched"
    )
    assert ran == (2, [words])


def test_list_is_not_tried_again_with_another_inventory(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "retry.txt").write_text("# for /elsewhere/fleet.yml\nvan-1\n")

    code, said = _ran(tmp_path, INVENTORY, "--retry")

    assert (code, len(said)) == (2, 1)
    assert "which was for /elsewhere/fleet.yml; this is for" in said[0]


@pytest.mark.slow
def test_devices_that_a_run_left_are_tried_again(tmp_path: Path) -> None:
    """No other device is tried; the inventory may be named by another path."""
    hosts = INVENTORY + "    van-2: {ansible_host: 192.0.2.2}\n"
    release = str(_release(tmp_path))
    _ran(tmp_path, hosts, release, "van-1", command="deploy")

    _, said = _ran(
        tmp_path,
        hosts,
        "-i",
        "../" + tmp_path.name + "/fleet.yml",
        "--retry",
        release,
        command="deploy",
    )

    assert [line.split()[0] for line in said if " not reached " in line] == ["van-1"]


@pytest.mark.parametrize(
    ("known", "offered", "code"),
    [
        ("", "NONE", 0),  # before the device has said anything
        ("", "SHA256:given", 0),
        ("", "SHA256:other", 1),
        ("van-1 ssh-ed25519 A\n", "SHA256:other", 1),
        ("van-1 ssh-ed25519 A\nvan-1 ssh-rsa B\n", "SHA256:other", 0),
    ],
)
def test_host_key_must_be_the_given_one_until_a_run_has_made_new_ones(
    tmp_path: Path, known: str, offered: str, code: int
) -> None:
    """A run without `doorstep_host_key` has learnt one key, of which nobody knows whose it is."""
    file = tmp_path / "van-1"
    if known:
        file.write_text(known)

    script = REPOSITORY / "scripts" / "provisioning" / "host-key.sh"
    asked = subprocess.run(["/bin/sh", script, file, "SHA256:given", offered], check=False)

    assert asked.returncode == code


def test_waves_of_a_deploy_are_in_the_inventorys_order() -> None:
    """A group made during a play would have the hosts in the order of their answers."""
    plays = yaml.safe_load((REPOSITORY / "scripts/provisioning/deploy.yml").read_text())

    (rolling,) = [play for play in plays if "serial" in play]

    assert rolling["hosts"] == "all:&deploy_wanted"
