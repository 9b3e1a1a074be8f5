"""A device that sends in batches: on the road, and in its cradle; with real processes."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.sync.batches import IDLE_S, LOOK_EVERY_S
from agent.sync.loop import LOOK_S
from tests.scenarios.faults import CRADLE, known_to, press, state_of
from tests.support.backend import Backend, running_backend
from tests.support.device import Device, device

pytestmark = pytest.mark.slow


@pytest.fixture
def van(tmp_path: Path, backend: Backend) -> Iterator[Device]:
    tables: dict[str, Any] = known_to(backend) | {"sync": {"batch_minutes": 15}}
    with device(tmp_path / "van", **tables) as made:
        made.start("capture")
        made.start("sync")
        yield made


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as one:
        yield one


def test_record_waits_for_the_next_batch_and_is_sent_at_once_in_the_cradle(van: Device) -> None:
    def sync_is(state: str) -> bool:
        told = van.ask("sync", {"status": True})
        return told is not None and told["state"] == state

    van.await_that(lambda: sync_is("batch"), IDLE_S + 20)
    reply = press(van)
    time.sleep(LOOK_S + 1)  # a device without batches has sent it by then
    on_the_road, told = state_of(van, reply), van.run("status").stdout

    van.set_world(CRADLE)
    van.await_that(lambda: state_of(van, reply) == "DELIVERED", LOOK_EVERY_S + 10)

    assert on_the_road == "PENDING"
    assert "why       the device sends in batches" in told
    assert "sync      waiting for its next batch, " in told
    assert ", sends every 15 minutes" in told
    van.await_that(lambda: sync_is("idle"))
