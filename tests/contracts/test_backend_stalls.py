"""A store that stalls: whoever needs it is told 503 in time, and nobody else waits."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from tests.backend.engines.opening import open_database
from tests.backend.process import Backend, running_backend
from tests.support.factory import RecordMaker, new_id
from tests.support.waiting import until
from tests.support.wire import record, speaking_to

pytestmark = pytest.mark.slow


def sent(backend: Backend, capture_id: str, content: bytes) -> tuple[Any, float]:
    """The answer to a whole record, and after how long it came."""
    began_s = time.monotonic()
    with speaking_to(backend.base_url, backend.ca_file) as wire:
        answer = wire.post(capture_id, content, content)
    return answer, time.monotonic() - began_s


def test_who_needs_no_store_is_answered_at_once_while_others_wait_for_it(
    tmp_path: Path, maker: RecordMaker
) -> None:
    """Somebody else writes to the database, and goes on doing so."""
    content = record(maker, capture_id := new_id())
    with (
        running_backend(tmp_path) as backend,
        closing(open_database(tmp_path, "backend")) as database,
        requests.Session() as session,
        ThreadPoolExecutor(1) as elsewhere,
    ):
        session.trust_env, session.verify = False, str(backend.ca_file)
        alive = f"{backend.base_url}/healthz"
        session.get(alive, timeout=10)
        with database.together():
            posted = elsewhere.submit(sent, backend, capture_id, content)
            waits_s = []
            while not posted.done():
                waits_s.append(session.get(alive, timeout=10).elapsed.total_seconds())
                time.sleep(0.05)
        answer, took_s = posted.result()

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert 2 < took_s < 4.5  # 3 s, on a machine that is busy
        assert len(waits_s) > 5
        assert max(waits_s) < 1
        with speaking_to(backend.base_url, backend.ca_file) as wire:
            until(lambda: wire.head(capture_id).status_code == 200)  # it was begun afterwards
            assert "Doorstep-Receipt" in wire.patch(capture_id, 0, content).headers
