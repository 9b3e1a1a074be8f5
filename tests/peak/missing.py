"""What this machine has not installed and a peak needs, in a sentence."""

import os
import shutil

from tests.support.postgres import PROGRAMS


def told() -> str:
    """Nothing where all is there."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    found = {
        "postgresql": any(PROGRAMS.glob("*/bin/initdb")),
        "nginx-light": shutil.which("nginx", path=path) is not None,
    }
    names = [name for name, is_there in found.items() if not is_there]
    if not names:
        return ""
    return f"This needs {' and '.join(names)}. On Debian: apt install {' '.join(names)}"
