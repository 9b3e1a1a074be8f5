"""Tests that need a Ceph: by hand, with --s3 ceph."""

import hashlib
import time
from pathlib import Path
from uuid import uuid4

import pytest

from doorstep_backend.engines.s3 import DIGEST
from doorstep_backend.engines.unavailable import Unavailable
from tests.support.buckets import Engine
from tests.support.ceph import LET_IN, Ceph
from tests.support.factory import new_id

RECORD = "0" * 64
CONTENT = b"label\n" + bytes(300_000)

TOLD = Path(__file__).parents[1] / "backend" / "SETUP.md"


@pytest.fixture
def ceph(engine: Engine) -> Ceph:
    assert isinstance(engine, Ceph)
    return engine


def lives(ceph: Ceph, bucket: str) -> None:
    """All that a backend does with a bucket, one of whose objects was put back from a copy."""
    objects = ceph.opened(bucket)
    one = new_id()
    assert objects.begin() == []
    objects.put(one, RECORD, CONTENT)
    objects.put(one, "label.jpg", b"copy")
    objects.remove(one, "label.jpg")
    said = {DIGEST: hashlib.sha256(CONTENT).hexdigest()}
    ceph.admin.put_object(Bucket=bucket, Key=f"{one}/{RECORD}", Body=CONTENT, Metadata=said)
    assert objects.get(one, RECORD) == CONTENT
    objects.erase(one, objects.line(one, RECORD))
    assert one in objects.ids()


def test_the_page_names_what_the_keys_must_be_allowed(ceph: Ceph) -> None:
    """All of it together is enough, and without any of it something is denied."""
    name = f"b-{uuid4()}"
    ceph.bucket(name)
    lives(ceph, name)

    for action in LET_IN:
        ceph.let_into(name, [one for one in LET_IN if one != action])
        with pytest.raises(Unavailable, match=r"AccessDenied: look at AWS_ACCESS_KEY_ID"):
            lives(ceph, name)
    assert all(f'"s3:{action}"' in TOLD.read_text() for action in LET_IN)


def test_dead_disk_is_unavailable_within_three_seconds_and_heals(ceph: Ceph) -> None:
    """radosgw itself waits for its disk as long as it takes."""
    objects, one = ceph.bucket(f"b-{uuid4()}"), new_id()
    objects.put(one, RECORD, CONTENT)
    ceph.kill("osd")
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        objects.get(one, RECORD)
    took_s = time.monotonic() - begun
    ceph.start("osd")
    ceph.wait()

    assert objects.get(one, RECORD) == CONTENT
    assert took_s < 3.5


def test_a_quota_by_bytes_that_takes_no_record_lets_one_be_erased(ceph: Ceph) -> None:
    """A label takes less than any record; a quota by number of objects would stop it."""
    name, one = f"b-{uuid4()}", new_id()
    objects = ceph.bucket(name)
    objects.put(one, RECORD, CONTENT)

    with ceph.without_room(name, quota_bytes=400_000):
        with pytest.raises(Unavailable, match="QuotaExceeded: make room"):
            objects.put(new_id(), RECORD, CONTENT)
        objects.erase(one, objects.line(one, RECORD))
        assert list(ceph.keys(name)) == [f"{one}/label"]
        objects.put(new_id(), RECORD, CONTENT)
