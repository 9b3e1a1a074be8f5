"""What all tests of the agent share."""

import pytest


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two documents that are offered to capture; the test of the rest sets it again."""
    monkeypatch.setattr("agent.capture.documents.REST_S", 0.0)
