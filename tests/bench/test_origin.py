from datetime import UTC, datetime, timedelta

from agent import __version__
from tests.bench import origin


def test_raw_numbers_say_what_was_measured_and_when() -> None:
    """A figure without them cannot be told from an older one, or from another version's."""
    facts = origin.facts()

    assert datetime.now(UTC) - datetime.fromisoformat(facts["date"]) < timedelta(minutes=1)
    assert facts["version"] == __version__
    assert facts["commit"]
    assert all(f"{name} " in facts["others"] for name in origin.OTHERS)
