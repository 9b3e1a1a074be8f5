"""The users of the units, by number, and a state folder as tmpfiles.d makes it for them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.failing.struck import Ended, run
from tests.support.device import REPOSITORY

GROUP: Final = 61_000
USERS: Final = {
    "root": 0,
    "doorstep-capture": 61_001,
    "doorstep-sync": 61_002,
    "doorstep-prune": 61_003,
    "technician": 61_004,
}
"""Nobody has these numbers; the technician is a member of the group who looks at the status."""

UMASK: Final = 0o007
"""Of the units."""


def tmpfiles(state: Path, run_dir: Path) -> None:
    """Make the folders and files of systemd/doorstep.tmpfiles, with their modes and owners."""
    for line in (REPOSITORY / "systemd" / "doorstep.tmpfiles").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        kind, name, mode, user, group, _ = line.split()
        path = Path(
            name.replace("/var/lib/doorstep", str(state)).replace("/run/doorstep", str(run_dir))
        )
        if kind == "d":
            path.mkdir()
        else:
            path.touch()
        assert group == "doorstep"
        os.chown(path, USERS[user], GROUP)
        path.chmod(int(mode, 8))


def as_user(name: str, act: Callable[[], int]) -> Ended:
    """Run `act` in a child of the unit's user, group and umask."""

    def become_and_act() -> int:
        os.umask(UMASK)
        os.setgroups([])
        os.setgid(GROUP)
        os.setuid(USERS[name])
        return act()

    return run(become_and_act)
