"""What each release has to move."""

from agent import __version__
from hardware.clock import BUILT


def test_the_build_date_is_of_the_releases_month() -> None:
    """Versions are year.month.number; an old build date believes clocks that stand before it."""
    assert __version__.startswith(f"{BUILT.year}.{BUILT.month}.")
