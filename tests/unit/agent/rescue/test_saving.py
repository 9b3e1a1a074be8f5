"""`doorstep rescue --to DIR` as root, where another user owns DIR and lays links in it."""

import os
from pathlib import Path

import pytest

from tests.unit.agent.rescue import cards
from tests.unit.agent.rescue.cards import rescue

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_root")]

NOBODY = 65_534


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card with a whole record and a torn one."""
    folder = tmp_path_factory.mktemp("card")
    whole, torn = cards.some(2)
    records = cards.state(folder / "state", whole) / "records"
    (records / "torn.rec").write_bytes(torn.content[:-7])
    return cards.file_system(folder / "state", folder / "card.img")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of another user."""
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", NOBODY, NOBODY)
    return tmp_path / "home"


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """A folder of root's, where that user may not write."""
    (tmp_path / "roots").mkdir()
    return tmp_path / "roots"


def laid(link: Path, to: Path) -> None:
    link.symlink_to(to)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)


@pytest.mark.parametrize("target", ["home/link", "home/link/van-7", "home/link/../roots/new"])
def test_rescue_refuses_a_way_that_another_user_bent(
    image: Path, home: Path, roots: Path, target: str
) -> None:
    laid(home / "link", roots)

    ended = rescue(image, "--to", home.parent / target)

    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert f"{home / 'link'}: a link by another user" in ended.stderr
    assert "name the folder that it leads to" in ended.stderr
    assert list(roots.iterdir()) == []


def test_rescue_follows_a_link_of_roots(image: Path, home: Path) -> None:
    (home.parent / "link").symlink_to(home)

    assert rescue(image, "--to", home.parent / "link" / "van-7").returncode == 65
    assert (home / "van-7").stat().st_uid == NOBODY


@pytest.mark.parametrize("is_link", [True, False])
def test_rescue_refuses_a_folder_below_that_is_not_its_owners(
    image: Path, home: Path, roots: Path, is_link: bool
) -> None:
    """Root would write there as root, in a place that another user chose."""
    torn = home / "torn"
    if is_link:
        laid(torn, roots)
    else:
        roots.rename(torn)

    ended = rescue(image, "--to", home)

    assert ended.returncode == 2, ended.stdout + ended.stderr
    why = "a link or a file, not a folder" if is_link else f"does not belong to the owner of {home}"
    assert f"{torn}: {why}" in ended.stderr
    assert list(torn.iterdir()) == []


def test_rescue_may_not_write_where_the_owner_may_not(image: Path, home: Path) -> None:
    """Rescue writes as the owner: a folder that is closed to its owner stays as it is."""
    home.chmod(0o500)

    ended = rescue(image, "--to", home)

    assert ended.returncode == 70, ended.stdout + ended.stderr
    assert "Permission denied" in ended.stderr
    assert list(home.iterdir()) == []


def test_rescue_saves_everything_as_the_owner(image: Path, home: Path) -> None:
    assert rescue(image, "--to", home / "new" / "van-7").returncode == 65

    made = [home / "new", *(home / "new").rglob("*")]
    assert len([path for path in made if path.is_file()]) == 2
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(NOBODY, NOBODY)}
