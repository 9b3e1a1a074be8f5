"""`doorstep verify`: what it ends with."""

from pathlib import Path

import pytest

from agent.__main__ import main
from tests.agent.command.inprocess import printed
from tests.support.factory import RecordMaker, owned_by_a_user


def test_verify_of_a_good_folder_ends_with_0_and_of_an_altered_one_with_65(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = RecordMaker()
    for made in [maker.make() for _ in range(3)]:
        path = made.into(tmp_path)

    assert main(["verify", str(tmp_path)]) == 0
    content = bytearray(path.read_bytes())
    content[-2000] ^= 1
    path.write_bytes(content)
    assert main(["verify", str(tmp_path)]) == 65
    assert "not everything verifies" in printed(capsys)


def test_a_folder_that_this_user_may_not_read_is_not_an_empty_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with owned_by_a_user() as folder:
        RecordMaker().make().into(folder)
        folder.chmod(0o300)
        code = main(["verify", str(folder)])
        folder.chmod(0o700)

    assert code == 70
    assert f"cannot read {folder}: Permission denied" in capsys.readouterr().err


def test_verify_needs_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert "not a folder" in capsys.readouterr().err
