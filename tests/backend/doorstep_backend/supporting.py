"""Writes the files that a server needs beside this package: for nginx, systemd and Prometheus."""

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from doorstep_backend.commandline import add_command_without_folder

COMMAND: Final = "write-files"

FILES: Final = {
    "nginx.conf": "nginx.conf",
    "doorstep-backend@.service": "doorstep-backend@.service",
    "alerts.yml": "monitoring/alerts.yml",
    "face-model.txt": "copies/model.txt",
}
"""The name of each file, and its place in this package."""


def add_to(verbs: Any) -> None:
    """Add the command to those of the backend."""
    command = add_command_without_folder(
        verbs,
        COMMAND,
        "write nginx.conf, the systemd unit, the alert rules and face-model.txt into a folder; "
        "replace those of an earlier release",
        "files",
    )
    command.add_argument(
        "folder", type=Path, metavar="DIR", help="folder for the files; the command makes it"
    )


def write(folder: Path) -> list[Path]:
    """Write all of FILES, readable by every user, and return their paths.

    Raises:
        OSError: the folder or a file cannot be written.
    """
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    written = []
    for name, place in FILES.items():
        path = folder / name
        path.write_bytes(files(__package__).joinpath(place).read_bytes())
        path.chmod(0o644)
        written.append(path)
    return written
