"""A whole round: the demo as anybody runs it, what it leaves, and kills amid a press."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from agent.errors import DoorstepError
from tests.device import REPOSITORY, Device, device
from tests.scenarios.faults import check_chain

pytestmark = pytest.mark.slow

M_PER_DEG: Final = 111_195.0
"""Metres per degree of a great circle. Source: mean earth radius 6,371,008.8 m (IUGG)."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one run of the demo printed and left."""

    printed: str
    took_s: float
    folder: Path

    def photos(self) -> list[dict[str, Any]]:
        """Label and record of every photo, in the order of the presses."""
        records = [json.loads(path.read_text()) for path in (self.folder / "records").iterdir()]
        photos = [one for one in records if one["label"]["kind"] == "photo"]
        return sorted(photos, key=lambda one: int(one["label"]["seq"]))

    def jpeg(self, photo: dict[str, Any]) -> Path:
        return self.folder / "photos" / f"{photo['label']['capture_id']}.jpg"

    def world(self) -> list[dict[str, Any]]:
        """What the world script says at each press."""
        state: dict[str, Any] = {"fix": "3d"}
        states = []
        for entry in tomllib.loads((self.folder / "world.toml").read_text())["at"]:
            state = state | entry
            states.append(state)
        return states


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Round]:
    folder = tmp_path_factory.mktemp("demo") / "keep"
    began_s = time.monotonic()
    ended = subprocess.run(
        [REPOSITORY / "scripts" / "demo", "--keep", folder],
        env={**os.environ, "DOORSTEP_VENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    yield Round(ended.stdout, time.monotonic() - began_s, folder)
    shutil.rmtree(folder)


def exiftool(*words: str | Path) -> str:
    program = shutil.which("exiftool")
    assert program, "this test needs exiftool: apt-get install libimage-exiftool-perl"
    command: list[str | Path] = [program, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_press_of_the_round_has_its_record_and_every_record_its_receipt(
    demo: Round,
) -> None:
    lines = demo.printed.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("press light"))
    presses = []
    for line in lines[head + 1 :]:
        if not line[:1].isdigit():
            break
        presses.append(line)

    assert len(presses) >= 8
    assert all(line.endswith("yes") for line in presses), demo.printed
    assert "Complete in" in demo.printed
    assert "everything verifies" in demo.printed


def test_the_round_has_all_that_a_day_brings(demo: Round) -> None:
    photos = demo.photos()
    kinds = {
        json.loads(path.read_text())["label"]["kind"]
        for path in (demo.folder / "records").iterdir()
    }

    assert kinds == {"photo", "void", "chain_start"}
    assert any(one["record"]["retake_of"] for one in photos)
    assert any(one["record"]["quality"]["verdict"] == "blurred" for one in photos)
    assert any(one["record"]["photo"]["lamp"] for one in photos)
    assert any(one["record"]["position"] is None for one in photos)
    assert "kill -9" in demo.printed
    assert all(one["record"]["simulated"] for one in photos)


def test_the_round_is_over_in_a_minute(demo: Round) -> None:
    assert demo.took_s < 60


def test_what_the_round_leaves_lies_where_the_help_says(demo: Round) -> None:
    received = {path.stem for path in (demo.folder / "received").glob("*.rec")}
    photos = {path.stem for path in (demo.folder / "photos").glob("*.jpg")}
    records = {path.stem for path in (demo.folder / "records").glob("*.json")}

    assert received == records
    assert photos == {one["label"]["capture_id"] for one in demo.photos()}
    assert {"doorstep.db", "records", "torn", "keys"} <= {
        path.name for path in (demo.folder / "state").iterdir()
    }


def test_the_backend_has_the_very_bytes_that_lie_on_the_card(demo: Round) -> None:
    for received in (demo.folder / "received").glob("*.rec"):
        kept = demo.folder / "state" / "records" / received.name
        assert received.read_bytes() == kept.read_bytes()


def test_every_photo_is_valid_without_a_warning(demo: Round) -> None:
    photos = [demo.jpeg(photo) for photo in demo.photos()]
    told = json.loads(exiftool("-j", "-validate", "-warning", "-a", *photos))

    assert len(told) == len(photos)
    for one in told:
        assert one["Validate"] == "OK", one
        assert "Warning" not in one


def test_every_photo_has_the_place_that_the_world_has_at_its_press(demo: Round) -> None:
    """To 0.2 m; and none where there was no fix."""
    photos, worlds = demo.photos(), demo.world()

    assert len(photos) == len(worlds)
    for photo, world in zip(photos, worlds, strict=True):
        (tags,) = json.loads(exiftool("-j", "-n", "-gps:all", demo.jpeg(photo)))
        if world["fix"] == "none":
            assert "GPSLatitude" not in tags
            assert tags["GPSStatus"] == "V"
            continue
        north_m = (tags["GPSLatitude"] - world["lat_deg"]) * M_PER_DEG
        east_deg = tags["GPSLongitude"] - world["lon_deg"]
        east_m = east_deg * M_PER_DEG * math.cos(math.radians(world["lat_deg"]))
        assert math.hypot(north_m, east_m) < 0.2
        assert tags["GPSLatitudeRef"] == "N"
        assert tags["GPSLongitudeRef"] == "E"
        assert math.isclose(tags["GPSHPositioningError"], world.get("accuracy_m", 4.5))


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


def test_tail_and_tar_open_a_received_record(demo: Round, tmp_path: Path) -> None:
    photo = demo.photos()[0]
    record = demo.folder / "received" / f"{photo['label']['capture_id']}.rec"

    subprocess.run(
        ["bash", "-c", 'set -o pipefail; tail -n +2 "$1" | tar -x -C "$2"', "-", record, tmp_path],
        check=True,
    )

    assert (tmp_path / "photo.jpg").read_bytes() == demo.jpeg(photo).read_bytes()
    assert json.loads((tmp_path / "record.json").read_text()) == photo["record"]


def verify(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent", "verify", str(folder)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.fixture
def received(demo: Round, tmp_path: Path) -> list[Path]:
    """A copy of what the backend received, in the order of the chain."""
    folder = shutil.copytree(demo.folder / "received", tmp_path / "received")
    labels = [json.loads(path.read_text())["label"] for path in (demo.folder / "records").iterdir()]
    labels.sort(key=lambda label: int(label["seq"]))
    return [folder / f"{label['capture_id']}.rec" for label in labels]


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


def test_a_received_photo_has_no_other_members(demo: Round) -> None:
    for photo in demo.photos():
        record = demo.folder / "received" / f"{photo['label']['capture_id']}.rec"
        body = record.read_bytes().partition(b"\n")[2]
        path = demo.folder / "body.tar"
        path.write_bytes(body)
        with tarfile.open(path, "r:") as opened:
            assert opened.getnames() == ["record.json", "photo.jpg"]
        path.unlink()


# Killed in the middle of a press


def killed_in_a_press(van: Device, signal_name: str, after_s: float) -> None:
    """Press, wait for a light, and kill the process so long after it."""
    before = van.lights().count(signal_name)
    with ThreadPoolExecutor(1) as pool:
        press = pool.submit(_press_until_killed, van)
        until_s = time.monotonic() + 10
        while van.lights().count(signal_name) == before and time.monotonic() < until_s:
            time.sleep(0.0005)
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
