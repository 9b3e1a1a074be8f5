"""The example configuration that ships is valid, names every setting, and shows the defaults."""

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_type_hints

from agent.config import Config, load
from hardware.firmware import BUILD_PINS

EXAMPLE = Path(__file__).parents[3] / "systemd/config.toml"


def test_example_is_valid() -> None:
    assert load(EXAMPLE).board.camera.kind == "picamera2"


def test_example_has_every_table_and_every_setting() -> None:
    tables = get_type_hints(Config)

    assert {name: set(table) for name, table in _uncommented().items()} == {
        name: {setting.name for setting in fields(table)} for name, table in tables.items()
    }


def test_example_comments_out_each_default() -> None:
    shown = _uncommented()
    active = tomllib.loads(EXAMPLE.read_text())

    for name, table in get_type_hints(Config).items():
        for setting in fields(table):
            if setting.default not in {MISSING, None}:
                assert setting.name not in active[name]
                assert _plain(setting.default) == shown[name][setting.name], setting.name


def test_example_offers_no_pin_twice_and_none_of_the_build() -> None:
    """Each line may be uncommented as it is."""
    shown = _uncommented().values()
    pins = [value for table in shown for name, value in table.items() if name.endswith("pin")]

    assert len(set(pins)) == len(pins)
    assert not set(pins) & set(BUILD_PINS)


def _uncommented() -> dict[str, dict[str, Any]]:
    return tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE))


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
