"""Capture deletes what receipts cover: a page of records a second, once an hour."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.capture.pruning import EVERY_S, FIRST_S
from agent.models import RecordState
from agent.queue.retention import PAGE
from agent.record import signing
from agent.trust.certain import Agreement
from agent.trust.store import KeptTime, TrustStore
from hardware.board import Board
from hardware.clock import BUILT
from hardware.clock_system import boot_id
from hardware.errors import DeviceError
from hardware.settings import BoardSettings
from tests.support.benchtop import Bench, Parts, bench
from tests.support.factory import MOMENT

KEY = signing.new_key()


class NoCamera(Parts):
    """Devices of which one does not open."""

    def open(self, _settings: BoardSettings, _run_dir: Path, floor: datetime) -> Board:
        raise DeviceError(f"no camera since {floor}")


def deliver(device: Bench, count: int) -> None:
    """Press, and deliver so many of the records that wait."""
    while device.states().count(RecordState.PENDING) <= count:
        device.press()
    waiting = [item for item in device.rows() if item.state is RecordState.PENDING]
    device.deliver(waiting[:count], KEY)


def make_certain(device: Bench, now: datetime) -> None:
    known = KeptTime(BUILT, Agreement(boot_id(), now, 0.0))
    TrustStore(device.layout).keep_time(known)


def settings(folder: Path) -> dict[str, dict[str, Any]]:
    key_file = folder / "receipt.pem"
    key_file.write_bytes(signing.public_pem(KEY.public_key()))
    return {"backend": {"url": "https://backend.example", "receipt_keys": [str(key_file)]}}


def files(device: Bench) -> int:
    return len(list(device.layout.records.glob("*.rec")))


def test_a_page_is_deleted_each_second_once_an_hour(tmp_path: Path) -> None:
    with bench(tmp_path, Parts(), **settings(tmp_path)) as device:
        deliver(device, PAGE + 3)
        make_certain(device, MOMENT + timedelta(days=30))
    parts, kept = Parts(), list[int]()
    with bench(tmp_path, parts, **settings(tmp_path)) as device:
        total = files(device)
        for seconds in (FIRST_S - 2, 2, 1, 1):
            device.tick(seconds)
            kept.append(total - files(device))
        deliver(device, 1)
        total = files(device)
        for seconds in (1, EVERY_S):
            device.tick(seconds)
            device.tick(1)  # the receipts fill two pages
            kept.append(total - files(device))

    assert kept == [0, PAGE, PAGE + 3, PAGE + 3, 0, 1]


def test_nothing_is_deleted_for_its_age_while_no_time_is_certain(tmp_path: Path) -> None:
    with bench(tmp_path, Parts(), **settings(tmp_path)) as device:
        deliver(device, 2)
        before = files(device)
        device.tick(FIRST_S)
        device.tick()

    assert files(device) == before


def test_a_record_that_cannot_be_deleted_stops_no_press(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with bench(tmp_path, Parts(), **settings(tmp_path)) as device:
        deliver(device, 1)
        make_certain(device, MOMENT + timedelta(days=30))
    with bench(tmp_path, Parts(), **settings(tmp_path)) as device:
        path = device.layout.record(device.rows()[0].capture_id)
        path.unlink()
        path.mkdir()
        device.tick(FIRST_S)
        is_ready = device.loop.status()["writable"]

    assert is_ready
    assert caplog.text.count("event=prune_failed") == 1


def test_a_device_whose_camera_fails_keeps_no_photo_for_ever(tmp_path: Path) -> None:
    with bench(tmp_path, Parts(), **settings(tmp_path)) as device:
        deliver(device, PAGE + 1)
        make_certain(device, MOMENT + timedelta(days=30))
    with pytest.raises(DeviceError), bench(tmp_path, NoCamera(), **settings(tmp_path)):
        pass

    assert files(device) == 1
