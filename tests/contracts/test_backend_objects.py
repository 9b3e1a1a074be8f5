"""The real process with its records in a bucket: a device's, a customer's look, and their end."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import requests  # noqa: TID251 - the browser's side of the wire, not the device's

from agent.models import Item, RecordState
from doorstep_backend.engines import chosen, opening
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.pages import PREFIX
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend, running_backend
from tests.support.buckets import Engine
from tests.support.demo_office import photo_of
from tests.support.factory import add
from tests.support.filed import await_filed
from tests.support.people import CUSTOMER, browser, form_of
from tests.support.postgres import running_postgres
from tests.support.sending import DeviceQueue, Sender, device_queue, sender

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Scene:
    """A backend process over a bucket, its office beside it, and a device with a queue."""

    engine: Engine
    bucket: str
    backend: Backend
    office: Office
    device: DeviceQueue
    sending: Sender

    def photo(self, number: str) -> Item:
        """Pressed at the door of an order, and waiting in the queue."""
        made = photo_of(self.office, self.device.maker, number, simulated=True)
        made.into(self.device.layout.records)
        add(self.device.outbox, made)
        return self.device.outbox.get(made.label.capture_id)

    def kept(self) -> dict[str, bytes]:
        return self.engine.keys(self.bucket)


@pytest.fixture
def scene(engine: Engine, tmp_path: Path) -> Iterator[Scene]:
    bucket, data = f"b-{uuid4()}", tmp_path / "backend"
    objects = engine.bucket(bucket)
    address = engine.address(bucket)
    data.mkdir()
    office = open_office(Store(data, objects), show_simulated=True)
    demo.settle(office)
    backend = Backend(
        data, switches=True, show_simulated=True, demo_accounts=True, objects=address
    ).start()
    try:
        with device_queue(tmp_path / "device") as device, sender(device, backend) as sending:
            demo.send_out(office, device.maker.device_id, datetime.now(UTC))
            yield Scene(engine, bucket, backend, office, device, sending)
    finally:
        backend.stop()


@pytest.fixture
def session(scene: Scene) -> Iterator[requests.Session]:
    """The first customer's."""
    with browser(scene.backend, CUSTOMER) as signed_in:
        yield signed_in


def test_a_device_sends_a_customer_looks_and_an_opt_out_erases(
    scene: Scene, session: requests.Session
) -> None:
    photo, others = scene.photo(demo.ALLOWED), [scene.device.press(300_000) for _ in range(2)]
    for _ in range(3):
        scene.sending.sync.step()

    items = [photo, *others]
    assert [scene.device.state(item) for item in items] == [RecordState.DELIVERED] * 3
    sent = {f"{item.capture_id}/{item.sha256}": scene.device.content(item) for item in items}
    assert scene.kept() == sent
    lies = {path.name for path in scene.backend.data.iterdir() if path.is_dir()}
    assert not lies & {"uploads", "received", "refused", "photos", "records", "copies"}

    await_filed(scene.backend.data)
    base = f"{scene.backend.base_url}{PREFIX}"
    page = session.get(f"{base}/orders/{demo.ALLOWED}", timeout=30)
    (address,) = re.findall(rf'src="{PREFIX}(/photos/[^"]+)"', page.text)
    shown = session.get(base + address, timeout=30)
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert scene.kept() == sent | {f"{photo.capture_id}/label.jpg": shown.content}

    no = {"photos": "off", "form": form_of(page)}
    session.post(f"{base}/addresses/a-1/delivery-photos", data=no, timeout=30)

    del sent[f"{photo.capture_id}/{photo.sha256}"]
    line = scene.device.content(photo).partition(b"\n")[0]
    assert scene.kept() == sent | {f"{photo.capture_id}/label": line + b"\n"}
    assert session.get(base + address, timeout=30).status_code == 404
    elsewhere = scene.engine.address("nobodys")
    not_started(scene.backend.data, elsewhere, f"the records are in s3://{scene.bucket}")


def test_folders_over_one_database_have_one_bucket(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong copy is not remembered; and with all records copied, another one is right."""
    ours, other = f"b-{uuid4()}", f"b-{uuid4()}"
    for bucket in (ours, other):
        engine.bucket(bucket)
    for name in (opening.PER_FOLDER, chosen.PER_FOLDER):
        monkeypatch.delenv(name, raising=False)
    with running_postgres(fsync=False) as server:
        monkeypatch.setenv(opening.URL, server.url)
        not_started(tmp_path / "one", engine.address("nobodys"), "make it, or give another one")

        with running_backend(tmp_path / "one", objects=engine.address(ours)):
            documents = server.asked("SELECT count(*) FROM fleet_documents")
            both = f"in the bucket {ours}, and not in {other}"
            not_started(tmp_path / "two", engine.address(other), both)
            not_started(tmp_path / "keys alone", None, f"in the bucket {ours}: give it")
            assert server.asked("SELECT count(*) FROM fleet_documents") == documents
        server.tell(f"UPDATE bucket SET name = '{other}'")
        shutil.copytree(tmp_path / "one" / "keys", tmp_path / "two" / "keys", dirs_exist_ok=True)
        shutil.copy(tmp_path / "one" / "recipients.txt", tmp_path / "two")

        with running_backend(tmp_path / "two", objects=engine.address(other)):
            not_started(tmp_path / "one", None, f"in the bucket {other}, and not in {ours}")


def not_started(data: Path, objects: str | None, why: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(why)):
        Backend(data, switches=False, objects=objects).start()
