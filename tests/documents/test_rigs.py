"""Whether the rigs that the page names tell their options, and do nothing else then."""

import re
import subprocess
import sys
from typing import Final

import pytest

from tests.documents.pages import REPOSITORY

PAGE: Final = (REPOSITORY / "tests" / "README.md").read_text()
_, _, TOLD = PAGE.partition("`--help` tells their options:\n")
RIGS: Final = re.findall(r"tests\.[a-z.]+", TOLD.partition("\n\n")[0])


@pytest.mark.slow
@pytest.mark.parametrize("rig", RIGS)
def test_it_tells_its_options(rig: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", rig, "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert told.stdout.startswith("usage: ")


def test_the_page_names_them() -> None:
    assert len(RIGS) > 10
