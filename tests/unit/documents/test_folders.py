"""The table of folders in systemd/README.md agrees with systemd/doorstep.tmpfiles."""

import re
from pathlib import PurePosixPath
from typing import Final

from tests.unit.documents.pages import REPOSITORY

STATE: Final = PurePosixPath("/var/lib/doorstep")
MADE_LATER: Final = {STATE / "doctor.json"}
"""Files that no process needs at its start."""


def test_table_of_folders_has_the_owners_and_modes_of_tmpfiles() -> None:
    rows = re.findall(
        r"^\| (`[^|]+) \| ([\w-]+:[\w-]+ \d{4}) \|",
        (REPOSITORY / "systemd/README.md").read_text(),
        re.MULTILINE,
    )
    on_page = {
        STATE / name: owner for names, owner in rows for name in re.findall("`(.+?)`", names)
    }
    lines = (REPOSITORY / "systemd/doorstep.tmpfiles").read_text().splitlines()
    made = {
        PurePosixPath(path): f"{user}:{group} {mode}"
        for _, path, mode, user, group, _ in (
            line.split() for line in lines if not line.startswith("#")
        )
    }

    assert {path: on_page.get(path) for path in made} == made
    assert on_page.keys() - made.keys() == MADE_LATER
