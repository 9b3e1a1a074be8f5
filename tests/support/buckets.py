"""The interface of tests to a real S3 engine: its buckets, by two sets of keys."""

import os
import signal
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any, Final

import boto3  # noqa: TID251 - the test's own side
from botocore.config import Config  # noqa: TID251 - as boto3

from doorstep_backend.engines.s3 import S3, connect, read_address
from doorstep_backend.engines.unavailable import Unavailable
from tests.support.waiting import until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

UP_WITHIN_S: Final = 180.0
"""Longest start that is waited for. Source: 6 s on an idle laptop, with room for a loaded CI."""

BACKEND: Final = {"AWS_ACCESS_KEY_ID": "backend", "AWS_SECRET_ACCESS_KEY": "of-the-backend"}
"""Environment of a backend: it may read, write and list, and make no bucket."""

ADMIN: Final = ("admin", "of-the-admin")
"""Keys that make buckets, and change them without the backend."""


class Engine(ABC):
    """A server that can be stopped, killed and started again in place.

    Attributes:
        folder: for all it keeps; it logs to `log` there.
        port: of loopback, where it speaks S3.
    """

    folder: Path
    port: int
    _has_probe: bool = False

    @abstractmethod
    def start(self) -> None:
        """Start it; `wait` until it keeps objects."""

    @abstractmethod
    def pause(self) -> None:
        """Stop all answers; its connections stay."""

    @abstractmethod
    def go_on(self) -> None:
        """End the pause."""

    @abstractmethod
    def kill(self) -> None:
        """Kill it, as the machine's power cut would."""

    @abstractmethod
    def without_room(self, bucket: str) -> AbstractContextManager[None]:
        """Refuse all new objects within the block; the present ones can be read."""

    def wait(self) -> None:
        """Wait until it keeps objects: its parts start one after the other."""
        told = (self.folder / "log").read_text
        until(self._answers, UP_WITHIN_S, every_s=0.5, told=told)
        if not self._has_probe:
            self.bucket("probe")
            self._has_probe = True
        until(self._keeps, UP_WITHIN_S, every_s=0.5, told=told)

    def _answers(self) -> bool:
        try:
            self.opened("none").begin()
        except Unavailable as error:
            return "NoSuchBucket" in str(error)
        return True

    def _keeps(self) -> bool:
        with suppress(Unavailable):
            self.opened("probe").put("probe", "probe", b"probe")
            return True
        return False

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def address(self, bucket: str) -> str:
        return f"s3://{bucket}?endpoint={self.endpoint}"

    @cached_property
    def admin(self) -> "S3Client":
        """As the backend's own client, but more patient: Ceph takes seconds for some buckets."""
        hasty = connect(read_address(self.address("none")), *ADMIN)
        key_id, secret = ADMIN
        return boto3.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=hasty.meta.region_name,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            config=hasty.meta.config.merge(Config(read_timeout=60)),
        )

    def bucket(self, name: str, *, locks: bool = False) -> S3:
        """Make a bucket, and opens it with the backend's keys, which are in the environment."""
        self.admin.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        return self.opened(name)

    def opened(self, name: str) -> S3:
        return S3(read_address(self.address(name)))

    def keys(self, bucket: str) -> dict[str, bytes]:
        """Return all objects in a bucket, by key."""
        client = self.admin
        page = client.list_objects_v2(Bucket=bucket)
        keys = [one["Key"] for one in page.get("Contents", [])]
        return {
            key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in sorted(keys)
        }


def stop(process: Popen[Any]) -> None:
    """Stop a process; return once none of its threads runs: some outlast the signal."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
