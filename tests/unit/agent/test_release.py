"""Dates and files that each release must renew."""

import re
from datetime import UTC, datetime

from agent import __version__
from hardware.clock import BUILT
from tests.support.device import REPOSITORY


def test_build_date_is_at_most_a_month_before_the_version() -> None:
    """A later build date would refuse a right clock, an earlier one would believe a wrong one."""
    year, month = (int(part) for part in __version__.split(".")[:2])

    assert 12 * year + month - (12 * BUILT.year + BUILT.month) in {0, 1}
    assert datetime.now(UTC) >= BUILT


def test_the_changelog_and_the_queues_of_releases_have_this_one() -> None:
    sections = re.findall(
        r"^## (.+)$", (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )

    assert sections[0] == __version__
    assert (REPOSITORY / f"tests/unit/agent/queue/queues/{__version__}.sql").exists()
