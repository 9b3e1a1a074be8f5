"""The message of a rig on a machine that lacks something, before it starts work."""

from pathlib import Path

import pytest

from tests.support import needs
from tests.support.device import environment


def test_needs_names_packages_of_all_missing_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each package once, also if it brings two of the commands; by scripts/packages.sh."""
    monkeypatch.setattr(needs, "SBIN", "")
    with environment(PATH=str(tmp_path)):
        told = needs.missing_words("ssh", "qemu-img", "qemu-storage-daemon")

    words = "ssh, qemu-img, qemu-storage-daemon: missing"
    assert told == f"{words}. On Debian: apt install openssh-client qemu-utils"


def test_a_command_that_is_there_is_not_named(tmp_path: Path) -> None:
    for name in ("mmdebstrap", "ssh"):
        (tmp_path / name).touch(0o755)
    with environment(PATH=str(tmp_path)):
        assert needs.missing_words("mmdebstrap", "ssh") == ""


def test_file_that_shows_a_package_is_looked_for_where_its_list_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's commands are in no folder of PATH, and pictures are no command."""
    for part in ("17/bin/initdb", "mate"):
        (tmp_path / part).mkdir(parents=True)
    shown = {"initdb": f"{tmp_path}/*/bin/initdb", "mate": f"{tmp_path}/mate"}
    lists = "".join(f"package {one} why\n" for one in shown.values())
    monkeypatch.setattr(needs, "PACKAGES", needs.listed(f"TEST_PACKAGES='\n{lists}'\n"))

    assert needs.missing("initdb", "mate") == []
    (tmp_path / "mate").rmdir()
    assert needs.missing("initdb", "mate") == ["mate"]


def test_a_rig_that_lacks_something_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with environment(PATH=str(tmp_path)), pytest.raises(SystemExit) as ended:
        needs.check("mmdebstrap")

    assert ended.value.code == 2
    assert "apt install mmdebstrap" in capsys.readouterr().err
