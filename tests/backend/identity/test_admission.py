"""What a device is told that is not let in."""

import json

import pytest

from agent.status.fitting import TEXT_LIMIT_BYTES
from tests.backend.identity.admission import EXPIRED, NO_CERTIFICATE, REVOKED, SUPERSEDED, UNKNOWN


@pytest.mark.parametrize(
    "words", [NO_CERTIFICATE, UNKNOWN, REVOKED, SUPERSEDED, EXPIRED.format("2027-11-26")]
)
def test_it_is_read_whole_in_the_devices_status(words: str) -> None:
    """Which cuts the middle out of longer texts."""
    told = json.dumps(f'PATCH was answered 403 "{words}"')

    assert len(told) <= TEXT_LIMIT_BYTES
