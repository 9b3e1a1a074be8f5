"""What each release has to move."""

import re

from agent import __version__
from hardware.clock import BUILT
from tests.support.device import REPOSITORY


def test_the_build_date_is_of_the_releases_month() -> None:
    """Versions are year.month.number; an old build date believes clocks that stand before it."""
    assert __version__.startswith(f"{BUILT.year}.{BUILT.month}.")


def test_the_changelog_and_the_queues_of_releases_have_this_one() -> None:
    sections = re.findall(
        r"^## (.+)$", (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )

    assert sections[0] == __version__
    assert (REPOSITORY / f"tests/agent/queue/queues/{__version__}.sql").exists()
