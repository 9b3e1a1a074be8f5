"""Health and readiness: the answers, their readers, and the time they may take."""

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from doorstep_backend import health
from doorstep_backend.engines.opening import open_database
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.health import Check, Readiness
from tests.support.engines import only_folder
from tests.support.live_pages import Live
from tests.support.waiting import until


def asked(live: Live, path: str, method: str = "GET", **headers: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(live.ca_file)
        return session.request(method, live.url + path, headers=headers, timeout=10)


def missing(*checks: Check) -> list[str]:
    return asyncio.run(Readiness(checks).missing())


def test_health_and_readiness_say_ok(unchanged: Live) -> None:
    answers = [asked(unchanged, path) for path in ("/healthz", "/readyz")]

    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "ok\n")] * 2
    assert asked(unchanged, "/readyz", "HEAD").status_code == 200
    assert asked(unchanged, "/readyz", "POST").headers["Allow"] == "GET, HEAD"


@only_folder
def test_readiness_names_an_unavailable_store_in_one_line(unchanged: Live) -> None:
    """Readiness recovers by itself, and the process answers meanwhile."""
    place = unchanged.demo_office.folder / "received"
    place.rename(away := place.with_suffix(".away"))
    try:
        trouble = until(lambda: trouble_of(unchanged))
        alive = asked(unchanged, "/healthz")
    finally:
        away.rename(place)

    assert trouble.startswith("objects: received/ takes no file (")
    assert trouble.count("\n") == 1
    assert alive.status_code == 200
    until(lambda: asked(unchanged, "/readyz").ok)


def trouble_of(live: Live) -> str:
    answer = asked(live, "/readyz")
    return answer.text if answer.status_code == 503 else ""


def test_forwarded_request_reads_neither_health_nor_readiness(unchanged: Live) -> None:
    """A proxy adds the header to all that it forwards; a caller without a proxy may add it too."""
    for path in ("/healthz", "/readyz"):
        assert asked(unchanged, path, **{"X-Forwarded-For": "127.0.0.1"}).status_code == 404


def test_a_row_that_waits_for_an_intake_is_ready(tmp_path: Path) -> None:
    """On SQLite every write waits for the one that is under way."""
    database, intake = open_database(tmp_path, "backend"), open_database(tmp_path, "backend")
    check, began = health.database("backend", database), threading.Event()

    def take_in() -> None:
        with intake.transaction():
            began.set()
            time.sleep(0.5)

    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(take_in)
        began.wait()
        assert missing(check) == []
    assert database.execute("SELECT count(*) FROM probes").fetchone()[0] == 0


def test_frequent_question_gets_the_fresh_result_of_the_last_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "FRESH_S", 60.0)
    looks: list[int] = []

    async def poll() -> list[list[str]]:
        readiness = Readiness([Check("store", lambda: looks.append(1))])
        return [await readiness.missing() for _ in range(5)]

    assert asyncio.run(poll()) == [[]] * 5
    assert looks == [1]


def test_checks_run_once_for_all_askers_while_another_check_stalls() -> None:
    looks: list[int] = []

    async def poll() -> None:
        checks = [
            Check("store", lambda: looks.append(1)),
            Check("objects", lambda: time.sleep(0.3)),
        ]
        readiness = Readiness(checks)
        asked = []
        for _ in range(5):
            asked.append(asyncio.create_task(readiness.missing()))
            await asyncio.sleep(0.02)
        assert await asyncio.gather(*asked) == [[]] * 5

    asyncio.run(poll())
    assert looks == [1]


def test_late_failure_of_a_check_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go_on, ends = threading.Event(), threading.Event()
    monkeypatch.setattr(health, "WITHIN_S", 0.1)
    monkeypatch.setattr(health, "FRESH_S", 0.0)

    def fail_late() -> None:
        go_on.wait(60)
        ends.set()
        raise Unavailable("away")

    async def poll() -> list[list[str]]:
        readiness = Readiness([Check("store", fail_late)])
        first = await readiness.missing()
        go_on.set()
        await asyncio.to_thread(ends.wait)
        await asyncio.sleep(0.1)
        return [first, await readiness.missing()]

    assert asyncio.run(poll()) == [["store: no answer within 0.1 s"], ["store: away"]]
    gc.collect()
    assert caplog.records == []


def test_stalled_check_runs_once_and_its_failure_is_named_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stalled check holds up no other check, and repeated questions take no further threads."""
    monkeypatch.setattr(health, "WITHIN_S", 0.1)
    monkeypatch.setattr(health, "FRESH_S", 0.0)
    first, second = threading.Event(), threading.Event()
    stalls = iter([first, second])

    def stall() -> None:
        next(stalls).wait(60)
        raise Unavailable("connection refused")

    def fail() -> None:
        raise Unavailable("away")

    async def poll() -> list[list[str]]:
        both = Readiness([Check("store", stall), Check("register", fail)])
        found = [await both.missing(), await both.missing()]
        first.set()
        await asyncio.sleep(0.1)
        found.append(await both.missing())
        second.set()
        return found

    late, away = "store: no answer within 0.1 s", "register: away"
    why = f"{late}; the time before: connection refused"
    assert asyncio.run(poll()) == [[late, away], [late, away], [why, away]]
