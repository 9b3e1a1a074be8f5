"""The chain: numbers without gaps, links, and a file before its row."""

import hashlib
from pathlib import Path

import pytest

from agent.capture.record_writer import NotQueued, RecordWriter
from agent.errors import StorageFault
from agent.models import ChainHead, RecordKind, RecordLabel, RecordState
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record import signing
from hardware.clock import ClockSource, Moment
from tests.support.benchtop import bench
from tests.support.factory import MOMENT
from tests.support.sealed import left_plain

AT = Moment(MOMENT, 123, "boot-1", ClockSource.NTP, 5.0)
TEXT = {"manifest": "off"}


@pytest.fixture
def key() -> signing.PrivateKey:
    return signing.new_key()


@pytest.fixture
def writer(tmp_path: Path, outbox: Outbox, key: signing.PrivateKey) -> RecordWriter:
    layout, head = Layout(tmp_path / "state", tmp_path / "run"), ChainHead("chain-1", 0, None)
    return RecordWriter(
        layout, outbox, key=key, device_id="van-7", head=head, seal=left_plain, newest={}
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (folder / "state" / "records").iterdir()}


def test_numbers_count_up_and_each_label_names_the_one_before(
    tmp_path: Path, writer: RecordWriter
) -> None:
    labels = [writer.append(RecordKind.NO_PHOTO, AT, TEXT) for _ in range(4)]

    kept = files(tmp_path)
    digests = [recordfile.label_digest(kept[label.capture_id]) for label in labels]
    assert [label.seq for label in labels] == [1, 2, 3, 4]
    assert [label.prev for label in labels] == [None, *digests[:3]]
    assert {label.chain for label in labels} == {"chain-1"}


def test_a_kept_record_is_signed_by_this_device_and_its_row_describes_its_file(
    tmp_path: Path, writer: RecordWriter, outbox: Outbox, key: signing.PrivateKey
) -> None:
    label = writer.append(RecordKind.PHOTO, AT, TEXT, b"a photo")

    content = files(tmp_path)[label.capture_id]
    opened, row = recordfile.unpack(content), outbox.get(label.capture_id)
    assert opened.key == key.public_key()
    assert (opened.record, opened.photo) == (TEXT, b"a photo")
    assert opened.label == label
    assert (row.bytes, row.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (row.state, row.adopted, row.attempts) == (RecordState.PENDING, False, 0)


def test_a_record_that_was_not_written_leaves_its_number_free(
    tmp_path: Path, writer: RecordWriter
) -> None:
    first = writer.append(RecordKind.NO_PHOTO, AT, TEXT)
    records = tmp_path / "state" / "records"
    records.rename(tmp_path / "away")

    with pytest.raises(StorageFault):
        writer.append(RecordKind.NO_PHOTO, AT, TEXT)
    (tmp_path / "away").rename(records)

    second = writer.append(RecordKind.NO_PHOTO, AT, TEXT)
    assert (first.seq, second.seq) == (1, 2)
    assert len(files(tmp_path)) == 2


def test_a_record_without_its_row_has_its_number_and_is_queued_later(
    tmp_path: Path, writer: RecordWriter, outbox: Outbox
) -> None:
    writer.append(RecordKind.NO_PHOTO, AT, TEXT)
    lock = tmp_path / "state" / "state.lock"
    lock.rename(tmp_path / "away")

    with pytest.raises(NotQueued, match="kept, but not yet queued"):
        writer.append(RecordKind.NO_PHOTO, AT, TEXT)
    with pytest.raises(NotQueued):
        writer.append(RecordKind.NO_PHOTO, AT, TEXT)
    (tmp_path / "away").rename(lock)
    writer.queue_leftovers()
    writer.queue_leftovers()

    assert [row.seq for row in outbox.items(None, 0, 10)] == [1, 2, 3]
    assert len(files(tmp_path)) == 3


def test_the_chain_goes_on_across_restarts_without_gap_or_fork(tmp_path: Path) -> None:
    labels: list[RecordLabel] = []
    for _ in range(3):
        with bench(tmp_path) as device:
            device.press()
            device.press()
            labels = [opened.label for opened in device.all_opened()]
            digests = [opened.label_sha256 for opened in device.all_opened()]

    assert [label.seq for label in labels] == list(range(1, 8))
    assert [label.prev for label in labels] == [None, *digests[:-1]]
    assert len({label.chain for label in labels}) == 1
