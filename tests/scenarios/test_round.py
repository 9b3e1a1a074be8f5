"""A whole round: the demo as anybody runs it, and what it leaves.

The demo ends with "Complete" only if each press, order and record came to what its story says.
"""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import requests  # noqa: TID251 - a person's browser, not the device

from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office import demo as demo_office
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.store import Store
from tests.support.device import REPOSITORY

pytestmark = pytest.mark.slow

M_PER_DEG: Final = 111_195.0
"""Metres per degree of a great circle. Source: mean earth radius 6,371,008.8 m (IUGG)."""


SERVED_WITHIN_S: Final = 180.0
"""Longest round that is waited for. Source: 40 s on two cores, with room for a loaded CI."""


@dataclass(frozen=True, slots=True)
class Round:
    """The output and files of one run of `scripts/demo --keep DIR --serve`; its pages are up."""

    printed: str
    folder: Path

    def records(self) -> list[dict[str, Any]]:
        """Label and record of everything, by device and number; a deleted one has its label."""
        records = [json.loads(path.read_text()) for path in (self.folder / "records").iterdir()]
        return sorted(records, key=lambda one: (one["label"]["device_id"], one["label"]["seq"]))

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Those of one kind that are whole."""
        return [one for one in self.records() if one["label"]["kind"] == kind and "record" in one]

    def photos(self) -> list[dict[str, Any]]:
        """Label and record of every photo that was not deleted."""
        return self.of_kind("photo")

    def jpeg(self, photo: dict[str, Any]) -> Path:
        return self.folder / "photos" / f"{photo['label']['capture_id']}.jpg"

    def place(self, photo: dict[str, Any]) -> dict[str, float] | None:
        """Return the driver's position by the receiver; None without a fix."""
        told = json.loads((self.folder / "round.json").read_text())
        places = {one["capture_id"]: one["place"] for one in told}
        place: dict[str, float] | None = places[photo["label"]["capture_id"]]
        return place

    def office(self) -> Office:
        return open_office(Store(self.folder), show_simulated=True)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Round]:
    folder = tmp_path_factory.mktemp("demo") / "keep"
    with subprocess.Popen(
        [REPOSITORY / "scripts" / "demo", "--keep", folder, "--serve"],
        env={**os.environ, "DOORSTEP_VENV": sys.prefix},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        late = threading.Timer(SERVED_WITHIN_S, process.kill)
        late.start()
        printed = _read_until_served(process)
        late.cancel()
        yield Round(printed, folder)
        try:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
    shutil.rmtree(folder)


def _read_until_served(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "until Ctrl-C" in line:
            return printed
    pytest.fail(f"the demo ended by itself:\n{printed}")


def exiftool(*words: str | Path) -> str:
    program = shutil.which("exiftool")
    assert program, "this test needs exiftool: apt-get install libimage-exiftool-perl"
    command: list[str | Path] = [program, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_press_of_the_round_has_its_record_and_every_record_its_receipt(
    demo: Round,
) -> None:
    presses = [
        line for line in _table(demo).splitlines() if re.match(r" +\d+  (green|amber|blue)", line)
    ]

    assert len(presses) == 19
    assert all(re.search(r" in \d+ s$", line) for line in presses), demo.printed
    assert "Complete in" in demo.printed
    assert "holds with remarks: nothing that was checked contradicts it" in demo.printed


def _table(demo: Round) -> str:
    return demo.printed.partition("\npress  light ")[2].partition("\n\n")[0]


def test_a_device_that_was_revoked_on_the_road_keeps_its_records_until_it_is_let_in(
    demo: Round,
) -> None:
    """Its sync pauses with the backend's words; presses go on, also in a new capture process."""
    told = demo.printed
    kept = re.search(r"demo-02: (\d+) records wait, the backend says: certificate revoked", told)

    assert kept
    assert int(kept.group(1)) >= 3
    assert f"demo-02: {kept.group(1)} delivered, 0 waiting" in told
    log = (demo.folder / "demo-02" / "sync.log").read_text()
    assert re.search(r"event=paused answer=.*certificate revoked", log)
    register = Register(demo.folder).devices()
    assert [(one.device_id, one.state) for one in register] == [
        ("demo-01", DeviceState.IN),
        ("demo-02", DeviceState.IN),
    ]


def test_a_label_of_another_place_opens_no_confidential_door(demo: Round) -> None:
    """The record names the stop of the label, not of the door; no other label could help."""
    (refused,) = [
        one for one in demo.of_kind("no_photo") if one["record"]["reason"] == "code_elsewhere"
    ]
    named = demo.office().orders.at_stop(refused["record"]["stop"]["id"]).number

    assert named == demo_office.CHANGES_MIND
    assert "position" not in refused["record"]
    assert not demo.jpeg(refused).exists()
    assert re.search(r"blue -\.+ +no photo +its label is of another place", _table(demo))
    log = (demo.folder / "demo-01" / "capture.log").read_text()
    assert f"signal=no_photo id={refused['label']['capture_id']}" in log


def test_sensor_is_off_before_the_press_at_a_door_without_photos(demo: Round) -> None:
    """The simulated camera reports it; only the scan button turns the sensor on, for labels."""
    refused = [
        one["label"]["capture_id"]
        for one in demo.of_kind("no_photo")
        if one["record"]["reason"] == "no_photo_stop" and one["record"]["stop"]["id"] is None
    ]

    assert len(refused) == 2
    log = (demo.folder / "demo-01" / "capture.log").read_text()
    for capture_id in refused:
        before, found, _ = log.partition(f"id={capture_id}")
        assert found
        assert before[before.rindex("event=sensor") :].startswith("event=sensor on=false")


def test_a_refusal_tells_neither_place_nor_stop(demo: Round) -> None:
    """The only exception is a stop that a label named."""
    for one in demo.of_kind("no_photo"):
        assert "position" not in one["record"]
        by_label = one["record"]["stop"]["bound_by"] == "code"
        assert by_label == (one["record"]["stop"]["id"] is not None)
        assert not demo.jpeg(one).exists()


def test_a_parcel_that_was_handed_over_is_on_the_order_of_its_label(demo: Round) -> None:
    (handed,) = [
        one for one in demo.of_kind("no_photo") if one["record"]["reason"] == "handed_over"
    ]
    filing = demo.office().filing

    assert handed["label"]["capture_id"] in filing.of_order(demo_office.SIGNATURE)
    assert re.search(r"green -- +handed over +1002, by its label, \d+ m", _table(demo))


def test_a_photo_that_the_map_put_on_the_neighbours_order_is_moved_by_dispatch(
    demo: Round,
) -> None:
    """The neighbour has reported it; at the end each order of the round is done."""
    orders = demo.office().orders

    assert re.search(r"photo, then moved +1009 by the place, now 1011", _table(demo))
    assert [number for number in orders.numbers() if not orders.find(number).done] == []


def test_files_of_the_round_are_where_the_help_says(demo: Round) -> None:
    received = {path.stem for path in (demo.folder / "received").glob("*.rec")}
    photos = {path.stem for path in (demo.folder / "photos").glob("*.jpg")}

    assert received == {one["label"]["capture_id"] for one in demo.records()}
    assert photos == {one["label"]["capture_id"] for one in demo.photos()}
    for device_id in ("demo-01", "demo-02"):
        names = {path.name for path in (demo.folder / device_id).iterdir()}
        state = {path.name for path in (demo.folder / device_id / "state").iterdir()}
        assert {"config.toml", "world.toml", "capture.log", "sync.log"} <= names
        assert {"queue", "trust", "records", "torn", "keys"} <= state


@pytest.mark.parametrize(
    ("who", "password", "sees"),
    [(one.who, one.password, one.role) for one in demo_office.ACCOUNTS],
)
def test_the_demos_people_can_sign_in(demo: Round, who: str, password: str, sees: str) -> None:
    """At the address that the demo prints, under the banner that says what is simulated."""
    found = re.search(r"https://\S+", demo.printed[demo.printed.index("Pages: ") :])
    assert found
    with requests.Session() as browser:
        browser.trust_env = False
        browser.verify = str(demo.folder / "ca" / "ca.pem")
        page = browser.get(found.group(), timeout=10)
        form = re.search(r'name="form" value="(\w+)"', page.text)
        assert form
        said = {"form": form.group(1), "who": who, "password": password}
        home = browser.post(page.url, said, timeout=30)

    assert home.status_code == 200
    assert "sign-in" not in home.url
    assert "simulated" in home.text
    assert (sees == "customer") == ("Your Orders" in home.text)


def test_every_photo_is_valid_without_a_warning(demo: Round) -> None:
    photos = [demo.jpeg(photo) for photo in demo.photos()]
    told = json.loads(exiftool("-j", "-validate", "-warning", "-a", *photos))

    assert len(told) == len(photos)
    for one in told:
        assert one["Validate"] == "OK", one
        assert "Warning" not in one


def test_every_photo_has_the_place_where_the_driver_was(demo: Round) -> None:
    """To 0.2 m; and none where there was no fix."""
    for photo in demo.photos():
        place = demo.place(photo)
        (tags,) = json.loads(exiftool("-j", "-n", "-gps:all", demo.jpeg(photo)))
        if place is None:
            assert "GPSLatitude" not in tags
            assert tags["GPSStatus"] == "V"
            continue
        north_m = (tags["GPSLatitude"] - place["lat_deg"]) * M_PER_DEG
        east_deg = tags["GPSLongitude"] - place["lon_deg"]
        east_m = east_deg * M_PER_DEG * math.cos(math.radians(place["lat_deg"]))
        assert math.hypot(north_m, east_m) < 0.2
        assert tags["GPSLatitudeRef"] == "N"
        assert tags["GPSLongitudeRef"] == "E"
        assert math.isclose(tags["GPSHPositioningError"], place["accuracy_m"])


@pytest.mark.parametrize("identity", ["keys/identities/office-*.txt", "escrow-*.txt"])
def test_tail_age_and_tar_open_a_received_record_by_either_identity(
    demo: Round, tmp_path: Path, identity: str
) -> None:
    photo = demo.photos()[0]
    record = demo.folder / "received" / f"{photo['label']['capture_id']}.rec"
    (secret,) = demo.folder.glob(identity)

    pipe = 'set -o pipefail; tail -n +2 "$1" | age -d -i "$2" | tar -xv -C "$3"'
    listed = subprocess.run(
        ["bash", "-c", pipe, "-", record, secret, tmp_path],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert listed.split() == ["record.json", "photo.jpg"]
    assert (tmp_path / "photo.jpg").read_bytes() == demo.jpeg(photo).read_bytes()
    assert json.loads((tmp_path / "record.json").read_text()) == photo["record"]
