"""A line per change."""

from hardware.change_detector import ChangeDetector


def test_only_what_was_not_told_last_is_news() -> None:
    """A value that comes back after another one is news again."""
    told = ChangeDetector("quiet")

    news = [one for one in ("quiet", "lost", "lost", "quiet", "lost") if told.changed(one)]

    assert news == ["lost", "quiet", "lost"]
    assert told.last == "lost"
