"""A whole round: the demo as anybody runs it, what it leaves, and kills amid a press."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import requests  # noqa: TID251 - a person's browser, not the device
from PIL import Image

from agent.errors import DoorstepError
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office import demo as town
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.store import Store
from tests.demo import pictures
from tests.scenarios.faults import check_chain
from tests.support.device import REPOSITORY, Device, device
from tests.support.waiting import until

pytestmark = pytest.mark.slow

M_PER_DEG: Final = 111_195.0
"""Metres per degree of a great circle. Source: mean earth radius 6,371,008.8 m (IUGG)."""


SERVED_WITHIN_S: Final = 180.0
"""Longest round that is waited for. Source: 40 s on two cores, with room for a loaded CI."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one run of `scripts/demo --keep DIR --serve` printed and left; its pages are up."""

    printed: str
    took_s: float
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
        """Where the driver was, by the receiver; None out of its satellites' sight."""
        told = json.loads((self.folder / "round.json").read_text())
        places = {one["capture_id"]: one["place"] for one in told}
        place: dict[str, float] | None = places[photo["label"]["capture_id"]]
        return place

    def office(self) -> Office:
        return open_office(Store(self.folder), show_simulated=True)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Round]:
    folder = tmp_path_factory.mktemp("demo") / "keep"
    began_s = time.monotonic()
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
        yield Round(printed, time.monotonic() - began_s, folder)
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

    assert len(presses) == 16
    assert all(re.search(r" in \d+ s$", line) for line in presses), demo.printed
    assert "Complete in" in demo.printed
    assert "holds with remarks: nothing that was checked contradicts it" in demo.printed


def _table(demo: Round) -> str:
    return demo.printed.partition("\npress  light ")[2].partition("\n\n")[0]


def test_the_round_fits_into_a_terminal_of_80_columns(demo: Round) -> None:
    told = demo.printed.partition("Everything is in")[0]

    assert max(len(line) for line in told.splitlines()) < 80, demo.printed


def test_both_devices_are_enrolled_and_leave_no_token(demo: Round) -> None:
    """By certificates of the backend's authority; one of them twice."""
    told = (demo.folder / "demo-01" / "config.toml").read_text()

    assert demo.printed.count("enrolled until ") == 3
    assert 'mode = "required"' in told.partition("[policy]")[0]
    for device_id in ("demo-01", "demo-02"):
        state = demo.folder / device_id / "state"
        assert (state / "trust" / "evidence.pem").exists()
        assert (state / "keys" / "sync" / "tls.pem").exists()
        assert not (demo.folder / device_id / "token").exists()


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
    """It has a light of its own, and the record names the stop of the label, not of the door."""
    (refused,) = [
        one for one in demo.of_kind("no_photo") if one["record"]["reason"] == "code_elsewhere"
    ]
    named = demo.office().orders.at_stop(refused["record"]["stop"]["id"]).number

    assert named == town.CHANGES_MIND
    assert "position" not in refused["record"]
    assert not demo.jpeg(refused).exists()
    assert re.search(r"blue x2 +no photo +its label is of another place", _table(demo))
    log = (demo.folder / "demo-01" / "capture.log").read_text()
    assert f"signal=code_elsewhere id={refused['label']['capture_id']}" in log


def test_the_round_has_all_that_a_day_brings(demo: Round) -> None:
    photos, refused = demo.photos(), demo.of_kind("no_photo")
    kinds = {one["label"]["kind"] for one in demo.records()}
    reasons = {one["record"]["reason"] for one in refused}
    bound = {one["record"]["stop"]["bound_by"] for one in photos}

    assert kinds == {"photo", "no_photo", "void", "chain_start"}
    assert reasons == {"no_photo_stop", "code_elsewhere", "signature_stop", "no_position"}
    assert bound == {"place", "code", "ambiguous"}
    assert any(one["record"]["retake_of"] for one in photos)
    assert any(one["record"]["quality"]["verdict"] == "blurred" for one in photos)
    assert any(one["record"]["photo"]["lamp"] for one in photos)
    assert any(one["record"]["position"] is None for one in photos)
    assert "kill -9" in demo.printed
    assert all(one["record"]["simulated"] for one in photos + refused)


def test_the_round_is_over_soon(demo: Round) -> None:
    """25 to 45 s on two cores; twice that where they are shared."""
    assert demo.took_s < 90


