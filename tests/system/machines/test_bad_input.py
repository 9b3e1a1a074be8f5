"""A device that cannot be set up is reported and left as it was; the next run finishes it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.system.machines.image import KEPT, STRANGER, image
from tests.system.machines.machine import Machine, machines
from tests.system.machines.network import Network
from tests.system.machines.office import Office
from tests.system.machines.run import SIMULATED, RunResult, inventory, provision

pytestmark = pytest.mark.provision

TROUBLED = {
    "debian-12": "not what Doorstep runs on",
    "wrong-key": "does not accept the key",
    "wrong-host-key": "and not doorstep_host_key",
    "no-sudo": "may not become root",
    "full-card": "MB left",
    "wrong-clock": "its clock says 1971",
    "wrong-config": "configuration does not check",
}
"""Words of the table about each machine."""

GONE = "10.77.1.99"
"""An address without a device."""

NOBODYS = f"SHA256:{'A' * 43}"
"""The fingerprint of a key that no machine has."""

CLOCK = """#!/bin/sh
case "$*" in
    *-s*) echo 'date: cannot set date: Operation not permitted' >&2; exit 1 ;;
    +%s) echo 31540000 ;;
    *) exec /usr/bin/date "$@" ;;
esac
"""
"""A clock at 1971 that cannot be set: a machine's own is this host's, so that `date` lies."""


@dataclass(frozen=True, slots=True)
class Story:
    machines: dict[str, Machine]
    before: dict[str, dict[str, int]]
    after: dict[str, dict[str, int]]
    runs: list[RunResult]


@pytest.fixture(scope="module")
def story(network: Network, at_the_office: Office) -> Iterator[Story]:
    names = (*TROUBLED, "fine")
    with machines(network, image(prepared=True), KEPT / "bad-input", *names) as made:
        by_name = {one.name: one for one in made}
        _make_trouble(by_name)
        before = {name: one.files() for name, one in by_name.items()}
        tokens = at_the_office.tokens(*names, "gone", "twins")
        hosts: dict[str, dict[str, object]] = {
            one.name: {"ansible_host": one.address} for one in made
        }
        trouble: dict[str, dict[str, object]] = {
            **hosts,
            "gone": {"ansible_host": GONE},
            "twin-1": {"ansible_host": GONE, "doorstep_device_id": "twins"},
            "twin-2": {"ansible_host": GONE, "doorstep_device_id": "twins"},
        }
        trouble["wrong-host-key"] = {**hosts["wrong-host-key"], "doorstep_host_key": NOBODYS}
        hosts["wrong-host-key"]["doorstep_host_key"] = by_name["wrong-host-key"].fingerprint()
        trouble["no-sudo"] = {**hosts["no-sudo"], "ansible_user": STRANGER}
        wrong = {**SIMULATED, "camera": {"kind": "polaroid"}}
        trouble["wrong-config"] = {**hosts["wrong-config"], "doorstep_config": wrong}
        first = provision(inventory(at_the_office, tokens, trouble))
        after = {name: one.files() for name, one in by_name.items()}
        _mend(by_name)
        second = provision(inventory(at_the_office, tokens, hosts))
        yield Story(by_name, before, after, [first, second])


@pytest.mark.parametrize(("name", "words"), TROUBLED.items())
def test_trouble_is_reported_in_one_sentence(story: Story, name: str, words: str) -> None:
    verdict, todo = story.runs[0].rows[name]
    assert verdict in {"not done", "not reached"}
    assert words in todo
    assert "Traceback" not in todo
    assert len(todo) < 300, todo


def test_missing_device_is_reported_as_not_reached(story: Story) -> None:
    verdict, todo = story.runs[0].rows["gone"]
    assert verdict == "not reached"
    assert "does not answer" in todo


def test_two_devices_with_one_name_are_both_refused(story: Story) -> None:
    said = [line for line in story.runs[0].output.splitlines() if "have one device id" in line]
    assert len([line for line in said if line.lstrip().startswith("twin")]) == 2


def test_trouble_stops_no_other_device(story: Story) -> None:
    assert story.runs[0].exit_code != 0
    assert story.runs[0].rows["fine"][0] == "ready", story.runs[0].output
    assert "/etc/doorstep/config.toml" in story.after["fine"], "else the next test sees nothing"


@pytest.mark.parametrize("name", TROUBLED)
def test_refused_machine_is_as_it_was(story: Story, name: str) -> None:
    appeared = story.after[name].keys() - story.before[name].keys()
    assert not {path for path in appeared if not path.startswith("/home/")}


def test_second_run_finishes_all(story: Story) -> None:
    second = story.runs[1]
    assert second.exit_code == 0, second.output
    assert {row[0] for row in second.rows.values()} == {"ready"}
    assert set(second.rows) == {*TROUBLED, "fine"}


def _make_trouble(by_name: dict[str, Machine]) -> None:
    by_name["debian-12"].run("sed", "-i", "s/13/12/; s/trixie/bookworm/", "/usr/lib/os-release")
    by_name["wrong-key"].run("mv", "/home/tech/.ssh/authorized_keys", "/home/tech/.ssh/aside")
    by_name["full-card"].run("sh", "-c", "mkdir -p /opt && mount -t tmpfs -o size=200M full /opt")
    clock = by_name["wrong-clock"].path("/usr/local/bin/date")
    clock.write_text(CLOCK)
    clock.chmod(0o755)


def _mend(by_name: dict[str, Machine]) -> None:
    by_name["debian-12"].run("sed", "-i", "s/12/13/; s/bookworm/trixie/", "/usr/lib/os-release")
    by_name["wrong-key"].run("mv", "/home/tech/.ssh/aside", "/home/tech/.ssh/authorized_keys")
    by_name["full-card"].run("umount", "/opt")
    by_name["wrong-clock"].path("/usr/local/bin/date").unlink()
