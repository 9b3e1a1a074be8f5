"""`python -m tests.faults.databases.make NAME SEED PATH`: put one hostile database at the path.

A process of its own: the limit that Doorstep sets on SQLite's memory stays for a whole process.
"""

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.databases import contents, schemas
from tests.faults.databases.schemas import Maker

_REPOSITORY: Final = Path(__file__).parents[3]  # tests.support.device has it, and loads a second

MAKERS: Final[dict[str, Maker]] = {**schemas.MAKERS, **contents.MAKERS}
"""All makers of hostile databases, by name."""


def make(name: str, seed: int, path: Path) -> None:
    """Change the database at the path, or make a sound one first, in a process of its own."""
    command = [sys.executable, "-m", "tests.faults.databases.make", name, str(seed), str(path)]
    subprocess.run(command, cwd=_REPOSITORY, check=True, timeout=120)


def _main() -> None:
    name, seed, path = sys.argv[1:]
    if not Path(path).exists() or Path(path).stat().st_size == 0:
        schemas.make(Path(path))
    MAKERS[name](Path(path), Random(f"{name} {seed}"))


if __name__ == "__main__":
    _main()
