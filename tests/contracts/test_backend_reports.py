"""The status on a device's requests, and the fleet's status for other systems."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPSConnection
from typing import Any
from uuid import uuid4

import pytest

from agent.status import header
from agent.status.metrics import CONTENT_TYPE
from doorstep_backend.engines.opening import open_database
from doorstep_backend.identity.clients import ClientKind
from tests.backend.reports.samples import document, waits
from tests.support.backend import Backend
from tests.support.enrolment import EnrolledDevice, technician
from tests.support.factory import new_id
from tests.support.wire import Wire, record, speaking_to


@pytest.fixture(scope="module")
def puller(guarded: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """Another system, with a client's certificate."""
    folder, name = tmp_path_factory.mktemp("puller"), f"puller-{uuid4()}"
    file = technician(guarded, folder, name, ClientKind.CLIENT)
    with speaking_to(guarded.base_url, guarded.ca_file, (file, file)) as wire:
        yield wire


def told(wire: Wire, van: EnrolledDevice) -> dict[str, Any]:
    """Return the status of this device as other systems read it."""
    answer = wire.get("/fleet/status?limit=1000")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    found: list[dict[str, Any]] = answer.json()["devices"]
    return next(one for one in found if one["id"] == van.device_id)


def said(van: EnrolledDevice, **changes: Any) -> dict[str, Any]:
    made = document(datetime.now(UTC), van.device_id, **changes)
    return {header.NAME: header.encoded(made)}


# --- the report rides on requests


def test_status_is_read_from_every_request_that_carries_it(
    van: EnrolledDevice, puller: Wire
) -> None:
    wire, capture_id = van.wire(), new_id()
    content = record(van.maker, capture_id)
    requests: list[Callable[..., Any]] = [
        lambda **more: van.get("/manifest", **more),
        lambda **more: van.get("/fleet", **more),
        lambda **more: wire.post(capture_id, content, **more),
        lambda **more: wire.head(capture_id, **more),
        lambda **more: wire.patch(capture_id, 0, content, **more),
    ]

    statuses, waiting = [], []
    for number, request in enumerate(requests, 1):
        statuses.append(request(**said(van, queue=waits(number))).status_code)
        waiting.append(told(puller, van)["status"]["queue"]["waiting"])

    assert statuses == [404, 200, 201, 200, 204]
    assert waiting == [1, 2, 3, 4, 5]


def test_need_is_reported_with_its_words_and_its_hour(van: EnrolledDevice, puller: Wire) -> None:
    van.get("/fleet", **said(van, needs=["refused"], bench_mode=True))

    found = told(puller, van)

    assert (found["state"], found["unreadable"]) == ("in", None)
    assert [one["need"] for one in found["needs"]] == ["refused"]
    assert found["needs"][0]["what"] == "the backend has refused records, with its signature"
    assert [one["need"] for one in found["notes"]] == ["bench_mode"]
    assert found["received_at"].endswith(":00:00.000Z")
    assert found["status"]["utc"].endswith(":00:00.000Z")


def test_device_that_never_reported_is_listed_too(van: EnrolledDevice, puller: Wire) -> None:
    found = told(puller, van)

    assert (found["received_at"], found["status"]) == (None, None)
    assert [one["need"] for one in found["needs"]] == ["never_reported"]


def test_unreadable_header_harms_no_request_and_is_reported(
    van: EnrolledDevice, puller: Wire
) -> None:
    """The report before it stays, and the next one ends it."""
    wire = van.wire()
    van.get("/fleet", **said(van))
    wrong = {
        "was it cut": said(van)[header.NAME][:-9],
        "another device": header.encoded(document(datetime.now(UTC), "van-of-others")),
    }

    for why, given in wrong.items():
        capture_id = new_id()
        content = record(van.maker, capture_id)
        answer = wire.post(capture_id, content, content, **{header.NAME: given})
        assert answer.status_code == 201
        assert "Doorstep-Receipt" in answer.headers
        found = told(puller, van)
        assert why in found["unreadable"]
        assert [one["need"] for one in found["needs"]] == ["unreadable"]
        assert found["status"]["agent"] == "2026.12.0"

    log = van.backend.log()
    assert log.count(f"event=report_unreadable device_id={van.device_id}") == 1
    van.get("/fleet", **said(van))
    assert told(puller, van)["unreadable"] is None


def test_two_headers_are_none(van: EnrolledDevice, puller: Wire) -> None:
    """Nobody knows which of them something on the way has put there."""
    given = header.encoded({"v": 1})
    context = ssl.create_default_context(cafile=str(van.backend.ca_file))
    context.load_cert_chain(*van.identity.files)
    with closing(HTTPSConnection("127.0.0.1", van.backend.port, context=context)) as line:
        line.putrequest("GET", "/fleet")
        line.putheader(header.NAME, given)
        line.putheader(header.NAME, given)
        line.endheaders()
        assert line.getresponse().status == 200

    assert "base64url" in told(puller, van)["unreadable"]


