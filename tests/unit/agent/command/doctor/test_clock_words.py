"""The doctor's message about the clock: the service that sets it, and if this is the network."""

from pathlib import Path

import pytest

from agent.command.doctor.clock_words import Keepers, clock_result, keepers
from agent.command.doctor.finding import Level
from hardware import chrony
from hardware.clock import ClockSource
from tests.support.device import Device, environment
from tests.unit.agent.command.inprocess import capture_says, found

RECEIVER = chrony.Reference("GPS", is_network=False)
SERVER = chrony.Reference("192.0.2.7", is_network=True)


@pytest.mark.parametrize(
    ("source", "by", "words"),
    [
        (ClockSource.NTP, Keepers(SERVER), "by the network: chrony follows 192.0.2.7"),
        (ClockSource.NTP, Keepers(None, "192.0.2.8"), "by the network: timesyncd follows"),
        (ClockSource.NTP, Keepers(), "cannot be asked, and counts as the network"),
        (ClockSource.GNSS, Keepers(RECEIVER), "chrony follows GPS, which is not the network"),
        (ClockSource.GNSS, Keepers(SERVER), "what the receiver says through gpsd"),
        (ClockSource.GNSS, Keepers(), "what the receiver says through gpsd"),
        (ClockSource.RTC, Keepers(), "real-time clock"),
        (ClockSource.UNSYNCED, Keepers(), "nobody vouches for the time yet"),
    ],
)
def test_doctor_says_who_keeps_the_clock(source: ClockSource, by: Keepers, words: str) -> None:
    is_well, said = clock_result(source, by)

    assert is_well
    assert words in said


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_time_server_on_this_machine_is_no_network(address: str) -> None:
    """Such a server has the time from a receiver, but timesyncd does not say so."""
    is_well, said = clock_result(ClockSource.NTP, Keepers(None, address))

    assert not is_well
    assert "timesyncd.conf" in said


def installed(folder: Path, *lines: str) -> dict[str, str]:
    """A timedatectl of this test's: on a machine without systemd the true one says nothing."""
    program = folder / "timedatectl"
    program.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_timesyncd_is_asked_for_its_server(tmp_path: Path) -> None:
    says = 'test "$*" = "show-timesync --property=ServerAddress --value" && echo 192.0.2.8'
    with environment(**installed(tmp_path, says)):
        assert keepers().timesyncd == "192.0.2.8"


@pytest.mark.parametrize("says", ["exit 1", "echo; exit 0", "echo 192.0.2.8; exit 1", None])
def test_a_timesyncd_that_does_not_run_or_is_not_there_has_none(
    tmp_path: Path, says: str | None
) -> None:
    path = {"PATH": str(tmp_path)} if says is None else installed(tmp_path, says)
    with environment(**path):
        assert keepers().timesyncd == ""


def test_a_simulated_clock_and_receiver_are_told_as_such(device: Device) -> None:
    with capture_says(device, clock="ntp"):
        assert found(device, "clock") == [(Level.OK, "simulated: ntp")]

    device.configure(clock={"kind": "system"})
    with capture_says(device, clock="gnss"):
        words = "by GNSS: what the simulated receiver says"
        assert found(device, "clock") == [(Level.OK, words)]


def test_the_doctor_asks_chrony_whom_it_follows(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Capture asks the same question; tests/unit/hardware/test_chrony.py asks a real chronyd."""
    monkeypatch.setattr(chrony, "reference", lambda: RECEIVER)
    device.configure(clock={"kind": "system"})

    with capture_says(device, clock="gnss"):
        ((level, words),) = found(device, "clock")

    assert level is Level.OK
    assert words.startswith("chrony follows GPS, which is not the network")
