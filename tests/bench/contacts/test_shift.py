"""The savings of batches, and how much later the route comes: by the product's own loop."""

import pytest

from agent.sync.batches import IDLE_S
from agent.sync.document_fetch import MANIFEST_EVERY_S
from tests.bench.contacts.shift import shift

pytestmark = pytest.mark.slow

HOUR_S = 3600.0


def test_batches_wake_the_radio_less_often_and_delay_the_route_by_the_setting() -> None:
    at_once = shift(0, 150.0, lasts_s=HOUR_S)
    batches = shift(15, 150.0, lasts_s=HOUR_S)

    slowest_s = MANIFEST_EVERY_S * 4 / 3
    assert batches.contacts < at_once.contacts / 4
    assert at_once.late_s <= slowest_s + 2
    assert slowest_s + IDLE_S < batches.late_s <= 15 * 60 + slowest_s + 2
