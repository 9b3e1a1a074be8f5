import subprocess
import sys
from pathlib import Path

from doorstep_backend import supporting
from doorstep_backend.copies import faces

PACKAGE = Path(supporting.__file__).parent


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "doorstep_backend", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_writes_the_files_of_the_package_for_every_user(tmp_path: Path) -> None:
    """The command needs no data folder, because nginx may be on another machine."""
    ran = _run("write-files", tmp_path / "new")
    written = {path.name: path for path in (tmp_path / "new").iterdir()}

    assert ran.stdout.splitlines() == [str(written[name]) for name in supporting.FILES]
    assert {path.stat().st_mode & 0o777 for path in written.values()} == {0o644}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755
    for name, place in supporting.FILES.items():
        assert written[name].read_bytes() == (PACKAGE / place).read_bytes()


def test_command_says_why_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = _run("write-files", tmp_path / "file" / "below")

    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)


def test_other_commands_need_a_data_folder() -> None:
    ran = _run("kept")

    assert ran.returncode == 2
    assert "--data DIR: name the folder" in ran.stderr


def test_error_about_a_missing_face_model_names_the_written_file() -> None:
    assert faces.PINNED in supporting.FILES
