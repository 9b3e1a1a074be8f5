"""A standby takes over; and a mistake is undone as FLEET.md says, by going back to a minute."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from agent.record import signing
from doorstep_backend.engines.opening import PER_FOLDER, URL
from doorstep_backend.identity.admission import REVOKED, TECHNICIAN_REVOKED, UNKNOWN
from doorstep_backend.office import demo
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR, RIGHT_DOOR
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.seals import Seals
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend
from tests.support.buckets import Engine
from tests.support.demo_office import PICTURE, photo_of
from tests.support.engines import has
from tests.support.enrolment import EnrolledDevice, enrolled, enrolled_by, technician
from tests.support.factory import Made, RecordMaker
from tests.support.filed import await_filed
from tests.support.postgres import Postgres, running_postgres
from tests.support.waiting import until
from tests.support.wire import Wire, proven, speaking_to

pytestmark = pytest.mark.slow

HALF: Final = 300
"""Bytes of a record that came before the rest of it."""

SINCE: Final = (
    ("hold", RIGHT_DOOR, "CASE-7"),
    ("devices", "revoke", "van-lost"),
    ("technicians", "revoke", "ada"),
)
"""Commands that people gave after the restored minute, and repeat."""


@dataclass
class Site:
    """Two instances over one PostgreSQL and one bucket, and their office.

    Attributes:
        received: what got its receipt, by id: its device has deleted it since.
    """

    engine: Engine
    bucket: str
    folder: Path
    instances: list[Backend]
    received: dict[str, Made] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._turns = cycle(self.instances)

    @property
    def one(self) -> Backend:
        return self.instances[0]

    @cached_property
    def office(self) -> Office:
        return open_office(Store(self.one.data))

    def van(self, name: str) -> EnrolledDevice:
        maker = RecordMaker(name, sealed_to=Seals(self.one.data).recipients())
        own = enrolled(self.one, self.folder, name, maker.key)
        return EnrolledDevice(self.one, self.folder, own, maker)

    def photo(self, van: EnrolledDevice, number: str = ALLOWED) -> Made:
        return photo_of(self.office, van.maker, number)

    def begun(self, van: EnrolledDevice) -> Made:
        """Return a record of which a part has arrived."""
        made = self.photo(van)
        one = made.label.capture_id
        assert self.asked(van, lambda to: to.post(one, made.content)).status_code == 201
        assert self.goes_on(van, made, HALF).status_code == 204
        return made

    def refused(self, van: EnrolledDevice) -> Made:
        """Until a repair."""
        made = self.photo(van)
        for one in self.instances:
            one.set_switches(refuse="damaged")
        assert self.goes_on(van, made).status_code == 422
        for one in self.instances:
            one.set_switches()
        return made

    def sent(self, van: EnrolledDevice, number: str = ALLOWED) -> str:
        return self.finished(van, self.photo(van, number))

    def finished(self, van: EnrolledDevice, made: Made) -> str:
        answer = self.goes_on(van, made)
        assert "Doorstep-Receipt" in answer.headers, answer.text
        self.received[made.label.capture_id] = made
        return made.label.capture_id

    def goes_on(self, van: EnrolledDevice, made: Made, to_byte: int | None = None) -> Any:
        """As its device does: from the offset of the upload, or again from its start."""
        one, content, at = made.label.capture_id, made.content, self.stands(van, made)
        if at is None:
            return self.asked(van, lambda to: to.post(one, content, content))
        return self.asked(van, lambda to: to.patch(one, at, content[at:to_byte]))

    def stands(self, van: EnrolledDevice, made: Made) -> int | None:
        """At which offset; None where there is no upload."""
        told = self.asked(van, lambda to: to.head(made.label.capture_id))
        return int(told.headers["Upload-Offset"]) if told.ok else None

    def asked(self, van: EnrolledDevice, ask: Callable[[Wire], Any]) -> Any:
        """Return an answer of the instances, by turns; a device tries again after a 503."""

        def answers() -> list[Any]:
            at = next(self._turns)
            with speaking_to(at.base_url, at.ca_file, van.identity.files) as wire:
                answer = ask(wire)
            return [] if answer.status_code == 503 else [answer]

        return until(answers, 60.0)[0]

    def told(self, identity: tuple[Path, Path]) -> str:
        """Return the answer to the holder of this certificate."""
        with speaking_to(self.one.base_url, self.one.ca_file, identity) as wire:
            return str(wire.get("/fleet").text).strip()

    def document(self, van: EnrolledDevice) -> int:
        """The version of the fleet document that a device is given."""
        return int(signing.unverified_payload(self.told(van.identity.files))["version"])

    def enrol_anew(self, *vans: EnrolledDevice) -> None:
        """As people do it: by a token for each, and with the signing key that it has."""
        told = self.command("devices", "add", *(van.device_id for van in vans))
        for van, line in zip(vans, told, strict=True):
            name, token = line.split()
            van.identity = enrolled_by(self.one, token, self.folder, name, van.maker.key)

    def command(self, *words: str) -> list[str]:
        return self.one.command(*words).splitlines()

    def stray(self, *words: str) -> list[str]:
        return self.command("objects", "stray", *words)

    def shown(self, number: str) -> set[str]:
        return {photo.capture_id for photo in self.office.filing.photos_of(number)}


@pytest.fixture
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        running.stop()
        yield running.start_archiving()


@pytest.fixture
def standby(server: Postgres) -> Iterator[Postgres]:
    standby = Postgres(server.folder.parent / "standby").follow(server)
    yield standby
    standby.stop()


@contextmanager
def opened(engine: Engine, url: str, folder: Path) -> Iterator[Site]:
    bucket, data = f"b-{uuid4()}", folder / "backend"
    engine.bucket(bucket)
    where = engine.address(bucket)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as ends:
        patch.setenv(URL, url)
        patch.delenv(PER_FOLDER, raising=False)
        instances = [Backend(data, switches=True, identity=True, objects=where) for _ in range(2)]
        for one in instances:
            ends.callback(one.start().kill)
        site = Site(engine, bucket, folder, instances)
        demo.settle(site.office)
        yield site


@pytest.fixture
def site(engine: Engine, server: Postgres, tmp_path: Path) -> Iterator[Site]:
    with opened(engine, server.url, tmp_path) as made:
        yield made


def test_nothing_is_lost_when_a_standby_takes_over(
    engine: Engine, server: Postgres, standby: Postgres, tmp_path: Path
) -> None:
    hosts = f"127.0.0.1:{server.port},127.0.0.1:{standby.port}"
    url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
    with opened(engine, url, tmp_path) as site:
        van = site.van("van-1")
        kept, made = [site.sent(van) for _ in range(3)], site.photo(van)

        server.kill()
        with van.opened:
            away = van.wire().post(made.label.capture_id, made.content, made.content)
        standby.promote()

        assert (away.status_code, away.headers["Retry-After"]) == (503, "10")
        kept.append(site.finished(van, made))
        told = site.asked(van, lambda to: to.receipts(*kept)).json()
    assert ["receipt" in told[one] for one in kept] == [True] * 4


def test_nothing_that_got_its_receipt_is_lost_by_going_back_to_a_minute(
    site: Site, server: Postgres, standby: Postgres
) -> None:
    """The numbers are the steps of the page."""
    van, lost, renewed = (site.van(name) for name in ("van-1", "van-lost", "van-renewed"))
    demo.send_out(site.office, van.device_id, datetime.now(UTC))
    ada = technician(site.one, site.folder)
    server.back_up()
    whole = site.sent(van)
    opted_out, held = site.sent(van, LEFT_DOOR), site.sent(van, RIGHT_DOOR)
    half, at_it, refused = site.begun(van), site.begun(van), site.refused(van)
    target = server.asked("SELECT clock_timestamp()::text")

    came = [site.finished(van, half), site.finished(van, refused), site.sent(van)]
    site.goes_on(van, at_it, 2 * HALF)
    later, gone = site.begun(van), site.sent(van, LEFT_DOOR)
    renewed.identity = renewed.renewed()
    new = site.van("van-new")
    others = [site.sent(one) for one in (lost, renewed, new)]
    site.command("fleet", "publish")
    document = site.document(van)
    await_filed(site.one.data)
    site.office.opt_out_order(LEFT_DOOR, True)
    for words in SINCE:
        site.command(*words)
    site.office.ledger.execute("DROP TABLE captures CASCADE")  # the mistake

    for one in site.instances:  # 1
        one.stop()
    server.stop()  # 3; killed, it would not archive the end of its log
    server.restore(target)  # 4 to 10
    standby.stop()
    standby.follow(server)  # 11
    for words in SINCE:  # 12
        site.command(*words)
    site.office.opt_out_order(LEFT_DOOR, True)
    for _ in range(2):  # 13, 14
        site.command("fleet", "publish")
    assert sorted(site.stray()[:-1]) == sorted([came[2], gone, *others])  # 15
    assert site.stray("--adopt")[-1] == "taken in: 5; left as they are: 2"  # 16
    site.one.start()  # 18, 19
    assert [site.told(one.identity.files) for one in (lost, renewed)] == [REVOKED, UNKNOWN]
    assert site.told((ada, ada)) == TECHNICIAN_REVOKED
    site.enrol_anew(renewed, new)
    assert site.stray("--adopt")[-1] == "taken in: 1; left as they are: 1"
    site.instances[1].start()  # 20

    assert site.document(van) > document
    assert [site.stands(van, one) for one in (at_it, later)] == [HALF, None]
    came += [site.finished(van, one) for one in (at_it, later)]
    site.sent(renewed)
    await_filed(site.one.data)
    check_whole(site, erased={opted_out}, without_a_row={gone})
    assert site.shown(ALLOWED) == {whole, *came}
    assert site.shown(LEFT_DOOR) == set()
    site.office.erasure.expire(datetime.now(UTC) + timedelta(days=40))
    assert [one for one in site.received if has(site.office.store.photo, one)] == [held]


def check_whole(site: Site, erased: set[str], without_a_row: set[str]) -> None:
    """Each that ever had a receipt has one, one row and one object; it opens, and is filed.

    Of what was erased there is the label, and nothing else.
    """
    gone = erased | without_a_row
    kept = {one: made for one, made in site.received.items() if one not in gone}
    store, filing = site.office.store, site.office.filing
    digests = {one: hashlib.sha256(made.content).hexdigest() for one, made in kept.items()}
    objects = {f"{one}/{digests[one]}": made.content for one, made in kept.items()}
    labels = {f"{one}/label": site.received[one].line + b"\n" for one in gone}

    assert site.engine.keys(site.bucket) == objects | labels
    rows = store.db.execute("SELECT capture_id FROM uploads ORDER BY 1")
    assert [row["capture_id"] for row in rows] == sorted({*kept, *erased})
    for one in kept:
        verdict = store.verdict(one)
        assert verdict is not None
        assert proven(site.one.receipt_key_file, verdict.jws)["sha256"] == digests[one]
        assert store.photo(one) == PICTURE
        assert filing.filed(one) is not None
    assert list(store.begun.all()) == []