def test_refused_device_reports_nothing(van: EnrolledDevice, puller: Wire) -> None:
    van.get("/fleet", **said(van))
    van.backend.command("devices", "revoke", van.device_id)

    assert van.get("/fleet", **said(van, needs=["damaged"])).status_code == 403

    found = told(puller, van)
    assert found["state"] == "revoked"
    assert [one["need"] for one in found["needs"]] == ["revoked"]
    assert found["status"]["needs"] == []


def test_a_command_that_writes_for_long_holds_no_request_up(
    van: EnrolledDevice, puller: Wire
) -> None:
    """The report is lost, and the next one comes."""
    van.get("/fleet", **said(van))
    db = open_database(van.backend.data, "backend")
    with db.exclusive_transaction():
        db.execute("UPDATE reports SET worst = worst")
        began_s = time.monotonic()
        assert van.get("/fleet", **said(van, needs=["full"])).status_code == 200
        assert time.monotonic() - began_s < 4  # by itself SQLite would wait for 5 s

    assert told(puller, van)["needs"] == []
    van.get("/fleet", **said(van, needs=["full"]))
    assert [one["need"] for one in told(puller, van)["needs"]] == ["full"]


def test_nothing_is_kept_without_identity_and_nobody_reads(wire: Wire, backend: Backend) -> None:
    """Anybody could say that they are a device."""
    given = {header.NAME: header.encoded(document(datetime.now(UTC), "van-1"))}

    wire.get("/fleet", **given)

    assert wire.get("/fleet/status").status_code == 404
    assert wire.get("/metrics").status_code == 404
    db = open_database(backend.data, "backend")
    assert db.execute("SELECT count(*) FROM reports").fetchone() == (0,)


# --- what other systems ask


def test_the_fleet_is_read_page_by_page_and_each_device_once(
    guarded: Backend, puller: Wire, van: EnrolledDevice
) -> None:
    guarded.command("devices", "add", *(f"page-{van.device_id}-{n}" for n in range(5)))
    seen: list[str] = []
    after: str | None = ""
    pages = 0
    while after is not None:
        query = "limit=2" + (f"&after={after}" if after else "")
        page = puller.get(f"/fleet/status?{query}").json()
        assert 1 <= len(page["devices"]) <= 2
        seen += [one["id"] for one in page["devices"]]
        after, pages = page["next"], pages + 1

    assert seen == sorted(set(seen))
    assert van.device_id in seen
    assert pages == -(-len(seen) // 2)
    assert "Exception ignored" not in guarded.log()


def test_only_who_has_a_need_is_asked_for(van: EnrolledDevice, puller: Wire) -> None:
    van.get("/fleet", **said(van, needs=["torn"], bench_mode=True))

    found = puller.get("/fleet/status?need=torn").json()
    assert [one["id"] for one in found["devices"]] == [van.device_id]
    assert found["next"] is None
    noted = puller.get("/fleet/status?need=bench_mode&limit=1000").json()["devices"]
    assert van.device_id in [one["id"] for one in noted]
    van.get("/fleet", **said(van))
    assert puller.get("/fleet/status?need=torn").json() == {"devices": [], "next": None}


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("limit=0", "limit is not a number from 1 to 1000"),
        ("limit=1001", "limit is not"),
        ("limit=-1", "limit is not"),
        ("limit=1e2", "limit is not"),
        ("limit=", "limit is not"),
        ("limit=" + "9" * 5_000, "limit is not"),
        ("limit=%D9%A1", "limit is not"),
        ("limit=5&limit=5", "limit is there twice"),
        ("after=", "after is no device id"),
        ("after=-1", "after is no device id"),
        ("after=" + "a" * 64, "after is no device id"),
        ("after=%00", "after is no device id"),
        ("after=a%0A", "after is no device id"),
        ("need=gremlins", "there is no such need; there are clone, certificate_ended"),
        ("need=next", "there is no such need"),
        ("state=in", "there is no such parameter; there are after, limit, need"),
    ],
)
def test_invalid_question_is_400_with_a_sentence(puller: Wire, query: str, why: str) -> None:
    answer = puller.get(f"/fleet/status?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(why)


def test_the_fleet_is_numbers_for_prometheus(van: EnrolledDevice, puller: Wire) -> None:
    """The list is made at most every ten seconds: this device may be in the next one."""
    van.get("/fleet", **said(van, needs=["full"], queue=waits(3, datetime.now(UTC))))
    wanted = f'doorstep_needs{{device="{van.device_id}",need="full"}} 1.0'
    for _ in range(30):
        answer = puller.get("/metrics")
        if wanted in answer.text:
            break
        time.sleep(0.5)

    lines = answer.text.splitlines()
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    assert answer.headers["Cache-Control"] == "no-store"
    assert wanted in lines
    assert f'doorstep_waiting_records{{device="{van.device_id}"}} 3.0' in lines
    assert "doorstep_erasure_overdue_seconds 0.0" in lines
    assert "doorstep_quiet" not in answer.text
