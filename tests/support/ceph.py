"""A real Ceph on one node: Debian's monitor, one disk and radosgw, over a folder and on loopback.

It has no manager: that counts and balances, and nobody here asks for either.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from doorstep_backend.engines.s3 import S3
from tests.support.buckets import ADMIN, BACKEND, UP_WITHIN_S, Engine, stop
from tests.support.nmea import free_port

PACKAGES: Final = "ceph-mon ceph-osd radosgw"
"""Packages of the programs; `scripts/test` does not install them, since this is tried by hand."""

LET_IN: Final = (
    "ListBucket",
    "ListBucketVersions",
    "GetObject",
    "PutObject",
    "DeleteObject",
    "DeleteObjectVersion",
    "GetBucketVersioning",
    "GetBucketObjectLockConfiguration",
)
"""Rights of the backend's keys in its bucket, as its page asks for: no more, no less."""

_KEYRING: Final = """
[{name}]
key = {key}
caps mon = "allow *"
caps osd = "allow *"
"""

_SETTINGS: Final = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon}/0]
ms bind msgr1 = false
auth allow insecure global id reclaim = false
keyring = {folder}/keyring
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = bluestore
bluestore block size = {disk}
osd class dir = {classes}
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
mon allow pool size one = true
rgw frontends = beast endpoint=127.0.0.1:{port}
admin socket =
log file =
log to stderr = true
err to stderr = true
mon cluster log file = /dev/null
[osd]
public addr = 127.0.0.1
"""

_DISK_BYTES: Final = 8 << 30
"""A file with holes; the tests fill a hundredth of it."""

_PARTS: Final = {"mon": "ceph-mon -f -i a", "osd": "ceph-osd -f -i 0", "radosgw": "radosgw -f"}
"""Processes, in the order in which one waits for the other; radosgw as `client.admin`."""

_POOLS: Final = ("default.rgw.buckets.index", "default.rgw.buckets.data")
"""radosgw makes them for the first bucket and object too, but in longer than these may take."""


class Ceph(Engine):
    """Its parts die and stall one by one, too.

    Args:
        folder: for all it keeps.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "osd").mkdir(parents=True)
        self.folder, self.port, self._mon = folder, free_port(), free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def make(self) -> None:
        """Make monitor and disk, once; `start` starts what is made."""
        fsid, disk = str(uuid4()), str(uuid4())
        text = _SETTINGS.format(
            fsid=fsid,
            folder=self.folder,
            mon=self._mon,
            port=self.port,
            disk=_DISK_BYTES,
            classes=_classes(),
        )
        (self.folder / "ceph.conf").write_text(text)
        key = self.run("ceph-authtool --gen-print-key").strip()
        names = ("mon.", "osd.0", "client.admin")
        keyring = "".join(_KEYRING.format(name=name, key=key) for name in names)
        (self.folder / "keyring").write_text(keyring)
        self.run(f"monmaptool --create --fsid {fsid} --addv a [v2:127.0.0.1:{self._mon}/0] map")
        self.run("ceph-mon --mkfs -i a --monmap map --keyring keyring")
        self.start("mon")
        self.run(f"ceph osd new {disk} 0")
        self.run(f"ceph-osd --mkfs -i 0 --osd-uuid {disk}")

    def let_in(self) -> None:
        """Make the owners of keys, and what radosgw would make later."""
        for pool in _POOLS:
            self.run(f"ceph osd pool create {pool}")
        for (name, secret), more in ((ADMIN, ""), (BACKEND.values(), " --max-buckets=-1")):
            words = f"radosgw-admin user create --uid={name} --display-name={name}{more}"
            self.run(f"{words} --access-key={name} --secret-key={secret}")

    def start(self, *parts: str) -> None:
        with (self.folder / "log").open("ab") as log:
            for part in parts or _PARTS:
                if part not in self._processes:
                    words = _words(_PARTS[part])
                    self._processes[part] = subprocess.Popen(
                        words, stdout=log, stderr=log, cwd=self.folder, env=self._environment()
                    )

    def pause(self) -> None:
        """Pause the disk, on which radosgw waits."""
        stop(self._processes["osd"])

    def go_on(self) -> None:
        self._processes["osd"].send_signal(signal.SIGCONT)

    def kill(self, *parts: str) -> None:
        dying = [self._processes.pop(part) for part in parts or list(self._processes)]
        for process in dying:
            process.kill()
        for process in dying:
            process.wait()

    @contextmanager
    def without_room(self, bucket: str, *, quota_bytes: int = 1) -> Iterator[None]:
        """Set a quota that is used up."""
        quota = f"--quota-scope=bucket --bucket={bucket}"
        self.run(f"radosgw-admin quota set {quota} --max-size={quota_bytes}")
        self.run(f"radosgw-admin quota enable {quota}")
        try:
            yield
        finally:
            self.run(f"radosgw-admin quota disable {quota}")

    def bucket(self, name: str, *, locks: bool = False) -> S3:
        opened = super().bucket(name, locks=locks)
        self.let_into(name, LET_IN)
        return opened

    def let_into(self, bucket: str, actions: Iterable[str]) -> None:
        """Let the backend's keys do this there, and nothing else.

        The admin's may do all: an object of another user is that user's, even in the admin's
        bucket.
        """
        backend = [f"s3:{action}" for action in actions]
        statements = [
            {
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:aws:iam:::user/{user}"]},
                "Action": allowed,
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            }
            for user, allowed in ((BACKEND["AWS_ACCESS_KEY_ID"], backend), (ADMIN[0], ["s3:*"]))
        ]
        said = {"Version": "2012-10-17", "Statement": statements}
        self.admin.put_bucket_policy(Bucket=bucket, Policy=json.dumps(said))

    def run(self, command: str) -> str:
        """Run a command of Ceph's; return its output."""
        done = subprocess.run(
            _words(command),
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=UP_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "CEPH_CONF": str(self.folder / "ceph.conf")}


@contextmanager
def ceph_engine(folder: Path) -> Iterator[Engine]:
    """Run one; ends it when the block ends. The keys stay in the environment: all have them."""
    os.environ.update(BACKEND)
    engine = Ceph(folder)
    try:
        engine.make()
        engine.start()
        engine.let_in()
        engine.wait()
        yield engine
    finally:
        engine.kill()


def _words(command: str) -> list[str]:
    name, *words = command.split()
    program = shutil.which(name, path="/usr/sbin:/usr/bin")
    assert program, f"this needs {name}: apt-get install --no-install-recommends {PACKAGES}"
    return [program, *words]


def _classes() -> Path:
    """Return the folder of the classes that the disk's process loads; it needs an absolute path."""
    _words("ceph-osd")
    (found,) = Path("/usr/lib").glob("*/rados-classes")
    return found
