"""Logs that scripts/collect-logs takes from a device: enough for a repair, and no more."""

import base64
import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from doorstep_backend.office import demo
from tests.support.waiting import until
from tests.system.systemd.running import Running, running

pytestmark = pytest.mark.slow

PYTHON: Final = "/opt/doorstep/python.sh"
BACKEND: Final = "/srv/backend"
COLLECT: Final = "/opt/doorstep/source/scripts/provisioning/collect.sh"

AT_AN_ALLOWED_DOOR: Final = demo.PLACES[demo.ALLOWED]
AT_A_CONFIDENTIAL_DOOR: Final = demo.PLACES[demo.CONFIDENTIAL]

WORLD: Final = f"""
[[at]]
second = 0
label = "DSTEP1001"
lat_deg = {AT_AN_ALLOWED_DOOR[0]}
lon_deg = {AT_AN_ALLOWED_DOOR[1]}

[[at]]
press = 2
lat_deg = {AT_A_CONFIDENTIAL_DOOR[0]}
lon_deg = {AT_A_CONFIDENTIAL_DOOR[1]}
"""

TOWN: Final = f"""
from pathlib import Path
from tests.demo.story import demo_office
demo_office(Path("{BACKEND}"), "van-0042")
"""


@pytest.fixture(scope="module")
def device() -> Iterator[Running]:
    """After a photo by a label, a refusal, and an enrolment with another token."""
    with running() as one:
        _enrol_anew(one)
        _round(one)
        yield one


def _enrol_anew(device: Running) -> None:
    let_in = f"{PYTHON} -m doorstep_backend --data {BACKEND} devices add van-0042"
    device.shell(f"cd /opt/doorstep/source && {let_in} | cut -d' ' -f2 >/root/token")
    device.run("doorstep", "enrol", "https://10.77.9.1:9443", "--token", "/root/token")


def _round(device: Running) -> None:
    device.shell(f"cd /opt/doorstep/source && {PYTHON} -c '{TOWN}'")
    device.shell(f"cat >/etc/doorstep/world.toml <<'TOML'\n{WORLD}\nTOML")
    device.shell(
        "sed -i 's/^policy.manifest = .*/policy.manifest = \"required\"/' /etc/doorstep/config.toml"
    )
    device.shell("rm -f /run/doorstep/world.json; systemctl restart doorstep-capture doorstep-sync")
    until(lambda: _status(device)["capture"]["manifest"] != "none", 60.0, every_s=0.5)
    # The label that is held up names the stop
    device.shell(
        f"""{PYTHON} - <<'PY'
import socket
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect("/run/doorstep/capture.sock")
    asked.sendall(b'{{"press": "scan"}}\\n')
    print(asked.recv(65536))
PY"""
    )
    photo = json.loads(device.run("doorstep", "capture", "--once"))["record"]
    assert photo["stop"]["bound_by"] == "code", photo
    time.sleep(0.7)  # else two presses are one
    refused = device.run("doorstep", "capture", "--once", check=False)
    assert json.loads(refused)["record"]["reason"] == "no_photo_stop", refused
    until(lambda: _status(device)["queue"]["waiting"] == 0, 60.0, every_s=0.5)


def _status(device: Running) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(device.run("doorstep", "status", "--json"))
    return told if told["capture"] else told | {"capture": {"manifest": "none"}}


def _collected(device: Running) -> dict[str, str]:
    """Return the parts of the logs as they leave the device."""
    packed = base64.b64decode(device.run("sh", COLLECT))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {
            member.name.removeprefix("logs/"): _text(tar, member)
            for member in tar
            if member.isfile()
        }


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = tar.extractfile(member)
    assert file is not None
    return file.read().decode()


@pytest.fixture(scope="module")
def parts(device: Running) -> dict[str, str]:
    return _collected(device)


def _secrets(device: Running) -> Iterator[str]:
    """All of this round that must not leave the device with a technician's mail."""
    for order in demo.ORDERS:
        yield from (order.stop_id, *order.codes)
    for lat_deg, lon_deg in demo.PLACES.values():
        yield from (str(lat_deg), str(lon_deg))
    yield from ("Demo customer", "Example Street")
    yield device.run("cat", "/root/token")
    held = device.shell(f"cat /var/lib/doorstep/keys/*/*.pem {BACKEND}/keys/*.pem")
    for key in re.findall(r"PRIVATE KEY-----\s(.+?)\s-----END", held, re.DOTALL):
        yield from key.split()
    yield from device.shell("cat /var/lib/doorstep/trust/manifest*").split(".")


def test_logs_have_nothing_of_the_round(device: Running, parts: dict[str, str]) -> None:
    secrets = [one.strip() for one in _secrets(device)]
    whole = "\n".join(parts.values())

    assert len(secrets) > 40
    assert all(len(one) > 4 for one in secrets), secrets
    assert [one for one in secrets if one in whole] == []
    assert "PRIVATE KEY" not in whole
    assert "left out" not in whole, "the second net caught what was not to be taken"


def test_logs_have_what_a_repair_needs(parts: dict[str, str]) -> None:
    assert "doorstep-capture.service" in parts["units.txt"]
    assert "NRestarts=" in parts["units.txt"]
    assert "event=kept" in parts["doorstep.log"]
    assert "release: " in parts["versions.txt"]
    assert "/var/lib/doorstep" in parts["disk.txt"]
    assert "records: " in parts["disk.txt"]
    assert json.loads(parts["status.json"])["device"] == "van-0042"
    assert {one["check"] for one in json.loads(parts["doctor.json"])} >= {"disk", "queue", "clock"}


def test_logs_name_records_as_the_backend_does(parts: dict[str, str]) -> None:
    assert re.search(r"event=kept kind=photo .*=[0-9a-f-]{36}", parts["doorstep.log"])


def test_logs_leave_no_copy_on_the_device(device: Running, parts: dict[str, str]) -> None:
    assert parts
    assert device.shell("ls -d /run/doorstep-logs* 2>/dev/null || true") == ""


def test_logs_have_the_reason_why_a_manifest_was_refused(device: Running) -> None:
    """The reason names a field and no place."""
    why = (
        "why='signed, but the manifest is malformed: stops[3].lat_deg: not a number from -90 to 90'"
    )
    device.run("systemd-run", "-q", "--wait", "--unit=doorstep-refuses", "echo", why)

    assert why in _collected(device)["doorstep.log"]


def test_part_with_a_place_in_it_does_not_leave(device: Running) -> None:
    """A fault of the product could log a place."""
    device.run("systemd-run", "-q", "--wait", "--unit=doorstep-faulty", "echo", '{"lat_deg": 52.5}')
    parts = _collected(device)

    assert "left out" in parts["doorstep.log"]
    assert "lat_deg" not in "\n".join(parts.values())
    assert "NRestarts=" in parts["units.txt"]


def test_device_whose_release_does_not_start_gives_the_rest(device: Running) -> None:
    device.shell("mv /usr/local/bin/doorstep /usr/local/bin/doorstep.away")
    parts = _collected(device)
    device.shell("mv /usr/local/bin/doorstep.away /usr/local/bin/doorstep")

    assert "No such file" in parts["status.json"]
    assert "NRestarts=" in parts["units.txt"]
