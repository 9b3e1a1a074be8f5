"""One line per change."""

from hardware.told import Told


def test_only_what_was_not_told_last_is_news() -> None:
    """What comes back after something else is news again."""
    told = Told("quiet")

    news = [one for one in ("quiet", "lost", "lost", "quiet", "lost") if told.is_news(one)]

    assert news == ["lost", "quiet", "lost"]
    assert told.last == "lost"
