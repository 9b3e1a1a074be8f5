"""The page for integrators: its commands for the road work, in the order of the page."""

import json
import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from doorstep_backend.identity.register import Register
from tests.demo.foreign.round import ROUND
from tests.demo.story import Step, demo_office
from tests.support.backend import running_backend
from tests.support.integrate_page import clone_in, commands, ran, running, section_blocks

PRESSES: Final = sum(isinstance(one, Step) for one in ROUND)
"""Presses of the demo's round; the transfer of the last but one is cut."""


@pytest.mark.slow
def test_commands_of_routes_deliver_a_round(tmp_path: Path) -> None:
    """The first block is that of Receipts: this trial needs its keys.

    The record whose transfer was cut is one that the device had to send again.
    """
    clone = clone_in(tmp_path)
    make_keys, *_ = commands("Receipts")
    make_authority, sign_fleet, start, enrol, check = commands("Routes")
    make_folders, python, serve = start.partition(".venv/bin/python")

    ran(clone, make_keys, make_authority, sign_fleet, make_folders)
    with running(python + serve, clone):
        told = ran(clone, enrol, check)

    assert len(list((clone / "trial/road/received").iterdir())) > 18
    (cut,) = re.findall(rf"^ +{PRESSES - 1} .* (\S+)$", told, re.MULTILINE)
    assert attempts(clone, "trial/round/demo-01")[cut] > 1


def attempts(clone: Path, device: str) -> dict[str, int]:
    """Return how often a device tried to send each of its records."""
    listed = ran(clone, f".venv/bin/doorstep queue --json --config {device}/config.toml")
    rows = map(json.loads, listed.splitlines())
    return {row["capture_id"]: row["attempts"] for row in rows}


@pytest.mark.slow
def test_commands_of_fleet_check_the_reference_backend(tmp_path: Path) -> None:
    clone = clone_in(tmp_path)
    with running_backend(clone / "backend", identity=True) as backend:
        trial = clone / "trial"
        trial.mkdir()
        shutil.copy(backend.ca_file, trial / "ca.pem")
        shutil.copy(backend.fleet_key_file, trial / "fleet-public.pem")
        demo_office(backend.data, "van-1")
        for name in ("van-1", "van-2"):
            (trial / f"{name}.token").write_text(Register(backend.data).let_in(name))
        (check,) = section_blocks("Fleet", "sh")

        told = ran(clone, check.replace("8443", str(backend.port)))

    assert " 0 failed" in told
