"""Adding a driver is adding a file: each other step that was forgotten is named here."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import packages_distributions
from itertools import chain
from typing import Final, get_type_hints

import pytest

from hardware.driver import (
    KINDS,
    SIMULATED,
    CameraDriver,
    DeviceFiles,
    Driver,
    PositionDriver,
    load,
)
from hardware.settings import BoardSettings
from tests.unit.documents.pages import REPOSITORY

FILES: Final = sorted((REPOSITORY / "hardware/drivers").glob("[!_]*.py"))
PARTS: Final = [one.name for one in fields(BoardSettings) if one.name != SIMULATED]
DECLARED: Final = {"camera": CameraDriver, "position": PositionDriver}
OUTSIDE_THE_SUITES: Final = {
    "clock_system": "it opens a witness; the suite tries SystemClock, which asks that",
    "lamp_none": "it opens nothing",
    "motion_none": "it sees no lift; test_board tries it",
}
COMES_WITH: Final = {"libcamera": "picamera2"}
PROJECT: Final = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
BANNED: Final = PROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
PACKAGES: Final = [*chain(*PROJECT["project"]["optional-dependencies"].values())]


@pytest.mark.parametrize(
    ("part", "kind"), [(part, kind) for part, kinds in KINDS.items() for kind in kinds]
)
def test_a_driver_declares_what_others_ask_of_it(part: str, kind: str) -> None:
    """Here, where no vendor's library of a device is installed."""
    where, settings = f"the file of {part}.kind = {kind!r}", get_type_hints(BoardSettings)[part]
    try:
        driver = load(part, kind)
        own = driver.own(settings(kind))
    except ImportError as error:
        pytest.fail(f"{where}: import {error.name} in the function that opens the part")
    except (AttributeError, TypeError) as error:
        pytest.fail(f"{where}: declare DRIVER as hardware/driver.py says: {error}")

    wanted: type[Driver] = DECLARED.get(part, Driver)
    assert isinstance(driver, wanted), f"{where}: DRIVER must be a {wanted.__name__}"
    assert isinstance(own, settings), f"{where}: settings must extend {settings.__name__}"
    assert driver.device_files is None or isinstance(driver.device_files(own), DeviceFiles), (
        f"{where}: device_files"
    )


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_each_step_outside_of_the_file_of_a_driver_is_done(name: str) -> None:
    missing = list(_forgotten(name))

    assert not missing, "\n".join(missing)


def _forgotten(name: str) -> Iterator[str]:
    part = name.partition("_")[0]
    if part not in PARTS:
        yield f"name the file PART_KIND.py; PART is one of {', '.join(PARTS)}"
        return
    suite = f"tests/contracts/test_{part}.py"
    if name not in OUTSIDE_THE_SUITES and f"drivers.{name} " not in _text(suite):
        yield f"add an opener of hardware.drivers.{name} to {suite}"
    for vendor in sorted(_vendors(_text(f"hardware/drivers/{name}.py"))):
        if vendor not in BANNED:
            yield f'add "{vendor}" to banned-api in pyproject.toml: only this file imports it'
        packages = packages_distributions().get(vendor, [COMES_WITH.get(vendor, vendor)])
        if not any(one.startswith(tuple(packages)) for one in PACKAGES):
            yield f"add the package of {vendor} to the optional dependencies in pyproject.toml"


def _vendors(source: str) -> set[str]:
    """The libraries that are imported anywhere in a file; numpy is everybody's."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [one.name for node in nodes if isinstance(node, ast.Import) for one in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return (
        {one.partition(".")[0] for one in names} - sys.stdlib_module_names - {"hardware", "numpy"}
    )


def _text(path: str) -> str:
    return (REPOSITORY / path).read_text()
