"""A card is copied as far as it can be read."""

import time
from pathlib import Path

from agent.rescue.copying import copy


def test_claim_beyond_the_end_of_the_card_costs_nothing(tmp_path: Path) -> None:
    """Two terabytes of nothing would take minutes."""
    (tmp_path / "card.img").write_bytes(b"skipped" + b"x" * 3_000_000)
    began = time.monotonic()
    with (tmp_path / "card.img").open("rb") as card, (tmp_path / "copy").open("w+b") as target:
        unread = copy(card.fileno(), 7, 2**41, target.fileno())

        assert target.read(3_000_001) == b"x" * 3_000_000 + b"\0"
    assert unread == 2**41 - 3_000_000
    assert time.monotonic() - began < 10
