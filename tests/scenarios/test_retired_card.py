"""The card of a retired device that was provisioned, block by block."""

import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from agent.config import DEFAULT_PATH
from tests.faults.syscalls.users import GROUP, USERS, tmpfiles
from tests.scenarios.test_stolen_card import IMAGE_MARKERS, found, slices
from tests.support.backend import running_backend
from tests.support.device import REPOSITORY, Device
from tests.support.enrolment import let_in, required
from tests.support.factory import small_disk
from tests.support.sealed import unpack
from tests.support.statecard import IMAGE, LINK, STATE, Card

pytestmark = pytest.mark.slow

CARD_MB: Final = 700
"""The script leaves 512 MB to the system, and the state has 80."""

PART_BYTES: Final = 65_536

REPLACED: Final = b"MHcCAQEEIOne-that-was-replaced-and-deleted"
"""A key in a block that is free since."""

RUN: Final = "/run/doorstep"
_LOADED: Final = (
    "import sys, tests.faults.syscalls.scenarios; from agent.__main__ import main; sys.exit(main())"
)
DOORSTEP: Final = f"cd {REPOSITORY}; {REPOSITORY}/.venv/bin/python -c '{_LOADED}'"
"""With all modules loaded: the units' users may not be let in to this Python's."""

AGAIN: Final = f"cd {REPOSITORY}; {REPOSITORY}/.venv/bin/python -m agent retire"
"""When nobody but root has a part in it any more."""

CODE: Final = b"DSTEP-CODE-4711"
PLACE: Final = struct.pack("<d", 52.516327)
DOORS: Final = b'{"codes": ["' + CODE + b'"], "lat_deg": 52.516327}' + PLACE
"""As a route in which capture has not noticed yet that it ended."""


@dataclass(frozen=True, slots=True)
class Retired:
    """The life of a card.

    Attributes:
        before, after: every block of it, free ones and journals too.
        secrets: some bytes of what was in the device's files, by what it is.
        told: what the command said: beside another's file, while somebody used the state, after a
            restart, once more.
        left: what lies in the device's folders then.
        is_mounted: whether a start would mount the state.
        provisioned: what making it a device again said.
    """

    before: bytes
    after: bytes
    secrets: dict[str, list[bytes]]
    told: tuple[str, str, str, str]
    left: list[str]
    is_mounted: bool
    provisioned: str


@pytest.fixture(scope="module")
def retired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retired]:
    """A device with its units' users, a state in a file of its own, and a photo in plain."""
    folder = tmp_path_factory.mktemp("retired")
    with (
        small_disk(folder, CARD_MB) as disk,
        running_backend(folder / "office", identity=True) as backend,
    ):
        device_id, token = let_in(backend)
        tables = required(backend)
        tables["identity"] |= {"ca": "fleet-ca.pem", "fleet_key": "fleet-key.pem"}
        tables["state"] = {"dir": STATE, "run_dir": RUN}
        van = Device(folder / "van", device={"id": device_id}, policy={"seal": "off"}, **tables)
        shutil.copyfile(backend.ca_file, van.folder / "fleet-ca.pem")
        shutil.copyfile(backend.fleet_key_file, van.folder / "fleet-key.pem")
        tools = disk / "card" / "tools"
        tools.parent.mkdir()
        card = Card(disk / "card")
        tools.mkdir()
        (tools / "systemctl").symlink_to(REPOSITORY / "tests" / "support" / "systemctl")
        card.power_on()
        try:
            _furnish(card, van.folder)
            card.shell(f"{DOORSTEP} enrol {backend.base_url} <<< {token}")
            yield _lived(card, device_id, folder / "disk.img")
        finally:
            card.power_off()


def _furnish(card: Card, made: Path) -> None:
    """As provisioning does; one of its later runs was cut."""
    assert card.provision().stdout == "changed\n"
    tmpfiles(card.root / STATE[1:], card.root / RUN[1:])
    target = card.root / str(DEFAULT_PATH.parent)[1:]
    target.mkdir(exist_ok=True)
    for path in made.iterdir():
        shutil.copyfile(path, target / path.name)
    (target / "new").mkdir()
    shutil.copyfile(made / "config.toml", target / "new" / "config.toml")


