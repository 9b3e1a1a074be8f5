"""The end of a shift with real processes: the cradle's light through an outage, kills and a cut."""

import signal
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.backend import running_backend
from tests.support.device import Device, device, towards
from tests.support.network import FaultProxy

pytestmark = pytest.mark.slow

CRADLE = "[[at]]\nsecond = 0\nexternal = true\n"

FRESH_S = 5.0
"""The light is chosen once a second; with room for a busy machine."""


def _waiting(van: Device) -> int:
    return sum(row["state"] == "PENDING" for row in van.queue())


def _rests(van: Device) -> bool:
    """Whether sync has no record in hand, and takes none so soon: one it had stays booked."""
    said = van.ask("sync", {"status": True})
    return said is not None and float(said["waits_s"]) > 0.5


def _idle(van: Device) -> list[str]:
    return [one for one in van.lights() if one in {"sending", "all_sent", "ask_office", "ready"}]


def test_green_comes_within_seconds_of_the_last_receipt_and_never_before(tmp_path: Path) -> None:
    with (
        running_backend(tmp_path / "backend") as backend,
        FaultProxy(("127.0.0.1", backend.port)) as network,
    ):
        network.reachable = False
        url = f"https://127.0.0.1:{network.port}"
        settings = {"device": {"id": f"van-{uuid4()}"}, "backend": towards(backend, url)}
        with device(tmp_path / "van", CRADLE, **settings) as van:
            van.start("capture")
            van.start("sync")
            for _ in range(3):
                van.press()
                time.sleep(0.7)  # else two presses are one
            van.await_that(lambda: "event=link_lost" in van.log("sync"))
            van.await_that(lambda: _rests(van))
            van.stop("sync", signal.SIGKILL)
            van.stop("capture", signal.SIGKILL)
            van.start("capture")
            van.await_that(lambda: _idle(van)[-1:] == ["sending"])
            assert "all_sent" not in van.lights()

            network.reachable = True
            van.start("sync")
            van.await_that(lambda: _waiting(van) == 0, 60.0)
            van.await_that(lambda: _idle(van)[-1:] == ["all_sent"], FRESH_S)
            assert van.lights().count("all_sent") == 1
