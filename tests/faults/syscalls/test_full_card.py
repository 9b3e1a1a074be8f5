"""A card of 8 MB without a byte left, under the real `doorstep prune`."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.syscalls.scenarios import SETTINGS
from tests.scenarios.faults import state_of
from tests.support.backend import running_backend
from tests.support.device import device, towards
from tests.support.factory import fill, small_disk

pytestmark = pytest.mark.slow

CARD_MB: Final = 8
DEFAULT_BLOCK_BYTES: Final = 1024
"""Default of mkfs for a card of this size."""


@pytest.mark.parametrize("block_bytes", [DEFAULT_BLOCK_BYTES, 4096])
def test_delivered_record_makes_room_on_a_full_card(tmp_path: Path, block_bytes: int) -> None:
    """Prune deletes the delivered files, hours early; the other files stay."""
    with (
        small_disk(tmp_path, CARD_MB, block_bytes) as card,
        running_backend(tmp_path / "backend") as backend,
        device(
            tmp_path / "van",
            state={"dir": str(card / "state"), "reserve_mb": 1},
            camera=SETTINGS["camera"],
            backend=towards(backend),
        ) as van,
    ):

        def press() -> dict[str, Any]:
            pressed = van.run("capture", "--once")
            assert pressed.returncode == 0, pressed.stderr
            return dict(json.loads(pressed.stdout))

        delivered = [press(), press()]
        van.start("capture")  # it takes the receipts
        assert van.run("sync", "--once").returncode == 0
        van.stop("capture")
        waiting = press()
        fill(card)

        pruned = van.run("prune")

        assert pruned.returncode == 0, pruned.stderr
        assert len(list(van.layout.records.glob("*.rec"))) == 1
        assert van.run("sync", "--once").returncode == 0
        states = [state_of(van, reply) for reply in (*delivered, waiting)]
        assert states == ["PRUNED", "PRUNED", "DELIVERED"]
        assert van.run("verify", str(backend.data / "received")).returncode == 0
