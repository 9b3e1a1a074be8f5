"""Commands from a page for outsiders, run unchanged in a plain shell."""

import os
import re
import subprocess
from pathlib import Path
from textwrap import dedent
from typing import Final

from tests.support.device import REPOSITORY

_BLOCK: Final = re.compile(r"^ *```sh\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)

_PAGE: Final = (REPOSITORY / "agent/docs/verify.md").read_text().partition("## One photo")[2]

TOOLS: Final = (REPOSITORY / "tests/backend/doorstep_backend/office/evidence_tools.txt").read_text()
"""Shell functions that the steps use; the page has a link to them."""

STEPS: Final = [dedent(block) for block in _BLOCK.findall(_PAGE)]
"""Blocks of "One photo, without this program": one for each step."""


def by_hand(folder: Path, *steps: str, tools: str = TOOLS, **environment: str) -> list[list[str]]:
    """Return the lines that each step prints; their new folder is next to `folder`.

    As for a reader who pastes them one after the other, a step that fails does not end the rest.
    """
    told = subprocess.run(
        ["sh", "-u", "-c", "\necho '== step'\n".join([tools, *steps])],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder.parent)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return [each.splitlines() for each in told.stdout.split("== step\n")[1:]]
