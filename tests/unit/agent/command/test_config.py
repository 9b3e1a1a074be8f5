"""`doorstep config`: what holds, and what is checked."""

from pathlib import Path

import pytest

from agent.command.config import check
from agent.config import load
from agent.errors import ConfigError
from hardware.errors import ScriptError
from tests.support.device import Device
from tests.support.fleet_documents import FleetOffice, identity
from tests.unit.agent.command.inprocess import Ended, Terminal


def test_config_prints_every_setting_that_holds(terminal: Terminal) -> None:
    ended = terminal.run("config")

    assert ended.code == 0
    assert 'device.id = "van-7"\n' in ended.out
    assert "camera.width_px = 640\n" in ended.out
    receipt_keys = f'["{terminal.device.folder}/receipt-key.pem"]'
    assert f"backend.receipt_keys = {receipt_keys}\n" in ended.out
    assert "simulated.world = " in ended.out
    assert ended.out.endswith("the configuration is valid\n")


@pytest.mark.usefixtures("trial")
def test_config_prints_a_drivers_own_settings_as_the_file_has_them(terminal: Terminal) -> None:
    terminal.device.configure(camera={"kind": "v4l2"})
    with terminal.device.config.open("a") as file:
        file.write('[camera.v4l2]\nport = "usb:1"\n')

    ended = terminal.run("config")

    assert ended.code == 0
    assert 'camera.v4l2.port = "usb:1"\n' in ended.out
    assert "camera.device = 0\n" in ended.out


def test_config_check_prints_no_setting(terminal: Terminal) -> None:
    words = f"{terminal.device.config}: the configuration is valid\n"

    assert terminal.run("config", "--check") == Ended(0, words)


def test_config_check_refuses_each_pin_of_the_recommended_build(tmp_path: Path) -> None:
    """Its power-off line is 26, for one; a part that is not on pins does not matter."""
    wired = {"kind": "gpio", "red_pin": 23, "vibration_pin": 26}
    device = Device(tmp_path, "", indicator=wired)

    with pytest.raises(ConfigError) as refused:
        check(load(device.config))
    device.configure(indicator=wired | {"kind": "simulated"})
    check(load(device.config))

    assert [line.partition(";")[0] for line in str(refused.value).splitlines()] == [
        f"indicator.{name}: pin {pin} has another use in the recommended build ({use})"
        for name, pin, use in [
            ("red_pin", 23, "external power"),
            ("vibration_pin", 26, "power off"),
        ]
    ]


def test_files_that_the_configuration_names_are_read_when_it_is_checked(tmp_path: Path) -> None:
    device = Device(tmp_path, "[[at]]\n")
    with pytest.raises(ScriptError):
        check(load(device.config))

    device.set_world("")
    check(load(device.config))
    (tmp_path / "receipt-key.pem").write_bytes(b"no key")
    with pytest.raises(ConfigError, match=r"receipt-key\.pem"):
        check(load(device.config))


def test_missing_fleet_key_is_reported_by_its_setting(tmp_path: Path) -> None:
    device = Device(tmp_path, "", **identity(tmp_path, FleetOffice()))
    config, key = load(device.config), tmp_path / "fleet-key.pem"
    check(config)

    key.unlink()
    words = f"^identity.fleet_key: {key} does not exist; put the fleet's public key there, PEM$"
    with pytest.raises(ConfigError, match=words):
        check(config)


def test_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b'[device]\nid = "J\xfcrgen"\n')

    words = r'line 2, `id = "J\\xfcrgen"`, is not UTF-8; save the file as UTF-8'
    with pytest.raises(ConfigError, match=words):
        load(tmp_path / "config.toml")
