"""A release is tried by the unit that a device has, under a systemd of its own."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.systemd.running import Running, running

pytestmark = [pytest.mark.slow, pytest.mark.alone]

ROLE = "/opt/doorstep/source/scripts/provisioning/roles/doorstep_trial/files"

SET_UP = f"""
set -e
mkdir -p /usr/local/lib/doorstep /opt/doorstep/releases
cp -r {ROLE}/trial /usr/local/lib/doorstep/
cp {ROLE}/doorstep-trial.service /etc/systemd/system/
sed -i s:/usr/bin/python3:/opt/doorstep/python.sh: /etc/systemd/system/doorstep-trial.service
cd /opt/doorstep
mkdir current/units
cp source/systemd/*.service current/units/
mv current releases/1
ln -s /opt/doorstep/releases/1 current
for one in 2 3; do
    cp -r releases/1 "releases/$one"
    sed -i "s/^Description=.*/& of release $one/" releases/$one/units/doorstep-capture.service
    touch "releases/$one/.complete"
done
printf '#!/bin/sh\\nexit 1\\n' >releases/3/bin/python
systemctl daemon-reload
"""
"""Release 1 is in use, 2 is as good, and nothing of 3 runs."""

ASK = "cd / && /opt/doorstep/python.sh -B /usr/local/lib/doorstep/trial"


@pytest.fixture(scope="module")
def device() -> Iterator[Running]:
    with running() as made:
        made.shell(SET_UP)
        yield made


def _told(device: Running) -> dict[str, str]:
    found: dict[str, str] = json.loads(device.shell(f"{ASK} wait 120"))
    return found


def _runs(device: Running) -> tuple[str, str]:
    """Return the current release, and the one whose unit systemd runs."""
    current = Path(device.run("readlink", "/opt/doorstep/current")).name
    words = device.shown("capture", "Description").rpartition("of release ")[2]
    return current, words if len(words) == 1 else "1"


def test_release_that_does_not_start_goes_back_with_its_units(device: Running) -> None:
    device.shell(f"{ASK} ask /opt/doorstep/releases/3 60")

    told = _told(device)

    assert (told["release"], told["outcome"]) == ("3", "rolled back")
    assert re.search("(capture|sync) ended, and was started again", told["why"])
    assert _runs(device) == ("1", "1")
    assert device.shown("capture", "ActiveState") == "active"


def test_release_whose_trial_is_killed_goes_back(device: Running) -> None:
    device.shell(f"{ASK} ask /opt/doorstep/releases/2 60")
    device.shell("until [ -L /opt/doorstep/previous ]; do sleep 0.1; done")
    device.run("systemctl", "kill", "--signal=KILL", "doorstep-trial")

    told = _told(device)

    assert (told["outcome"], told["why"]) == (
        "rolled back",
        "the trial itself ended before its time",
    )
    assert _runs(device) == ("1", "1")


def test_release_that_works_stays(device: Running) -> None:
    """The camera may not be used here: capture has just begun, without a route."""
    device.shell(f"{ASK} ask /opt/doorstep/releases/2 10")
    device.shell("until [ -L /opt/doorstep/previous ]; do sleep 0.1; done")
    assert "being tried" in device.shell(f"{ASK} ask /opt/doorstep/releases/3", check=False)

    told = _told(device)

    assert (told["release"], told["outcome"]) == ("2", "done"), told
    assert told["why"].startswith("no frame was asked for")
    assert _runs(device) == ("2", "2")
