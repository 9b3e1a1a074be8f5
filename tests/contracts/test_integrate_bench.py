"""The page for integrators: its commands for a bench work, in the order of the page."""

import re
from pathlib import Path

import pytest

from tests.support.integrate_page import clone_in, commands, ran, running


@pytest.mark.slow
def test_commands_of_receipts_deliver_a_round(tmp_path: Path) -> None:
    """Each command ends with 0: no check fails, and each record gets its receipt."""
    clone = clone_in(tmp_path)
    make_keys, serve, try_out = commands("Receipts")

    ran(clone, make_keys)
    with running(serve, clone):
        told = ran(clone, try_out)

    played = set(re.findall(r" in \d+ s +(\S{36})$", told, re.MULTILINE))
    assert len(played) > 18
    assert played <= {path.stem for path in (clone / "trial/data/received").iterdir()}
    opened = {path.name for path in (clone / "trial/opened").iterdir()}
    assert opened == {"label.json", "record.json", "photo.jpg"}