def test_at_a_door_without_photos_the_sensor_is_off_before_the_press(demo: Round) -> None:
    """By the simulated camera's own word; what the scan window then opens for is labels alone."""
    refused = [
        one["label"]["capture_id"]
        for one in demo.of_kind("no_photo")
        if one["record"]["reason"] == "no_photo_stop"
    ]

    assert len(refused) == 3
    log = (demo.folder / "demo-01" / "capture.log").read_text()
    for capture_id in refused:
        before, found, _ = log.partition(f"id={capture_id}")
        assert found
        assert before[before.rindex("event=sensor") :].startswith("event=sensor on=false")


def test_a_refusal_tells_neither_place_nor_stop(demo: Round) -> None:
    """Unless a label named one."""
    for one in demo.of_kind("no_photo"):
        assert "position" not in one["record"]
        by_label = one["record"]["stop"]["bound_by"] == "code"
        assert by_label == (one["record"]["reason"] == "code_elsewhere")
        assert by_label or one["record"]["stop"]["id"] is None
        assert not demo.jpeg(one).exists()


def test_customers_see_their_own_photo_and_none_where_none_may_be(demo: Round) -> None:
    filing = demo.office().filing

    shown = {number: len(filing.photos_of(number)) for number in demo.office().orders.numbers()}
    assert shown == {
        town.ALLOWED: 1,
        town.SIGNATURE: 0,
        town.CONFIDENTIAL: 0,
        town.OPTED_OUT: 0,
        town.GIFT: 0,
        town.LEFT_DOOR: 1,
        town.RIGHT_DOOR: 1,
        town.CHANGES_MIND: 0,
        "1009": 1,
        "1010": 0,
    }
    assert [one.bound_by for one in filing.waiting()] == ["ambiguous", "label_unplaced"]


def test_a_photo_that_was_queued_when_its_customer_opted_out_is_deleted_on_arrival(
    demo: Round,
) -> None:
    """Its label stays, so that the chain still verifies; the device has its receipt."""
    (late,) = [one for one in demo.records() if "record" not in one]
    capture_id = late["label"]["capture_id"]
    received = demo.folder / "received" / f"{capture_id}.rec"

    assert late["label"]["kind"] == "photo"
    assert not demo.jpeg(late).exists()
    assert received.read_bytes().partition(b"\n")[2] == b""
    assert demo.office().filing.is_erased(capture_id)


def test_the_second_device_has_what_the_first_one_did(demo: Round) -> None:
    """With a key, a chain and a configuration of its own."""
    chains = {(one["label"]["device_id"], one["label"]["chain"]) for one in demo.records()}

    assert {device_id for device_id, _ in chains} == {"demo-01", "demo-02"}
    assert len(chains) == 2
    assert "demo-01 has its route: 10 stops, 0 done" in demo.printed
    assert "demo-02 has its route: 10 stops, 4 done" in demo.printed


def test_what_the_round_leaves_lies_where_the_help_says(demo: Round) -> None:
    received = {path.stem for path in (demo.folder / "received").glob("*.rec")}
    photos = {path.stem for path in (demo.folder / "photos").glob("*.jpg")}

    assert received == {one["label"]["capture_id"] for one in demo.records()}
    assert photos == {one["label"]["capture_id"] for one in demo.photos()}
    for device_id in ("demo-01", "demo-02"):
        names = {path.name for path in (demo.folder / device_id).iterdir()}
        state = {path.name for path in (demo.folder / device_id / "state").iterdir()}
        assert {"config.toml", "world.toml", "capture.log", "sync.log"} <= names
        assert {"queue", "trust", "records", "torn", "keys"} <= state


def test_the_backend_has_the_very_bytes_that_lie_on_the_card(demo: Round) -> None:
    """Of a deleted one, the label."""
    for received in (demo.folder / "received").glob("*.rec"):
        label = json.loads((demo.folder / "records" / f"{received.stem}.json").read_text())["label"]
        kept = demo.folder / label["device_id"] / "state" / "records" / received.name
        content = received.read_bytes()
        assert content
        assert kept.read_bytes()[: len(content)] == content


