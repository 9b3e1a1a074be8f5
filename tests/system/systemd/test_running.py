"""Each unit does its work under its own restrictions: systemd is real here, and so are its filters.

A simulated board, and no GPIO: what a device's own parts need is tried in tests/system/qemu.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.waiting import until
from tests.system.systemd.running import Running, running

pytestmark = pytest.mark.slow

DAEMONS = ("capture", "sync", "serve")


@pytest.fixture(scope="module")
def device() -> Iterator[Running]:
    with running() as one:
        yield one


def _pressed(device: Running) -> dict[str, Any]:
    """Press once; return the label. c2pa signs without writing machine code here."""
    reply = json.loads(device.run("doorstep", "capture", "--once"))
    assert reply["record"]["photo"]["credentials"] is True, reply["record"]
    label: dict[str, Any] = reply["label"]
    return label


def test_press_reaches_the_backend(device: Running) -> None:
    capture_id = _pressed(device)["capture_id"]

    received = f"/srv/backend/received/{capture_id}.rec"
    until(lambda: device.shell(f"ls {received} || true").endswith(".rec"), 30.0)


def test_doctor_finds_no_fault(device: Running) -> None:
    said = device.run("doorstep", "doctor", check=False)

    assert "FAILED" not in said, said
    assert "backend        https://10.77.9.1:9443 answers" in said


def test_every_daemon_is_without_capabilities_and_behind_a_filter(device: Running) -> None:
    for unit in DAEMONS:
        status = device.run("cat", f"/proc/{device.shown(unit, 'MainPID')}/status")
        told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

        assert int(told["CapBnd"], 16) == 0
        assert told["NoNewPrivs"] == "1"
        assert told["Seccomp"] == "2"


STATE = "/var/lib/doorstep"
SEES = {
    f"{STATE}/keys/capture": {"capture"},
    f"{STATE}/keys/sync": {"sync"},
    f"{STATE}/keys/serve": {"serve"},
    f"{STATE}/records": {"capture", "sync"},
    f"{STATE}/trust": {"capture", "sync", "serve"},
    "/run/dbus/system_bus_socket": {"capture"},
    "/root": set(),
}
"""Processes that see each folder; all may see the rest of the state."""

WRITES = {
    f"{STATE}": {"capture"},
    f"{STATE}/queue": {"capture", "sync"},
    f"{STATE}/records": {"capture"},
    f"{STATE}/trust": {"capture"},
    "/run/doorstep": {"capture"},
    "/run/doorstep/sync": {"sync"},
    "/tmp": {"capture", "sync", "serve"},
}
"""Processes that can make a file in each folder."""


def test_daemon_sees_what_it_needs(device: Running) -> None:
    found = {path: {one for one in DAEMONS if device.inside(one, "ls", path)} for path in SEES}

    assert found == SEES


def test_daemon_writes_only_where_it_must(device: Running) -> None:
    made = "touch {0}/probe && rm {0}/probe"
    found = {
        path: {one for one in DAEMONS if device.inside(one, made.format(path))} for path in WRITES
    }

    assert found == WRITES


def test_other_folders_are_read_only_even_for_root(device: Running) -> None:
    """The units hold even if the modes of the folders were altered."""
    places = ("/etc", "/opt/doorstep/current", "/run", "/usr", "/var", f"{STATE}/trust")
    for unit in DAEMONS:
        entered = f"nsenter --target={device.shown(unit, 'MainPID')} --mount"
        for place in places[: -1 if unit == "capture" else None]:
            tried = device.shell(f"{entered} touch {place}/probe", check=False)

            assert "Read-only file system" in tried, (unit, place, tried)


def test_broken_queue_is_made_again_behind_the_filter(device: Running) -> None:
    """`RestrictSUIDSGID=` refuses chmod of set-group-id, which the folder needs."""
    device.shell(f"touch {STATE}/queue/strange && systemctl restart doorstep-capture")

    assert "event=queue_set_aside" in device.journal("capture")
    assert device.run("stat", "-c", "%a %U %G", f"{STATE}/queue").split() == [
        "2770",
        "doorstep-capture",
        "doorstep",
    ]
    test_press_reaches_the_backend(device)


def test_capture_starts_also_without_a_state(device: Running) -> None:
    """Capture then shows a fault by its light; systemd retries the other daemons."""
    device.run("systemctl", "stop", *(f"doorstep-{one}" for one in DAEMONS))
    device.shell("systemctl stop var-lib-doorstep.mount && mv /tmp/state.ext4 /tmp/away")
    device.shell("systemctl start --no-block doorstep-capture doorstep-sync")
    until(lambda: device.shown("capture", "ExecMainStatus") == "70", 30.0)
    until(lambda: int(device.shown("sync", "NRestarts")) > 0, 30.0)

    device.shell("mv /tmp/away /tmp/state.ext4 && systemctl start var-lib-doorstep.mount")

    both = ["systemctl", "is-active", "doorstep-capture", "doorstep-sync"]
    until(lambda: device.run(*both, check=False).split() == ["active"] * 2, 60.0, every_s=0.2)


def test_daemons_end_quickly(device: Running) -> None:
    for unit in ("serve", "sync", "capture"):
        device.shell(f"systemctl start doorstep-{unit}; timeout 10 systemctl stop doorstep-{unit}")

        assert device.shown(unit, "Result") == "success"
