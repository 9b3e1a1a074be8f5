"""Privileges of each unit by systemd's own list: none returns unseen.

To permit a unit something, add the line with its reason to the unit, a row to systemd/README.md and
the name to `LEFT` here. Then try camera, pins and gpsd: `scripts/test --device units suites`.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SYSTEMD = Path(__file__).parents[3] / "systemd"

pytestmark = pytest.mark.slow

EVERYWHERE = {"RootDirectoryOrRootImage", "RestrictAddressFamilies_AF_UNIX"}
"""A root of its own would be another system to keep up to date; notify and sockets are AF_UNIX."""

NETWORK = {"PrivateNetwork", "RestrictAddressFamilies_AF_INET_INET6", "IPAddressDeny"}

LEFT = {
    # The clock is asked who vouches for it; who presses by command is told by name
    "capture": EVERYWHERE
    | NETWORK
    | {"RestrictAddressFamilies_AF_NETLINK", "PrivateDevices", "DeviceAllow", "PrivateUsers"}
    | {"ProtectClock", "SystemCallFilter_clock", "SystemCallFilter_privileged"}
    | {"ProcSubset", "UMask"},
    "sync": EVERYWHERE
    | NETWORK
    | {"RestrictAddressFamilies_AF_NETLINK", "ProcSubset", "UMask"}
    | {"ProtectClock", "SystemCallFilter_clock", "SystemCallFilter_privileged"},
    "serve": EVERYWHERE | NETWORK | {"DeviceAllow"},
    "backend@": EVERYWHERE | NETWORK | {"DeviceAllow"},
}
"""DeviceAllow of who has ProtectClock=: systemd lets it read the real-time clock."""

MOST = {"capture": 18, "sync": 15, "serve": 11, "backend@": 11}
"""Highest score of each unit, of 100; 20 is the limit for any of them."""


def _run(*command: str) -> str:
    assert shutil.which(command[0]), f"{command[0]} is missing: apt install systemd"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _file(unit: str) -> Path:
    """Return the file of a unit, of a device or of a server."""
    folder = SYSTEMD.parent / "tests/backend/doorstep_backend" if unit == "backend@" else SYSTEMD
    return folder / f"doorstep-{unit}.service"


def _left(unit: Path) -> set[str]:
    said = _run("systemd-analyze", "security", "--offline=true", "--json=short", str(unit))
    found: list[dict[str, Any]] = json.loads(said)
    return {one["json_field"] for one in found if one["exposure"] and float(one["exposure"]) > 0}


@pytest.mark.parametrize("unit", LEFT)
def test_unit_may_do_what_it_needs_and_no_more(unit: str) -> None:
    assert _left(_file(unit)) == LEFT[unit]


@pytest.mark.parametrize("unit", MOST)
def test_unit_is_exposed_no_more_than_it_was(unit: str) -> None:
    file = str(_file(unit))

    _run("systemd-analyze", "security", "--offline=true", f"--threshold={MOST[unit]}", file)


HARDENS = re.compile(
    r"^(Protect|Private|Restrict[A-Z](?!art)|NoNew|Lock|Memory(Deny)|RemoveIPC|"
    r"SystemCall(Arch|Filter=~)|DevicePolicy|CapabilityBounding)"
)
IMPLIED = {"RestrictSUIDSGID", "NoNewPrivileges", "DevicePolicy"}
"""Where another line says it too."""


@pytest.mark.parametrize("unit", LEFT)
def test_missing_line_of_a_unit_is_found(unit: str, tmp_path: Path) -> None:
    file = _file(unit)
    lines = file.read_text().splitlines()
    hardening = [line for line in lines if HARDENS.match(line)]
    assert len(hardening) >= 18

    unseen = []
    for line in hardening:
        without = tmp_path / file.name
        without.write_text("\n".join(one for one in lines if one != line))
        if _left(without) == LEFT[unit]:
            unseen.append(line.split("=")[0])

    assert set(unseen) <= IMPLIED


def _settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (SYSTEMD / f"doorstep-{unit}.service").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", ["capture", "sync", "serve"])
def test_unit_that_keeps_failing_is_retried_slowly_for_ever(unit: str) -> None:
    said = _settings(unit)

    assert said["StartLimitIntervalSec"] == ["0"]
    assert said["Restart"] == ["always"]
    assert said["RestartSec"] == ["2"]
    assert said["RestartSteps"] == ["6"]
    assert said["RestartMaxDelaySec"] == ["10" if unit == "capture" else "60"]
    assert said["WantsMountsFor"] == ["/var/lib/doorstep"]
    assert "RequiresMountsFor" not in said


@pytest.mark.parametrize("unit", ["capture", "sync", "serve"])
def test_unit_that_hangs_dumps_its_stack_and_logs_are_limited(unit: str) -> None:
    said = _settings(unit)

    assert "-X faulthandler" in said["ExecStart"][0]
    assert said["TimeoutStartFailureMode"] == ["abort"]
    assert said["LogRateLimitBurst"] == ["300"]
    assert said["SyslogIdentifier"] == [f"doorstep-{unit}"]


def test_capture_waits_for_gpsd_where_only_its_socket_is_enabled() -> None:
    assert {"gpsd.socket", "gpsd.service"} <= set(_settings("capture")["After"][0].split())


def test_libcamera_logs_only_faults() -> None:
    assert "LIBCAMERA_LOG_LEVELS=*:WARN" in _settings("capture")["Environment"]


def test_udev_accepts_the_rules(tmp_path: Path) -> None:
    rules = tmp_path / "60-doorstep.rules"
    shutil.copy(SYSTEMD / "doorstep.udev", rules)

    _run("udevadm", "verify", "--resolve-names=never", str(rules))


def test_capture_alone_may_power_off_also_during_a_login() -> None:
    """The JavaScript is the one that polkit runs."""
    script = f"""
        let rule; const polkit = {{Result: {{YES: "yes"}}, addRule(one) {{ rule = one; }}}};
        {(SYSTEMD / "doorstep.polkit").read_text()}
        const asked = [];
        for (const user of ["doorstep-capture", "doorstep-sync", "tech"])
            for (const what of ["power-off", "power-off-multiple-sessions",
                                "power-off-ignore-inhibit", "reboot", "halt"])
                if (rule({{id: "org.freedesktop.login1." + what}}, {{user}}) === "yes")
                    asked.push(user + " " + what);
        console.log(JSON.stringify(asked));
    """

    assert json.loads(_run("node", "-e", script)) == [
        "doorstep-capture power-off",
        "doorstep-capture power-off-multiple-sessions",
    ]
