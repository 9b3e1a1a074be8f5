"""A rig's needs from this machine: checked before it starts work, and reported all at once."""

import os
import re
import shutil
import sys
from glob import glob
from pathlib import Path
from typing import Final

from tests.support.chrony import UNPACKED

_LISTS: Final = Path(__file__).parents[2] / "scripts/packages.sh"


def listed(script: str) -> dict[str, tuple[str, str]]:
    """Return what PACKAGES has, from the lists in such a script."""
    lists = re.findall(r"^[A-Z]+_PACKAGES='\n(.*?)^'$", script, re.DOTALL | re.MULTILINE)
    lines = (line.split() for one in lists for line in one.splitlines())
    return {Path(shown).name: (package, shown) for package, shown, *_ in lines}


PACKAGES: Final = listed(_LISTS.read_text())
"""Debian's package, and the command or file that shows it, by the name of that command or file.

Every Debian has `mount` and `unshare`, so they are not listed.
"""

SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"
"""An ordinary user's PATH lacks it on Debian, and so does root's after `su` without `-`."""


def missing(*names: str) -> list[str]:
    """Return those of PACKAGES's `names` that this machine lacks, in their order."""
    return [one for one in names if not _is_there(one, PACKAGES[one][1])]


def missing_words(*names: str, root: bool = False) -> str:
    """Return what is missing and what installs it, in sentences; nothing if all is there."""
    said = []
    if lacking := missing(*names):
        packages = dict.fromkeys(PACKAGES[one][0] for one in lacking)
        said.append(f"{', '.join(lacking)}: missing. On Debian: apt install {' '.join(packages)}")
    if root and os.geteuid() != 0:
        said.append("This rig mounts disks and makes namespaces: run the command as root.")
    return "\n".join(said)


def check(*names: str, root: bool = False) -> None:
    """End this rig with 2, and say why, if something is missing; PATH has SBIN from now on."""
    if words := missing_words(*names, root=root):
        sys.stderr.write(f"{words}\n")
        sys.exit(2)
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{SBIN}"


def _is_there(name: str, shown: str) -> bool:
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    return (
        shutil.which(name, path=path) is not None
        or (shown.startswith("/") and bool(glob(shown)))  # noqa: PTH207
        or (name == UNPACKED.name and UNPACKED.exists())
    )
