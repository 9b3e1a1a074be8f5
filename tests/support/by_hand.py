"""Commands from a page for outsiders, run as they stand there, in a shell as it is."""

import os
import re
import subprocess
from pathlib import Path
from textwrap import dedent
from typing import Final

from tests.support.device import REPOSITORY

_BLOCK: Final = re.compile(r"^ *```sh\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)

_PAGE: Final = (REPOSITORY / "agent/docs/verify.md").read_text().partition("## One photo")[2]

TOOLS, *STEPS = (dedent(block) for block in _BLOCK.findall(_PAGE))
"""Of the page "One photo, without this program": its tools, and a block for each step."""


def by_hand(folder: Path, *steps: str, tools: str = TOOLS, **environment: str) -> list[list[str]]:
    """The lines that each step prints, behind the tools; their new folder goes beside `folder`.

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