@pytest.mark.parametrize(
    ("who", "password", "sees"),
    [(one.who, one.password, one.role) for one in town.ACCOUNTS],
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


@pytest.mark.parametrize("command", [["config", "--check"], ["status"]])
def test_what_the_demo_left_can_be_moved(demo: Round, command: list[str]) -> None:
    moved = demo.folder.with_name("moved")
    config = moved / "demo-01" / "config.toml"
    demo.folder.rename(moved)
    try:
        told = doorstep(*command, "--config", str(config))
    finally:
        moved.rename(demo.folder)

    assert told.returncode == 0, told.stderr
    assert str(demo.folder) not in told.stdout


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


def test_every_photo_is_dated_in_utc_at_its_press(demo: Round) -> None:
    for photo in demo.photos():
        (tags,) = json.loads(exiftool("-j", "-n", "-exififd:all", demo.jpeg(photo)))
        exposed = f"{tags['DateTimeOriginal'].replace(':', '-', 2).replace(' ', 'T')}"
        utc = photo["label"]["utc"]

        assert tags["OffsetTimeOriginal"] == "+00:00"
        assert len(str(tags["SubSecTimeOriginal"])) >= 1
        gap_s = _seconds(exposed) - _seconds(utc[:19])
        assert 0 <= gap_s <= 3, (exposed, utc)


def _seconds(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


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


def doorstep(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent", *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def verify(folder: Path) -> subprocess.CompletedProcess[str]:
    return doorstep("verify", str(folder))


@pytest.fixture
def received(demo: Round, tmp_path: Path) -> list[Path]:
    """A copy of what the backend received, in the order of the chains."""
    folder = shutil.copytree(demo.folder / "received", tmp_path / "received")
    return [folder / f"{one['label']['capture_id']}.rec" for one in demo.records()]


def test_what_was_received_verifies(received: list[Path]) -> None:
    assert verify(received[0].parent).returncode == 0


@pytest.mark.parametrize("place", [0, 10, 0.5, -1])
def test_one_flipped_bit_in_a_received_record_is_found(received: list[Path], place: float) -> None:
    file = received[len(received) // 2]
    content = bytearray(file.read_bytes())
    content[int(len(content) * place) if isinstance(place, float) else place] ^= 1
    file.write_bytes(content)

    assert verify(file.parent).returncode == 65


def test_a_record_taken_out_of_the_middle_is_missed(received: list[Path]) -> None:
    received[len(received) // 2].unlink()

    told = verify(received[0].parent)

    assert told.returncode == 65
    assert "MISSING" in told.stdout


# Killed in the middle of a press


def killed_in_a_press(van: Device, signal_name: str, after_s: float) -> None:
    """Press, wait for a light, and kill the process so long after it."""
    before = van.lights().count(signal_name)
    with ThreadPoolExecutor(1) as pool:
        press = pool.submit(_press_until_killed, van)
        until(lambda: van.lights().count(signal_name) > before, every_s=0.0005)
        time.sleep(after_s)
        van.stop("capture", signal.SIGKILL)
        press.result(10)


def _press_until_killed(van: Device) -> None:
    try:
        van.press()
    except DoorstepError:
        return


@pytest.mark.parametrize(
    ("light", "delays_ms"),
    [
        ("hold_still", [0, 5, 100, 400, 520, 560, 600]),
        ("exposed", [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15]),
        ("saved", [0, 1, 3]),
    ],
)
def test_a_kill_in_the_middle_of_a_press_loses_nothing_that_was_signalled(
    tmp_path: Path, light: str, delays_ms: list[int]
) -> None:
    with device(tmp_path) as van:
        for delay_ms in delays_ms:
            van.start("capture")
            signalled = van.lights().count("saved")
            killed_in_a_press(van, light, delay_ms / 1000)
            shown = van.lights().count("saved") - signalled

            photos = [row for row in van.queue() if row["kind"] == "photo"]
            assert len(photos) >= van.lights().count("saved")
            assert shown <= 1
        van.start("capture")
        last = van.press()

        rows = van.queue()
        seqs = [row["seq"] for row in rows]
        assert seqs == list(range(1, len(rows) + 1))
        assert rows[-1]["capture_id"] == last["label"]["capture_id"]
        assert all(row["state"] == "PENDING" for row in rows)
        for row in rows:
            assert van.record(row["capture_id"]).label.seq == row["seq"]
        check_chain(van)


# README's pictures


def test_the_pictures_of_the_readme_can_be_made_again(demo: Round, tmp_path: Path) -> None:
    """Small, and the same size as those that the repository holds."""
    kept = shutil.copytree(demo.folder, tmp_path / "kept")
    made = tmp_path / "pictures"

    pictures.main(kept, made)

    for name, most_bytes in (("photo.jpg", 60_000), ("page.png", 80_000)):
        with Image.open(made / name) as new, Image.open(pictures.FOLDER / name) as held:
            assert new.size == held.size
        assert (made / name).stat().st_size < most_bytes
        assert (pictures.FOLDER / name).stat().st_size < most_bytes
