"""A configured pin that an overlay uses is found, and what cannot be read is not guessed."""

import os
from pathlib import Path

import pytest

from agent.command import doctor
from agent.command.doctor import pins_check
from agent.command.doctor.finding import Level
from agent.config import load
from tests.support.device import Device
from tests.unit.agent.command import inprocess

GPIO = {"kind": "gpio", "vibration_pin": 24}


def found(tmp_path: Path, content: str | bytes) -> list[tuple[Level, str]]:
    device = Device(tmp_path / "van", "", indicator=GPIO)
    file = tmp_path / "config.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(pins_check.findings(load(device.config), file))


def test_pin_of_an_overlay_is_a_fault_with_line_and_remedy(tmp_path: Path) -> None:
    """The kernel holds such a pin, so capture could not open it."""
    text = "# By hand\ndtoverlay=gpio-poweroff,gpiopin=24\n"

    assert found(tmp_path, text) == [
        (
            Level.FAILED,
            (
                "indicator.vibration_pin: pin 24 is used by "
                f'"dtoverlay=gpio-poweroff,gpiopin=24" ({tmp_path}/config.txt, line 2): '
                "choose another pin, or delete that line and restart the device"
            ),
        )
    ]


def test_pin_of_an_overlay_under_a_condition_is_a_note(tmp_path: Path) -> None:
    """Only the firmware knows whether the condition is met."""
    note, well = found(tmp_path, "[pi5]\ndtoverlay=gpio-key,gpio=24\n")

    assert (note[0], well[0]) == (Level.NOTE, Level.OK)
    assert "if [pi5] is met, which was not checked" in note[1]


def test_overlay_that_is_not_known_is_a_note(tmp_path: Path) -> None:
    """The overlay may use a configured pin, but doctor cannot tell."""
    words = f'not checked: "dtoverlay=uart3" ({tmp_path}/config.txt, line 1) may use pins that'

    assert found(tmp_path, "dtoverlay=uart3\n")[0] == (
        Level.NOTE,
        f"{words} doctor does not know",
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"dtoverlay=gpio-key,gpio=24\n" * 3_000, "has more than 65536 bytes"),
        (b"dtoverlay=gpio-key,gpio=24\n\0", "is not text"),
        ("include more.txt\n", "includes in line 1"),
    ],
)
def test_file_that_is_not_understood_is_not_checked(
    tmp_path: Path, content: str | bytes, why: str
) -> None:
    """A guess would send a technician after a fault that does not exist."""
    level, words = found(tmp_path, content)[0]

    assert (level, words.startswith("not checked: ")) == (Level.NOTE, True)
    assert why in words


def test_file_that_cannot_be_read_is_not_checked(tmp_path: Path) -> None:
    """A missing file is normal on another board; a pipe would never end."""
    device = load(Device(tmp_path / "van", "", indicator=GPIO).config)
    os.mkfifo(tmp_path / "pipe")
    missing, pipe, folder = (tmp_path / name for name in ("missing", "pipe", "van"))

    assert [list(pins_check.findings(device, file)) for file in (missing, pipe, folder)] == [
        [(Level.NOTE, f"not checked: {missing}: No such file or directory")],
        [(Level.NOTE, f"not checked: {pipe}: is not a regular file")],
        [(Level.NOTE, f"not checked: {folder}: is not a regular file")],
    ]


def test_doctor_compares_pins_only_if_some_are_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulated board has no pins."""
    file = tmp_path / "config.txt"
    file.write_text("dtoverlay=gpio-key,gpio=24\n")
    monkeypatch.setattr(doctor, "FIRMWARE_CONFIG", file)
    wired = Device(tmp_path / "wired", "", indicator=GPIO)

    assert [level for level, _ in inprocess.found(wired, "pins")] == [Level.FAILED]
    assert inprocess.found(Device(tmp_path / "simulated"), "pins") == []
