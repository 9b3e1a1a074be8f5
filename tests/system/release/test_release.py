"""scripts/release, in a repository of its own, with a wheelhouse that needs no network."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest

import doorstep_backend
from agent import __version__
from tests.system.release.clone import BACKEND, Clone, make_wheelhouse

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    wheelhouse = make_wheelhouse(tmp_path_factory.mktemp("wheelhouse"))
    return Clone.make(tmp_path_factory.mktemp("clone"), wheelhouse)


@pytest.fixture
def clone(pristine: Clone, tmp_path: Path) -> Clone:
    return pristine.copy(tmp_path / "clone")


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _made(clone: Clone) -> Path:
    return clone.folder / "dist" / "release" / __version__


def test_release_has_the_devices_files_and_their_sbom(clone: Clone) -> None:
    ran = clone.release()
    assert ran.returncode == 0, ran.stderr
    files = _files(_made(clone))

    assert set(files) == {
        "amd64.tar",
        "arm64.tar",
        "constraints.txt",
        f"doorstep-{__version__}-py3-none-any.whl",
        f"doorstep_backend-{__version__}-py3-none-any.whl",
        "notes.md",
        "pip.txt",
        "sbom-amd64.cdx.json",
        "sbom-arm64.cdx.json",
        "SHA256SUMS",
    }
    sums = dict(line.split("  ")[::-1] for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for name in filter(lambda name: name.endswith(".whl"), files):
        assert f"=={__version__} --hash=sha256:{sums[name]}\n" in files["constraints.txt"].decode()
    assert files["arm64.tar"] == (clone.wheelhouse / "arm64.tar").read_bytes()


def test_release_has_the_whole_backend_of_its_version(clone: Clone) -> None:
    clone.release()
    (wheel,) = _made(clone).glob("doorstep_backend-*.whl")
    package = clone.folder / BACKEND
    committed = {str(path.relative_to(package.parent)) for path in package.rglob("*.*")}
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}

    assert doorstep_backend.__version__ == __version__
    assert names == committed


def test_commit_is_named_in_the_notes_and_the_sbom(clone: Clone) -> None:
    clone.release()
    files = _files(_made(clone))

    assert f"Built from commit {clone.commit_id()}." in files["notes.md"].decode()
    for arch in ("amd64", "arm64"):
        root = json.loads(files[f"sbom-{arch}.cdx.json"])["metadata"]["component"]
        assert root["pedigree"]["commits"] == [{"uid": clone.commit_id()}]


def test_second_run_changes_nothing(clone: Clone) -> None:
    clone.release()
    before = {path: path.stat().st_mtime_ns for path in _made(clone).iterdir()}
    ran = clone.release()

    assert ran.stdout.endswith(f"dist/release/{__version__}: is there\n")
    assert before == {path: path.stat().st_mtime_ns for path in _made(clone).iterdir()}
    assert [path.name for path in _made(clone).parent.iterdir()] == [__version__]


def test_same_commit_gives_the_same_bytes_again(clone: Clone, tmp_path: Path) -> None:
    other = clone.copy(tmp_path / "elsewhere")
    clone.release()
    other.release()

    assert _files(_made(clone)) == _files(_made(other))


def test_run_that_breaks_off_leaves_the_earlier_release(clone: Clone) -> None:
    clone.release()
    before = _files(_made(clone))
    (clone.folder / "scripts" / "wheelhouse").write_text("#!/bin/sh\nexit 1\n")
    clone.commit()

    assert clone.release().returncode == 1
    assert _files(_made(clone)) == before


@pytest.mark.parametrize("name", ["README.md", "agent/added.py"])
def test_uncommitted_change_is_refused(clone: Clone, name: str) -> None:
    (clone.folder / name).write_text("changed\n")
    ran = clone.release()

    assert ran.returncode == 2
    assert f"this is not in it: {name};" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert not _made(clone).exists()


def test_version_is_one_commit(clone: Clone) -> None:
    clone.tag(__version__)
    assert clone.release().returncode == 0
    (clone.folder / "README.md").write_text("changed\n")
    clone.commit()
    ran = clone.release()

    assert ran.returncode == 2
    assert f"{__version__} is released already" in ran.stderr


def test_unreleased_section_is_refused(clone: Clone) -> None:
    changelog = clone.folder / "CHANGELOG.md"
    text = changelog.read_text("utf-8")
    changelog.write_text(text.replace(f"## {__version__}\n", f"## {__version__} (unreleased)\n"))
    clone.commit()
    ran = clone.release()

    assert ran.returncode == 2
    assert "a release has the number alone" in ran.stderr
    assert not _made(clone).exists()


def test_wrong_changelog_is_refused_before_an_environment_is_made(clone: Clone) -> None:
    changelog = clone.folder / "CHANGELOG.md"
    changelog.write_text(changelog.read_text("utf-8").replace(f"## {__version__}\n", "## 1.0.0\n"))
    clone.commit()
    venv = clone.folder.with_suffix(".none-yet")
    ran = clone.release(DOORSTEP_VENV=str(venv))

    assert ran.returncode == 2
    assert ran.stderr == (
        f"CHANGELOG.md: it has no section `## {__version__}`; write what is new in it, and commit\n"
    )
    assert not venv.exists()
    assert not (clone.folder / "dist").exists()


def test_archive_of_another_version_is_refused(clone: Clone, tmp_path: Path) -> None:
    wheel = next((clone.wheelhouse / "amd64").glob("doorstep-*"))
    clone.wheelhouse = make_wheelhouse(tmp_path / "old", "2020.1.1")
    shutil.copy(wheel, clone.wheelhouse / "amd64")
    ran = clone.release()

    assert ran.returncode == 2
    assert f"no wheel of doorstep {__version__}" in ran.stderr
    assert not _made(clone).exists()
