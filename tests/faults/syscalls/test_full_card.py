"""A card of 8 MB without a byte left, under the real commands."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from agent.queue.disk import BALLAST_BYTES
from tests.scenarios.faults import check_delivered
from tests.support.backend import Backend, running_backend
from tests.support.device import Device, device, towards
from tests.support.factory import fill, small_disk

pytestmark = pytest.mark.slow

CARD_MB: Final = 8
SMALL: Final = {"kind": "simulated", "width_px": 320, "height_px": 240}
"""A photo of 20 KB: several have room beside the ballast and the reserve."""

DEFAULT_BLOCK_BYTES: Final = 1024
"""What mkfs takes for a card as small as this."""


@dataclass(frozen=True, slots=True)
class Van:
    """A device whose state lies on the small card."""

    device: Device
    card: Path
    backend: Backend

    def press(self) -> dict[str, Any]:
        """One press, by a command that sees it to its end."""
        done = self.device.run("capture", "--once")
        assert done.stdout, done.stderr
        reply: dict[str, Any] = json.loads(done.stdout)
        refused = reply["record"].get("reason") == "storage_full"
        assert done.returncode == (70 if refused else 0), done.stderr
        return reply

    def states(self, *replies: dict[str, Any]) -> list[str]:
        """The states of these presses' records now."""
        known = {row["capture_id"]: str(row["state"]) for row in self.device.queue()}
        return [known[reply["label"]["capture_id"]] for reply in replies]

    def files(self) -> int:
        return len(list(self.device.layout.records.glob("*.rec")))

    def check_all_sent(self) -> None:
        """Everything that was ever made lies at the backend, and is one chain."""
        sent = self.device.run("sync", "--once")
        assert sent.returncode == 0, sent.stdout + sent.stderr
        verified = self.device.run("verify", str(self.backend.data / "received"))
        assert verified.returncode == 0, verified.stdout


@pytest.fixture(params=[DEFAULT_BLOCK_BYTES, 4096])
def van(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Van]:
    with _van(tmp_path, request.param) as one:
        yield one


@contextmanager
def _van(folder: Path, block_bytes: int) -> Iterator[Van]:
    with (
        small_disk(folder, CARD_MB, block_bytes) as card,
        running_backend(folder / "backend") as backend,
    ):
        state = {"dir": str(card / "state"), "reserve_mb": 1}
        with device(folder / "van", state=state, camera=SMALL, backend=towards(backend)) as van:
            yield Van(van, card, backend)


def test_a_press_on_a_full_card_is_refused_with_its_record_and_that_is_sent(van: Van) -> None:
    """The ballast gives way: the refusal is kept, and sync can mark what it has sent."""
    kept = [van.press()]
    filler = fill(van.card)

    refused = [van.press() for _ in range(2)]

    assert [one["record"].get("reason") for one in refused] == ["storage_full"] * 2
    assert van.states(*kept, *refused) == ["PENDING"] * 3
    sent = van.device.run("sync", "--once")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert van.states(*kept, *refused) == ["DELIVERED"] * 3
    check_delivered(van.device, van.backend)
    filler.unlink()
    assert van.press()["label"]["kind"] == "photo"
    van.check_all_sent()


def test_what_a_receipt_covers_makes_room_on_a_full_card(van: Van) -> None:
    """Prune deletes the delivered files but the newest, long before their hours; the rest stays."""
    delivered = [van.press() for _ in range(2)]
    assert van.device.run("sync", "--once").returncode == 0
    waiting = van.press()
    fill(van.card)

    pruned = van.device.run("prune")

    assert pruned.returncode == 0, pruned.stderr
    assert van.states(*delivered, waiting) == ["PRUNED", "PRUNED", "PENDING"]
    assert van.files() == 1
    van.check_all_sent()


def test_the_daemons_live_through_a_full_card(van: Van) -> None:
    """Capture refuses and goes on, sync sends and marks, and the ballast is there again."""
    van.device.start("capture")
    van.device.start("sync")
    kept = van.device.press()
    van.device.await_that(lambda: van.states(kept) == ["DELIVERED"])  # or its row takes the ballast
    filler = fill(van.card)

    refused = van.device.press()

    assert refused["record"]["reason"] == "storage_full"
    van.device.await_that(lambda: van.states(refused) == ["DELIVERED"])
    assert van.states(kept)[0] in {"DELIVERED", "PRUNED"}
    status = json.loads(van.device.run("status", "--json").stdout)
    assert status["capture"]["ready"] is False
    filler.unlink()
    ballast = van.device.layout.ballast
    van.device.await_that(lambda: ballast.stat().st_size == BALLAST_BYTES)
    assert van.device.press()["label"]["kind"] == "photo"
    assert "Traceback" not in van.device.log("capture") + van.device.log("sync")
    van.check_all_sent()
