"""A real S3 engine that stalls, dies, denies, keeps what is deleted, or takes nothing more."""

import base64
import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from doorstep_backend.engines.chosen import objects_of
from doorstep_backend.engines.s3 import S3, read_address
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office import demo
from doorstep_backend.settings import WrongSettingError
from tests.support.buckets import Engine
from tests.support.demo_office import DemoOffice
from tests.support.engines import only_folder
from tests.support.factory import new_id
from tests.support.sealed_fleet import SealedFleet

pytestmark = pytest.mark.slow

CONTENT = b"label\n" + bytes(range(256)) * 1600
RECORD = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def own(
    run_engine: Callable[[Path], AbstractContextManager[Engine]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Engine]:
    """An engine that is stopped and killed."""
    with run_engine(tmp_path_factory.mktemp("s3") / "own") as running:
        yield running


@pytest.fixture
def objects(own: Engine) -> S3:
    return own.bucket(f"b-{uuid4()}")


def away_within_s(ask: Callable[[], object]) -> tuple[str, float]:
    """Return its message, and the seconds until it came."""
    begun = time.monotonic()
    with pytest.raises(Unavailable) as said:
        ask()
    assert "None" not in str(said.value)
    return str(said.value), time.monotonic() - begun


def test_a_stall_ends_within_three_seconds_and_is_over_when_the_engine_goes_on(
    own: Engine, objects: S3
) -> None:
    kept, sent, big = new_id(), new_id(), bytes(16_000_000)
    objects.put(kept, RECORD, CONTENT)
    own.pause()
    try:
        asked: list[Callable[[], object]] = [
            lambda: objects.get(kept, RECORD),
            lambda: objects.put(sent, RECORD, CONTENT),
            lambda: objects.put(sent, RECORD, big),
            lambda: objects.erase(kept, b"label"),
            lambda: objects.line(kept, RECORD),
            objects.begin,
            objects.check,
        ]
        told = [away_within_s(ask) for ask in asked]
    finally:
        own.go_on()
    own.wait()

    assert max(took_s for _, took_s in told) < 3.5  # the machine is busy
    assert all("does not answer" in words for words, _ in told)
    assert objects.get(kept, RECORD) == CONTENT


def test_object_is_there_after_the_engine_was_killed(own: Engine, objects: S3) -> None:
    kept = new_id()
    objects.put(kept, RECORD, CONTENT)
    own.kill()
    words, took_s = away_within_s(lambda: objects.get(kept, RECORD))
    own.start()
    own.wait()

    assert objects.get(kept, RECORD) == CONTENT
    assert "look whether the engine runs" in words
    assert took_s < 3.5


def test_a_wrong_bucket_and_a_wrong_key_say_what_to_do(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, one = f"b-{uuid4()}", new_id()
    right = engine.bucket(name)
    right.put(one, RECORD, CONTENT)
    wrong = engine.opened("nobodys")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    denied = engine.opened(name)

    for ask in (wrong.begin, lambda: wrong.get(one, RECORD), lambda: wrong.put(one, RECORD, b"x")):
        assert "make it, or give another one" in away_within_s(ask)[0]
    for ask in (denied.begin, lambda: denied.put(one, RECORD, b"x")):
        assert "look at AWS_ACCESS_KEY_ID" in away_within_s(ask)[0]
    assert right.get(one, RECORD) == CONTENT


def test_impossible_address_is_reported() -> None:
    for text in ("s3://", "https://b", "s3://b/deep", "s3://b?key=1", "s3://k:s@b", "s3://[b"):
        with pytest.raises(WrongSettingError, match="--objects: "):
            read_address(text)
    with pytest.raises(WrongSettingError, match="--objects: "):
        S3(read_address("s3://b?endpoint=nowhere"))


def test_keys_that_are_not_in_the_environment_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    address = read_address("s3://b?endpoint=http://127.0.0.1:1")
    both = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "half")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    with pytest.raises(WrongSettingError, match=both):
        S3(address)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(Unavailable, match=both):
        S3(address).begin()


@only_folder
def test_folder_with_records_uses_no_bucket(tmp_path: Path) -> None:
    """Otherwise an opt-out would look for a photo in the wrong place."""
    demo_office = DemoOffice(tmp_path)
    demo_office.receive(demo_office.photo(demo.ALLOWED))

    with pytest.raises(WrongSettingError, match="already, and a backend has one place"):
        objects_of(tmp_path, "s3://records")


def test_a_bucket_that_keeps_versions_is_refused_and_old_ones_are_erased(engine: Engine) -> None:
    name, one = f"b-{uuid4()}", new_id()
    objects, admin = engine.bucket(name), engine.admin
    admin.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for content in (CONTENT, CONTENT + b"2"):
        objects.put(one, RECORD, content)

    with pytest.raises(WrongSettingError, match="keeps versions"):
        objects.begin()
    admin.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    objects.put(one, RECORD, CONTENT)
    assert objects.begin() == []
    objects.erase(one, b"label")

    left = admin.list_object_versions(Bucket=name)["Versions"]
    assert [version["Key"] for version in left] == [f"{one}/label"]


def test_a_bucket_that_locks_objects_is_refused(engine: Engine) -> None:
    objects = engine.bucket(f"b-{uuid4()}", locks=True)

    with pytest.raises(WrongSettingError, match=r"keeps versions|locks objects"):
        objects.begin()


def test_the_engine_refuses_what_arrives_otherwise_than_it_was_sent(engine: Engine) -> None:
    """Otherwise an altered object was there until it is read back."""
    name = f"b-{uuid4()}"
    engine.bucket(name)
    wrong = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()

    with pytest.raises(engine.admin.exceptions.ClientError, match="BadDigest"):
        engine.admin.put_object(Bucket=name, Key="one", Body=CONTENT, ContentMD5=wrong)

    assert engine.keys(name) == {}


def seen(objects: S3) -> list[Any]:
    """Requests that it makes from now on."""
    asked: list[Any] = []
    events = objects._client.meta.events  # noqa: SLF001 - what boto3 sends is seen there alone
    events.register("before-send.s3", lambda request, **_: asked.append(request))
    return asked


def test_check_of_writing_is_two_requests_and_leaves_nothing(engine: Engine) -> None:
    """Also where versions were kept before, a process died in between, and many ask at once."""
    name = f"b-{uuid4()}"
    objects, admin = engine.bucket(name), engine.admin
    for status in ("Enabled", "Suspended"):
        admin.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
    asked = seen(objects)
    with pytest.MonkeyPatch.context() as dies:
        dies.setattr(S3, "_delete", die)
        with pytest.raises(KeyboardInterrupt):
            objects.check()
    assert list(engine.keys(name)) == ["readiness/probe"]
    assert list(objects.ids()) == []

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: objects.check(), range(40)))

    left = admin.list_object_versions(Bucket=name)
    assert left.get("Versions", []) == left.get("DeleteMarkers", []) == []
    assert Counter(request.method for request in asked) == {"PUT": 41, "DELETE": 40, "GET": 1}


def die(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_record_takes_two_requests_at_its_intake(engine: Engine, tmp_path: Path) -> None:
    objects = engine.bucket(f"b-{uuid4()}")
    fleet = SealedFleet(tmp_path / "fleet", objects=objects)
    made = fleet.sealed(demo.ALLOWED)
    asked = seen(objects)

    fleet.take(made)

    assert [request.method for request in asked] == ["PUT", "GET"]
    assert "Content-MD5" in asked[0].headers
    receipt = fleet.demo_office.office.store.verdict(made.label.capture_id)
    assert receipt is not None
    assert receipt.accepted


def test_an_engine_without_room_takes_nothing_and_says_so(own: Engine) -> None:
    name, kept = f"b-{uuid4()}", new_id()
    objects = own.bucket(name)
    objects.put(kept, RECORD, CONTENT)
    with own.without_room(name):
        words, took_s = away_within_s(lambda: objects.put(new_id(), RECORD, CONTENT))
        assert objects.get(kept, RECORD) == CONTENT
        assert away_within_s(objects.check)[0] == words

    assert re.search("make room|whether its disks have room", words)
    assert took_s < 3.5
    objects.put(new_id(), RECORD, CONTENT)
