"""`python -m tests.pictures` makes the drawings and the pictures of screens again.

It names the commands for the two charts, which need a quiet machine or photographs.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.pictures import screens
from tests.unit.documents import generated

CHARTS: Final = {
    "tests/bench/bench.png": "scripts/bench --chart tests/bench",
    "tests/bench/quality/blur.jpg": "python -m tests.bench.quality --pictures FILE",
}


def main() -> None:
    """Make what takes seconds, and print the commands for the rest."""
    generated.main()
    with tempfile.TemporaryDirectory() as folder, screens.office(Path(folder)) as served:
        screens.make(served, screens.FOLDER)
    for picture, command in CHARTS.items():
        sys.stdout.write(f"{picture} shows measurements; to repeat them: {command}\n")


if __name__ == "__main__":
    main()
