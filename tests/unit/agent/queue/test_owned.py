"""A folder that another user may own: what a link or an exchange on the way cannot do.

Who owns what is written is tried as root, in tests/unit/agent/rescue/test_saving.py.
"""

from pathlib import Path

import pytest

from agent.errors import ConfigError, StorageFault
from agent.queue.owned import opened


def test_opened_makes_what_is_missing_for_its_owner_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "a" / "b") as folder:
        folder.write("c.rec", b"evidence", 0o644)

    assert (tmp_path / "a" / "b" / "c.rec").read_bytes() == b"evidence"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("?")} == {0o700}


def test_opened_takes_a_path_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    with opened(Path("../there/./new")) as folder:
        folder.write("c.rec", b"evidence", 0o644)

    assert (tmp_path / "there" / "new" / "c.rec").read_bytes() == b"evidence"


@pytest.mark.parametrize("target", ["real", "./real/", "below/../real", "/proc/self/cwd"])
def test_opened_follows_own_links_as_the_kernel_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    for name in ("real", "below"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(target)
    monkeypatch.chdir(tmp_path / "real")

    with opened(tmp_path / "link") as folder:
        folder.write("c.rec", b"evidence", 0o644)

    assert (tmp_path / "real" / "c.rec").exists()


def test_opened_refuses_a_file_and_a_circle_of_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to("circle")

    for name in ("file", "circle", "file/below"):
        with pytest.raises(ConfigError, match="not a folder"), opened(tmp_path / name):
            pass


def test_folder_stays_the_same_if_its_path_is_exchanged(tmp_path: Path) -> None:
    """A path that was looked at once may lead elsewhere a moment later."""
    (tmp_path / "roots").mkdir()

    with opened(tmp_path / "given") as folder, folder.below("torn") as torn:
        for name in ("given/torn", "given"):
            (tmp_path / name).rename(tmp_path / f"{Path(name).name}-was")
        (tmp_path / "given").symlink_to(tmp_path / "roots")
        folder.write("c.rec", b"evidence", 0o644)
        torn.write("d.rec", b"torn", 0o644, whole=True)

    assert list((tmp_path / "roots").iterdir()) == []
    assert (tmp_path / "given-was" / "c.rec").read_bytes() == b"evidence"


def test_folder_replaces_a_link_and_never_writes_through_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    for name in ("c.part", "c.rec"):
        (tmp_path / name).symlink_to("secret")

    with opened(tmp_path) as folder:
        assert folder.read("c.rec", 100) is None
        folder.write("c.rec", b"evidence", 0o644)

    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert not (tmp_path / "c.rec").is_symlink()


def test_folder_tells_what_cannot_be_written(tmp_path: Path) -> None:
    with opened(tmp_path / "gone") as folder:
        (tmp_path / "gone").rmdir()

        with pytest.raises(StorageFault, match=r"cannot write c\.rec: No such file"):
            folder.write("c.rec", b"evidence", 0o644)
