"""The system's clock is wrong and nobody vouches for it: nothing is lost, and all is sent later."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from agent.trust.store import TrustStore
from tests.support.backend import Backend, running_backend
from tests.support.device import Device, towards
from tests.support.faketime import AN_HOUR_BACK, IN_1970, TEN_YEARS_AHEAD, faked

pytestmark = pytest.mark.slow

UNSYNCED: Final = '[[at]]\nsecond = 0\nclock = "unsynced"\ngnss_time = false\n'
"""Neither NTP nor a receiver tells the time."""

WRONG: Final = {
    "an hour back": AN_HOUR_BACK,
    "ten years ahead": TEN_YEARS_AHEAD,
    "1970": IN_1970,
}

UNTRUSTED: Final = {"1970"}
"""The backend's certificate is from 2000 to 2999; Python's clock ends in 2262."""


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as one:
        yield one


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_clock_costs_no_record(tmp_path: Path, backend: Backend, name: str) -> None:
    """Pressed, sent where TLS allows, pruned by nobody's guess, and sent when it is right again."""
    settings: dict[str, Any] = {"device": {"id": f"van-{uuid4()}"}, "backend": towards(backend)}
    van = Device(tmp_path / "van", "", retention={"file_hours": 1}, **settings)
    wrong = {**os.environ, **faked(WRONG[name])}
    first = pressed(van)
    assert van.run("sync", "--once").returncode == 0
    before = pressed(van)
    assert TrustStore(van.layout).time().agreed is not None, "else prune has no time to go by"
    assert van.run("sync", "--once").returncode == 0
    van.set_world(UNSYNCED)

    during = pressed(van, env=wrong)
    sent = van.run("sync", "--once", env=wrong)
    pruned = van.run("prune", env=wrong)
    waiting = {row["capture_id"] for row in van.queue() if row["state"] == "PENDING"}
    after = pressed(van)
    last = van.run("sync", "--once")

    assert during["label"]["clock"] == "unsynced"
    assert during["label"]["utc"] > "2026", "a guess is never before the time floor"
    seqs = [one["label"]["seq"] for one in (first, before, during, after)]
    assert seqs == [2, 3, 4, 5]
    assert (sent.returncode, len(waiting)) == ((75, 1) if name in UNTRUSTED else (0, 0))
    assert pruned.returncode == 0, pruned.stderr
    assert last.returncode == 0, last.stdout + last.stderr
    rows = van.queue()
    assert [row["state"] for row in rows] == ["DELIVERED"] * 5, "prune believed a wrong clock"
    assert all(van.layout.record(row["capture_id"]).exists() for row in rows)
    verified = van.run("verify", str(van.layout.records))
    assert verified.returncode == 0, verified.stdout


def test_a_time_server_before_the_build_dates_no_record(tmp_path: Path) -> None:
    """The kernel is content with it; nobody else is."""
    van = Device(tmp_path, '[[at]]\nsecond = 0\nclock = "ntp"\ngnss_time = false\n')

    label = pressed(van, env={**os.environ, **faked(IN_1970)})["label"]

    assert label["clock"] == "unsynced"
    assert label["utc"] > "2026"


def pressed(van: Device, **options: Any) -> dict[str, Any]:
    done = van.run("capture", "--once", **options)
    assert done.returncode == 0, done.stderr
    reply: dict[str, Any] = json.loads(done.stdout)
    return reply
