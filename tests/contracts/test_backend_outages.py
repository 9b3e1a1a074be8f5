"""A real instance whose PostgreSQL or S3 fails: the table of tests/backend/docs/operate.md.

The clock is in test_backend_clocks.py, an object that vanishes later in test_backend_objects.py.
"""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Thread
from typing import Final
from uuid import uuid4

import psycopg  # noqa: TID251 - the test's own side
import pytest
import requests  # noqa: TID251 - the browser's side of the wire, not the device's

from agent.models import rfc3339
from doorstep_backend.engines.opening import PER_FOLDER, URL
from doorstep_backend.pages import PREFIX
from tests.support.backend import Backend
from tests.support.factory import new_id
from tests.support.network import FaultProxy, Line
from tests.support.people import CUSTOMER, browser
from tests.support.postgres import Postgres, asked, running_postgres
from tests.support.postgres import told as statement
from tests.support.s3 import SeaweedFS, s3_engine
from tests.support.waiting import until
from tests.support.wire import PHOTO, Wire, proven, record, speaking_to, stranger

WITHIN_S: Final = 4.5
"""Longest 503 that is allowed here: 3 s, on a machine that is busy."""

LONG_AGO: Final = timedelta(minutes=5)
"""More than a minute, after which a page notes that its session was used, and less than 30."""

pytestmark = pytest.mark.slow

Happening = AbstractContextManager[None]


@dataclass(frozen=True)
class Scene:
    """An instance, the services under it, and a person who is signed in at it."""

    server: Postgres
    url: str
    engine: SeaweedFS
    road: FaultProxy
    bucket: str
    backend: Backend
    person: requests.Session

    def page(self) -> int:
        answer = self.person.get(f"{self.backend.base_url}{PREFIX}/delivery-photos", timeout=30)
        return answer.status_code

    def rows(self, capture_id: str) -> dict[str, int]:
        tables, of_it = ("uploads", "verdicts", "pieces"), f"WHERE capture_id = '{capture_id}'"
        counted = {one: asked(self.url, f"SELECT count(*) FROM {one} {of_it}") for one in tables}
        return {one: found[0][0] for one, found in counted.items()}

    def objects(self, capture_id: str) -> list[bytes]:
        kept = self.engine.keys(self.bucket)
        return [content for key, content in kept.items() if key.startswith(f"{capture_id}/")]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder, bucket = tmp_path_factory.mktemp("outages"), f"b-{uuid4()}"
    with ExitStack() as kept:
        server = kept.enter_context(running_postgres())
        engine = kept.enter_context(s3_engine(folder / "s3"))
        road = kept.enter_context(FaultProxy(("127.0.0.1", engine.port)))
        url = server.new_database()
        changed = kept.enter_context(pytest.MonkeyPatch.context())
        changed.setenv(URL, url)
        changed.delenv(PER_FOLDER, raising=False)
        engine.bucket(bucket)
        address = f"s3://{bucket}?endpoint=http://127.0.0.1:{road.port}"
        backend = Backend(
            folder / "backend", switches=True, demo_accounts=True, objects=address
        ).start()
        kept.callback(backend.kill)
        person = kept.enter_context(browser(backend, CUSTOMER))
        yield Scene(server, url, engine, road, bucket, backend, person)


@contextmanager
def between(begin: Callable[[], object], end: Callable[[], object]) -> Iterator[None]:
    begin()
    try:
        yield
    finally:
        end()


def ended(scene: Scene) -> Happening:
    return between(scene.server.stop, scene.server.start)


def stalled(scene: Scene) -> Happening:
    return between(scene.server.stall, scene.server.go_on)


