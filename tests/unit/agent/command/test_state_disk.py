"""The state's own disk is erased, and never another one."""

import subprocess
from pathlib import Path

import pytest

from agent.command.state_disk import (
    StateDisk,
    check_alone,
    erase,
    mounted_once,
    own_entries,
)
from agent.errors import StorageFault
from agent.queue.paths import Layout

STATE = Path("/var/lib/doorstep")
ROOT = "25 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw"
OWN = "99 25 179:3 / /var/lib/doorstep rw,nosuid shared:9 - ext4 /dev/mmcblk0p3 rw"


def test_a_partition_of_its_own_is_found() -> None:
    assert mounted_once(STATE, f"{ROOT}\n{OWN}\n") == "179:3"


@pytest.mark.parametrize(
    "mounts",
    [
        ROOT,
        f"{ROOT}\n{OWN.replace(' / /var', ' /folder /var')}",
        f"{ROOT}\n{OWN.replace('ext4', 'btrfs')}",
        f"{ROOT}\n{OWN}\n{OWN.replace('/var/lib/doorstep', '/srv')}",
        f"{ROOT}\n{OWN.replace('/var/lib/doorstep', '/var/lib/doorstep2')}",
        "",
    ],
    ids=["shared", "bound", "other kind", "twice", "another", "none"],
)
def test_shared_path_is_not_the_states_own(mounts: str) -> None:
    assert mounted_once(STATE, mounts) is None


def test_blank_in_a_path_is_understood() -> None:
    mounts = OWN.replace("/var/lib/doorstep", "/mnt/my\\040card")

    assert mounted_once(Path("/mnt/my card"), mounts) == "179:3"


def test_every_folder_of_the_layout_is_wiped(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state", tmp_path / "run")
    layout.make()

    check_alone(layout.state)
    assert set(own_entries(layout.state)) >= set(layout.state.iterdir())


def disk(folder: Path, uuid: str) -> Path:
    image = folder / "doorstep.ext4"
    subprocess.run(["mkfs.ext4", "-q", "-F", "-U", uuid, image, "4M"], check=True)
    return image


UUID = "12345678-1234-1234-1234-123456789abc"


@pytest.mark.slow
def test_file_is_erased_and_goes_and_once_more_is_no_matter(tmp_path: Path) -> None:
    image = disk(tmp_path, UUID)
    with image.open("rb") as held:
        assert erase(StateDisk(image, UUID)) == 4 * 2**20

        assert held.read() == bytes(4 * 2**20)
    assert not image.exists()
    assert erase(StateDisk(image, UUID)) == 0


@pytest.mark.slow
def test_another_file_system_there_by_now_is_left_alone(tmp_path: Path) -> None:
    """Disks change their names from one start to the next."""
    image = disk(tmp_path, UUID.replace("1", "2"))
    before = image.read_bytes()

    with pytest.raises(StorageFault, match="another file system than the state's"):
        erase(StateDisk(image, UUID))

    assert image.read_bytes() == before
