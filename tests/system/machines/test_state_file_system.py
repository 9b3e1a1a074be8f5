"""No run, and no cut in one, loses a record: the script that gives the state a file system."""

import os
from collections.abc import Iterator

import pytest

from tests.support.statecard import IMAGE, IN_MEMORY, LINK, MB, STATE, Card, card, partition

pytestmark = pytest.mark.slow

BELOW = "mkdir -p /run/below && mount --bind /var/lib /run/below && cd /run/below/doorstep"
"""Where one sees what the mount hides."""

WRITE_BELOW = f"chattr -f -i {STATE}; echo later >{STATE}/later"


@pytest.fixture
def device() -> Iterator[Card]:
    """A card with one record in the folder, and capture running."""
    if os.geteuid() != 0:
        pytest.fail("this mounts file systems: run it as root")
    with card() as made:
        made.shell(f"mkdir -p {STATE}/keys && echo one >{STATE}/keys/record")
        made.shell("systemctl start doorstep-capture.service")
        yield made


def _made(device: Card, block: str = "") -> None:
    ran = device.provision(block)
    assert (ran.returncode, ran.stdout) == (0, "changed\n"), ran.stderr


def _record(device: Card) -> str:
    assert device.shell(f"findmnt -n -o FSTYPE {STATE}") == "ext4"
    return device.shell(f"cat {STATE}/keys/record")


def test_contents_of_the_folder_move_to_a_file_system(device: Card) -> None:
    _made(device)

    assert _record(device) == "one"
    assert device.shell(f"{BELOW} && ls -A") == ""
    assert device.shell(f"e2label {IMAGE}") == "doorstep-state"
    assert int(device.shell(f"stat -c %b {IMAGE}")) * 512 >= MB * 2**20, "it has holes"
    assert "Reserved block count:     0" in device.shell(f"dumpe2fs -h {IMAGE} 2>&1")
    device.shell("systemctl is-active doorstep-capture.service")


def test_second_run_changes_nothing(device: Card) -> None:
    _made(device)
    device.shell(f"echo two >{STATE}/keys/record")

    assert device.provision().stdout == "unchanged\n"
    assert _record(device) == "two"


def test_image_that_does_not_mount_is_kept_and_reported(device: Card) -> None:
    _made(device)
    device.restart()
    device.shell(f"dd if=/dev/zero of={IMAGE} bs=64K count=1 conv=notrunc status=none")
    before = device.shell(f"sha256sum {IMAGE}")

    ran = device.provision()

    assert ran.returncode == 1
    assert "does not mount, and its records are in it: e2fsck -f" in ran.stderr
    assert device.shell(f"sha256sum {IMAGE}") == before
    device.shell(f"test -L {LINK}")


def test_link_that_is_lost_loses_no_record(device: Card) -> None:
    _made(device)
    device.shell(f"echo two >{STATE}/keys/record && rm {LINK}")
    device.restart()

    _made(device)

    assert _record(device) == "two"


def test_folder_counts_before_the_link(device: Card) -> None:
    """After a power cut and another record, an old copy is not taken for the state."""
    device.break_command("ln", "kill -9 $PPID")
    assert device.provision().returncode == -9
    device.mend_command("ln")
    device.restart()
    device.shell(f"test -s {IMAGE} && echo two >{STATE}/keys/record")

    _made(device)

    assert _record(device) == "two"
    assert device.provision().stdout == "unchanged\n"


def test_copy_counts_after_the_link(device: Card) -> None:
    """After a power cut before the mount, the next run clears the folder."""
    device.break_command("systemctl", "[[ $1 != daemon-reload ]] || kill -9 $PPID")
    assert device.provision().returncode == -9
    device.mend_command("systemctl")
    device.restart()
    device.shell(f"test -L {LINK}")

    _made(device)

    assert _record(device) == "one"
    assert device.shell(f"{BELOW} && ls -A") == ""


def test_files_written_below_the_mount_later_stay(device: Card) -> None:
    _made(device)
    device.restart()
    device.shell(WRITE_BELOW)

    _made(device)

    assert _record(device) == "one"
    assert device.shell(f"{BELOW} && cat later") == "later"


def test_two_states_are_not_made_one(device: Card) -> None:
    """If the link is lost and the folder was written to, a person decides which counts."""
    _made(device)
    device.restart()
    device.shell(f"rm {LINK}; {WRITE_BELOW}")

    ran = device.provision()

    assert ran.returncode == 0
    assert "skipped: " in ran.stdout
    assert device.shell(f"cat {STATE}/later; e2label {IMAGE}") == "later\ndoorstep-state"


def test_image_with_errors_is_repaired_before_it_is_mounted(device: Card) -> None:
    _made(device)
    device.restart()
    device.shell(f"debugfs -w -R 'set_super_value state 2' {IMAGE}")

    _made(device)

    assert _record(device) == "one"
    assert device.shell(f"dumpe2fs -h {IMAGE} 2>&1 | grep state:").endswith(" clean")


def test_mounted_image_is_not_checked(device: Card) -> None:
    """Each start of a unit that needs the mount starts the mount too, and what that requires."""
    _made(device)

    device.shell("systemctl start var-lib-doorstep.mount")


def test_services_run_on_when_a_copy_fails(device: Card) -> None:
    device.break_command("cp", "echo 'cp: no room' >&2; exit 1")

    assert device.provision().returncode != 0

    device.shell("systemctl is-active doorstep-capture.service")
    assert device.shell(f"cat {STATE}/keys/record") == "one"
    device.shell(f"test ! -e {LINK}")


@pytest.fixture
def stick() -> Iterator[str]:
    with partition(IN_MEMORY / f"doorstep-stick-{os.getpid()}") as made:
        yield made


def test_partition_survives_a_rewritten_card(device: Card, stick: str) -> None:
    _made(device, stick)
    device.shell(f"echo two >{STATE}/keys/record")
    device.write_anew()
    device.shell(f"debugfs -w -R 'set_super_value state 2' {stick}")

    _made(device, stick)

    assert _record(device) == "two"
    assert device.shell(f"dumpe2fs -h {stick} 2>&1 | grep state:").endswith(" clean")


def test_partition_with_other_contents_is_not_taken(device: Card, stick: str) -> None:
    device.shell(f"mkfs.ext4 -q -L holiday {stick}")

    ran = device.provision(stick)

    assert "skipped: " in ran.stdout
    assert device.shell(f"e2label {stick}; cat {STATE}/keys/record") == "holiday\none"
    device.shell("systemctl is-active doorstep-capture.service")
