"""The users of the units, by number, and a state folder as tmpfiles.d makes it for them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.failing.struck import Ended, run
from tests.support.device import REPOSITORY

GROUP: Final = 61_000
GROUPS: Final = {"doorstep": GROUP, "doorstep-keep": 61_100}
USERS: Final = {
    "root": 0,
    "doorstep-capture": 61_001,
    "doorstep-sync": 61_002,
    "doorstep-prune": 61_003,
    "technician": 61_004,
    "doorstep-serve": 61_005,
}
"""Nobody has these numbers; the technician is a member of the group who looks at the status."""

UMASK: Final = 0o007
"""Of the units."""

_PROTECTED: Final = Path("/proc/sys/fs/protected_regular")


@contextmanager
def as_debian_protects() -> Iterator[None]:
    """With `fs.protected_regular=2`, as Debian's linux-sysctl-defaults sets it.

    In a sticky folder of a group the kernel then refuses O_CREAT on a file of another user.
    """
    before = _PROTECTED.read_text()
    _PROTECTED.write_text("2")
    try:
        yield
    finally:
        _PROTECTED.write_text(before)


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
            path.mkdir(exist_ok=True)
        else:
            path.touch()
        os.chown(path, USERS[user], GROUPS[group])
        path.chmod(int(mode, 8))


def members() -> dict[str, list[str]]:
    """Who is of which group besides their own, by systemd/doorstep.sysusers."""
    found: dict[str, list[str]] = {}
    for line in (REPOSITORY / "systemd" / "doorstep.sysusers").read_text().splitlines():
        match line.split():
            case ["m", user, group]:
                found.setdefault(user, []).append(group)
    return found


def become(name: str) -> None:
    """Be this user for the rest of the process, with the groups and the umask of its unit."""
    os.umask(UMASK)
    os.setgroups([GROUPS[group] for group in members().get(name, []) if group in GROUPS])
    os.setgid(GROUP)
    os.setuid(USERS[name])


def as_user(name: str, act: Callable[[], int]) -> Ended:
    """Run `act` in a child of the unit's user, groups and umask."""

    def become_and_act() -> int:
        become(name)
        return act()

    return run(become_and_act)
