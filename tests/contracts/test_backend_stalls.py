"""A store that stalls: a client that needs it gets 503 in time, and nobody else waits."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from agent.record import signing
from doorstep_backend.engines.opening import URL, open_database
from doorstep_backend.identity.clients import ClientKind
from doorstep_backend.pages import PREFIX
from tests.support.backend import Backend, running_backend
from tests.support.engines import only_sqlite
from tests.support.enrolment import EnrolledDevice, ask, asked, technician
from tests.support.factory import RecordMaker, new_id
from tests.support.people import CUSTOMER, browser
from tests.support.postgres import Postgres, running_postgres
from tests.support.waiting import until
from tests.support.wire import record, speaking_to

LATE_S: Final = 4.5
"""Longest 503 that is allowed here: 3 s, on a machine that is busy."""

pytestmark = pytest.mark.slow


def sent(backend: Backend, capture_id: str, content: bytes) -> tuple[Any, float]:
    """The answer to a whole record, and after how long it came."""
    began_s = time.monotonic()
    with speaking_to(backend.base_url, backend.ca_file) as wire:
        answer = wire.post(capture_id, content, content)
    return answer, time.monotonic() - began_s


def waits_of_alive(backend: Backend, *meanwhile: Future[Any]) -> list[float]:
    """Return the waits of requests that need no store, one after the other until these are done."""
    waits_s = []
    with browser(backend) as session:
        while not all(one.done() for one in meanwhile):
            answer = session.get(f"{backend.base_url}/healthz", timeout=10)
            waits_s.append(answer.elapsed.total_seconds())
            time.sleep(0.05)
    return waits_s


@only_sqlite
def test_client_that_needs_no_store_is_answered_while_others_wait(
    tmp_path: Path, maker: RecordMaker
) -> None:
    """Somebody else writes to the database, and goes on doing so; there is one lock for all."""
    content = record(maker, capture_id := new_id())
    with (
        running_backend(tmp_path) as backend,
        closing(open_database(tmp_path, "backend")) as database,
        ThreadPoolExecutor(1) as elsewhere,
    ):
        with database.exclusive_transaction():
            posted = elsewhere.submit(sent, backend, capture_id, content)
            waits_s = waits_of_alive(backend, posted)
        answer, took_s = posted.result()

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert 2 < took_s < LATE_S
        assert len(waits_s) > 5
        assert max(waits_s) < 1
        with speaking_to(backend.base_url, backend.ca_file) as wire:
            until(lambda: wire.head(capture_id).status_code == 200)  # it was begun afterwards
            assert "Doorstep-Receipt" in wire.patch(capture_id, 0, content).headers


@pytest.fixture
def stalling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Postgres, Backend]]:
    """A backend with identity and the demo's people, and its PostgreSQL."""
    with running_postgres(fsync=False) as server:
        monkeypatch.setenv(URL, server.url)
        backend = Backend(tmp_path / "backend", switches=False, demo_accounts=True, identity=True)
        try:
            yield server, backend.start()
        finally:
            backend.kill()


def test_people_and_systems_read_of_a_stall_of_postgresql_and_nobody_else_waits(
    stalling: tuple[Postgres, Backend], tmp_path: Path
) -> None:
    server, backend = stalling
    page = f"{backend.base_url}{PREFIX}/delivery-photos"
    numbers = [f"{backend.base_url}{path}" for path in ("/metrics", "/fleet/status")]
    client = technician(backend, tmp_path, "dispatch", ClientKind.CLIENT)
    with (
        browser(backend, CUSTOMER) as person,
        speaking_to(backend.base_url, backend.ca_file, (client, client)) as system,
        ThreadPoolExecutor(3) as elsewhere,
    ):

        def all_ask() -> list[Future[requests.Response]]:
            each = [(person, page), *((system.session, one) for one in numbers)]
            return [elsewhere.submit(by.get, one, timeout=30) for by, one in each]

        before = [one.result().status_code for one in all_ask()]
        server.stall()
        try:
            waiting = all_ask()
            waits_s = waits_of_alive(backend, *waiting)
        finally:
            server.go_on()
        answers = [one.result() for one in waiting]
        until(lambda: [one.result().status_code for one in all_ask()] == before)

    assert before == [200, 200, 200]
    assert [(one.status_code, one.headers["Retry-After"]) for one in answers] == [(503, "10")] * 3
    assert "We cannot do this now." in answers[0].text
    assert max(one.elapsed.total_seconds() for one in answers) < LATE_S
    assert len(waits_s) > 5
    assert max(waits_s) < 1


def test_a_record_and_a_certificate_at_once_wait_for_each_other_no_longer_than_for_a_step(
    van: EnrolledDevice,
) -> None:
    """On SQLite, intake holds the file while it asks the register, which may wait for that file."""
    stops, request = Event(), asked(van.device_id, signing.new_key())

    def renew() -> set[int]:
        told = set()
        while not stops.is_set():
            told.add(
                ask(van.backend, "simplereenroll", request, cert=van.identity.files).status_code
            )
        return told

    wire = van.wire()
    with ThreadPoolExecutor(1) as elsewhere:
        renewing = elsewhere.submit(renew)
        try:
            sent_s = [van.send(wire).elapsed.total_seconds() for _ in range(20)]
        finally:
            stops.set()

    assert renewing.result() == {200}
    assert max(sent_s) < 2