def _lived(card: Card, device_id: str, image: Path) -> Retired:
    card.shell(f"{DOORSTEP} capture --once || (($? == 4))")
    state = card.root / STATE[1:]
    (state / "trust" / "manifest.jws").write_bytes(DOORS)
    os.chown(state / "trust" / "manifest.jws", USERS["doorstep-capture"], GROUP)
    _delete(state / "keys" / "sync" / "next-key.pem")
    card.shell(f"{DOORSTEP} sync --once")
    secrets = _secrets(state)
    before = _blocks(image)
    foreign, fixed = state / "mine", state / "queue" / "fixed"
    foreign.touch()
    refused = card.shell(f"{DOORSTEP} retire {device_id} 2>&1 || (($? == 75))")
    foreign.unlink()
    fixed.touch()
    subprocess.run(["chattr", "+i", fixed], check=True)
    card.break_command("umount", "echo target is busy >&2; exit 32")
    busy = card.shell(f"{DOORSTEP} retire {device_id} 2>&1 || (($? == 70))")
    card.mend_command("umount")
    card.restart()  # nothing mounts the state, and nothing of /run is there
    first = card.shell(f"{AGAIN} {device_id}")
    after = _blocks(image)
    second = card.shell(f"{AGAIN} {device_id}")
    folders = [card.root / STATE[1:], card.root / str(DEFAULT_PATH.parent)[1:]]
    left = [path.name for folder in folders for path in folder.iterdir()]
    if (card.root / IMAGE[1:]).exists():
        left.append(IMAGE)
    is_mounted = os.path.lexists(card.root / LINK[1:])
    again = card.provision().stdout
    told = (refused, busy, first, second)
    return Retired(before, after, secrets, told, left, is_mounted, again)


def _delete(key: Path) -> None:
    """Overwrite a key, then delete it."""
    with key.open("wb") as file:
        file.write(REPLACED * 300)
        os.fsync(file.fileno())
    key.unlink()


def _blocks(image: Path) -> bytes:
    """Every part of the card in which anything stands."""
    os.sync()
    with image.open("rb") as card:
        parts = iter(lambda: card.read(PART_BYTES), b"")
        return b"".join(part for part in parts if part != bytes(len(part)))


def _secrets(state: Path) -> dict[str, list[bytes]]:
    keys = b"".join(path.read_bytes() for path in state.glob("keys/*/*.pem"))
    records = [path.read_bytes() for path in state.glob("records/*.rec")]
    photos = [photo for one in records if (photo := unpack(one).photo) is not None]
    return {
        "keys": re.findall(rb"PRIVATE KEY-----\n(.{40})", keys),
        "photos": [IMAGE_MARKERS[-1], *(one for photo in photos for one in slices(photo))],
        "labels": [one[:40] for one in records] + [one[300:340] for one in records],
        "deleted": [REPLACED, REPLACED[:20]],
        "doors": [CODE, PLACE, b"52.5163"],
    }


@pytest.mark.parametrize("kind", ["keys", "photos", "labels", "deleted", "doors"])
def test_no_block_of_the_card_holds_what_was_the_fleets(retired: Retired, kind: str) -> None:
    secrets = retired.secrets[kind]

    assert len(secrets) >= 2
    assert found(retired.before, *secrets) == secrets
    assert found(retired.after, *secrets) == []


def test_nothing_is_left_but_the_mark_and_the_tests_own(retired: Retired) -> None:
    assert sorted(retired.left) == ["receipt-key.pem", "retired.json", "world.toml"]
    assert not retired.is_mounted


def test_retired_card_may_be_a_device_again(retired: Retired) -> None:
    assert retired.provisioned == "changed\n"


def test_next_run_goes_on_where_the_last_one_broke_off(retired: Retired) -> None:
    """By the mark alone: configuration and keys are gone, and the power was cut in between."""
    _, busy, first, second = retired.told

    assert "target is busy; `fuser -vm /var/lib/doorstep` says who uses it" in busy
    assert "erased " in first
    assert first.splitlines()[-1] == second.splitlines()[-1]
    assert second.splitlines()[-1].startswith("register ")


def test_disk_that_holds_what_is_not_doorsteps_is_refused_before_anything_is_done(
    retired: Retired,
) -> None:
    assert "mine in /var/lib/doorstep is not Doorstep's" in retired.told[0]
    assert "nothing was done" in retired.told[0]


def test_file_that_cannot_be_wiped_keeps_no_disk_from_being_erased(retired: Retired) -> None:
    _, busy, first, _ = retired.told

    assert "; but not fixed: Operation not permitted" in busy
    assert "erasing " not in busy
    assert "erased " in first