@contextmanager
def locked(scene: Scene) -> Iterator[None]:
    """Somebody else has the table, for as long as they like."""
    with psycopg.connect(scene.url) as connection:
        connection.execute("LOCK TABLE uploads IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def full(scene: Scene) -> Iterator[None]:
    """Fill the disk of the pieces; no part of a record in pieces is kept."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk that is small enough to fill")
    with scene.server.small_disk("1m") as place:
        scene.server.tell(f"CREATE TABLESPACE small LOCATION '{place}'")
        statement(scene.url, "ALTER TABLE pieces SET TABLESPACE small")
        (place / "ballast").write_bytes(bytes(900_000))
        try:
            yield
        finally:
            (place / "ballast").unlink()
            statement(scene.url, "ALTER TABLE pieces SET TABLESPACE pg_default")
            scene.server.tell("CHECKPOINT")  # until then it keeps what it moved
            scene.server.tell("DROP TABLESPACE small")


@contextmanager
def read_only(scene: Scene) -> Iterator[None]:
    """Make new connections read-only, and end all old ones.

    The person's session was used long ago, which the next page notes.
    """
    statement(scene.url, f"UPDATE sessions SET used = '{rfc3339(datetime.now(UTC) - LONG_AGO)}'")
    change = f"ALTER DATABASE {scene.url.rpartition('/')[2]}"
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name"
    scene.server.tell(f"{change} SET default_transaction_read_only = on")
    scene.server.tell(f"{end} = 'doorstep'")
    try:
        yield
    finally:
        scene.server.tell(f"{change} RESET default_transaction_read_only")


@contextmanager
def restarted_in_the_middle(scene: Scene) -> Iterator[None]:
    """Once it has begun to take the record in, which S3 makes last."""
    within = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction'"

    def restart() -> None:
        until(lambda: asked(scene.url, within), every_s=0.01)
        scene.server.stop()
        scene.server.start()

    thread = Thread(target=restart)
    with delayed(scene, 0.6):
        thread.start()
        try:
            yield
        finally:
            thread.join()


def refused(scene: Scene) -> Happening:
    def reach(is_reachable: bool) -> None:
        scene.road.reachable = is_reachable
        scene.road.cut()

    return between(partial(reach, False), partial(reach, True))


def paused(scene: Scene) -> Happening:
    return between(scene.engine.pause, scene.engine.go_on)


def slow(scene: Scene) -> Happening:
    return delayed(scene, 5.0)


def delayed(scene: Scene, delay_s: float) -> Happening:
    """Each part of an answer of S3 comes later."""

    def delay(by_s: float) -> None:
        scene.road.down = Line(delay_s=by_s)
        scene.road.cut()

    return between(partial(delay, delay_s), partial(delay, 0.0))


def denying(scene: Scene) -> Happening:
    """The backend's keys are wrong now: SeaweedFS reads its identities again."""
    file = scene.engine.folder / "s3.json"
    before = file.read_text()
    changed = json.loads(before)
    changed["identities"][1]["credentials"][0]["secretKey"] = "another"

    def tell(identities: str) -> None:
        file.write_text(identities)
        scene.engine.signal(signal.SIGHUP)

    return between(partial(tell, json.dumps(changed)), partial(tell, before))


def without_its_bucket(scene: Scene) -> Happening:
    admin, bucket = scene.engine.admin, scene.bucket

    def delete() -> None:
        for key in scene.engine.keys(bucket):
            admin.delete_object(Bucket=bucket, Key=key)
        admin.delete_bucket(Bucket=bucket)

    return between(delete, lambda: admin.create_bucket(Bucket=bucket))


def vanishing(scene: Scene) -> Happening:
    """Somebody deletes what was put, before it is read back."""
    return meddled(scene, scene.engine.admin.delete_object)


def changing(scene: Scene) -> Happening:
    """Somebody writes over it."""
    return meddled(scene, partial(scene.engine.admin.put_object, Body=b"something else"))


def meddled(scene: Scene, meddle: Callable[..., object]) -> Happening:
    asks = f"GET /{scene.bucket}/".encode()

    def before(said: bytes) -> None:
        if said.startswith(asks):
            key = said.removeprefix(asks).split(b" ")[0].decode()
            meddle(Bucket=scene.bucket, Key=key)

    def listen(heard: Callable[[bytes], object]) -> None:
        scene.road.heard = heard

    return between(partial(listen, before), partial(listen, bytes))


@dataclass(frozen=True)
class Misfortune:
    """A fault, its log event, the possible statuses of a page meanwhile, and the sent photo.

    While nothing can be written, a page is 503 once a minute: it notes that the session was used.

    Attributes:
        says: a pattern.
        unready: what /readyz names; None where a row and an object of a byte are still taken.
    """

    happens: Callable[[Scene], Happening]
    says: str
    pages: tuple[int, ...] = (200,)
    photo: bytes = PHOTO
    unready: str | None = None


ROWS: Final = "database backend: "
OBJECTS: Final = "objects: "
LATE: Final = "no answer within 2 s"

OUTAGES: Final = (
    Misfortune(ended, "Connection refused", (503,), unready=ROWS),
    Misfortune(  # on a connection that was open, or on a new one
        stalled,
        "no answer within 2.5 s|no connection to PostgreSQL within 2 s",
        (503,),
        unready=ROWS,
    ),
    Misfortune(locked, "canceling statement due to lock timeout"),
    Misfortune(full, "No space left on device", photo=PHOTO * 5),
    Misfortune(read_only, "cannot execute INSERT in a read-only transaction", (503,), unready=ROWS),
    Misfortune(  # the connection may end before its reason is read, and the start may last
        restarted_in_the_middle,
        "terminating connection due to administrator command|closed the connection unexpectedly",
        (200, 503),
    ),
    Misfortune(refused, "does not answer", unready=OBJECTS),
    Misfortune(paused, r"does not answer \(Read timeout", unready=OBJECTS),
    Misfortune(slow, r"does not answer \(Read timeout", unready=OBJECTS),
    Misfortune(
        denying, "look at AWS_ACCESS_KEY_ID, its secret, and what it may do there", unready=OBJECTS
    ),
    Misfortune(without_its_bucket, "make it, or give another one in --objects", unready=OBJECTS),
    Misfortune(vanishing, "is read back differently than written: no receipt"),
    Misfortune(changing, "is read back differently than written: no receipt"),
)


@pytest.mark.parametrize("one", OUTAGES, ids=lambda one: one.happens.__name__)
def test_nothing_is_acknowledged_that_is_not_there_and_it_heals_by_itself(
    scene: Scene, one: Misfortune
) -> None:
    capture_id = new_id()
    content = record(stranger(), capture_id, one.photo)
    logged = len(scene.backend.log())

    with one.happens(scene), speaking_to(scene.backend.base_url, scene.backend.ca_file) as wire:
        began_s = time.monotonic()
        answer = wire.post(capture_id, content, content)
        took_s = time.monotonic() - began_s
        page = scene.page()
        if one.unready is not None:
            unready = until(scene.backend.unready, every_s=0.2)
            assert unready.startswith(one.unready)
            assert "database orders" not in unready
            assert re.search(one.says, unready) or unready.startswith(f"{one.unready}{LATE}")
        until(
            lambda: re.search(one.says, scene.backend.log()[logged:]),
            told=lambda: scene.backend.log()[logged:],
        )

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert "Doorstep-Receipt" not in answer.headers
    assert took_s < WITHIN_S
    assert page in one.pages
    assert "Traceback" not in scene.backend.log()[logged:]
    with speaking_to(scene.backend.base_url, scene.backend.ca_file) as wire:
        until(lambda: not scene.backend.unready(), every_s=0.2)
        if one.unready == OBJECTS:  # what came stays, once it could not be put
            whole = str(len(content))
            until(lambda: wire.head(capture_id).headers.get("Upload-Offset") == whole)
        receipt = until(lambda: sent_again(wire, capture_id, content), every_s=0.2)
        again = wire.receipts(capture_id).json()
    assert receipt is not None
    assert again == {capture_id: {"receipt": receipt}}
    assert proven(scene.backend.receipt_key_file, receipt)["bytes"] == len(content)
    until(lambda: scene.page() == 200, every_s=0.2)
    assert scene.objects(capture_id) == [content]
    assert scene.rows(capture_id) == {"uploads": 1, "verdicts": 1, "pieces": 0}


def sent_again(wire: Wire, capture_id: str, content: bytes) -> str | None:
    """As a device does it: from where the upload stands, with what the answer has of a receipt."""
    head = wire.head(capture_id)
    if head.status_code == 404:
        answer = wire.post(capture_id, content, content)
    else:
        offset = int(head.headers.get("Upload-Offset", 0))
        answer = wire.patch(capture_id, offset, content[offset:])
    receipt: str | None = answer.headers.get("Doorstep-Receipt")
    return receipt
