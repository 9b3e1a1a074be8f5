"""What a rig says of a machine that lacks something, before it starts work."""

from pathlib import Path

import pytest

from tests.support import needs
from tests.support.device import environment


def test_needs_names_packages_of_all_missing_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each package once, also if it brings two of the commands."""
    monkeypatch.setattr(needs, "SBIN", "")
    with environment(PATH=str(tmp_path)):
        told = needs.told("nft", "ssh", "ssh-keygen")

    assert told == "nft, ssh, ssh-keygen: missing. On Debian: apt install nftables openssh-client"


def test_a_command_that_is_there_is_not_named(tmp_path: Path) -> None:
    for name in ("nft", "ssh"):
        (tmp_path / name).touch(0o755)
    with environment(PATH=str(tmp_path)):
        assert needs.told("nft", "ssh") == ""


def test_a_rig_that_lacks_something_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with environment(PATH=str(tmp_path)), pytest.raises(SystemExit) as ended:
        needs.check("mmdebstrap")

    assert ended.value.code == 2
    assert "apt install mmdebstrap" in capsys.readouterr().err
