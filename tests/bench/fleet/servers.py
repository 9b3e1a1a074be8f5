"""The servers of a peak: one process and its folder, or instances and engines."""

import os
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from doorstep_backend import keys
from doorstep_backend.engines.opening import URL
from doorstep_backend.seals import Seals
from tests.support import nginx
from tests.support.backend import Backend
from tests.support.device import environment
from tests.support.instances import address
from tests.support.nmea import free_port
from tests.support.postgres import Postgres, running_postgres
from tests.support.s3 import SeaweedFS, s3_engine
from tests.support.sealed import IDENTITY_FILE, NAMES

NEEDS: Final = ("initdb", "nginx")
"""By the names of tests/support/needs.py; the S3 engine comes from PyPI."""

BUCKET: Final = "records"

S3_REQUESTS: Final = "SeaweedFS_s3_request_total{"
"""Beginnings of the lines of its metrics that count requests, by bucket, type and status."""


def tree_s(pid: int) -> float:
    """User and system, of a process, its children, and those of them that have ended.

    Source: proc(5), /proc/pid/stat, fields 14 to 17.
    """
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _s(pid, ended=True) + sum(_s(int(child), ended=False) for child in children)


def _s(pid: int, *, ended: bool) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # a child that has ended since: its parent is told
        return 0.0
    return sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK")


class Instance:
    """A process of the backend, and what all that were started in its place have used.

    What a start uses is not counted: it has nothing to do with records.
    """

    def __init__(self, name: str, backend: Backend) -> None:
        self.name = name
        self.backend = backend
        self._ended_s = 0.0
        self._started_s: float | None = None

    def start(self) -> None:
        self.backend.start()
        self._started_s = tree_s(self.backend.pid)

    def kill(self) -> None:
        """As a power cut would; what it used between the look and its end is lost."""
        self._ended_s, self._started_s = self.used_s, None
        self.backend.kill()

    def end(self) -> None:
        """For good; harmless where it is killed."""
        if self._started_s is not None:
            self.kill()

    @property
    def used_s(self) -> float:
        if self._started_s is None:
            return self._ended_s
        return self._ended_s + tree_s(self.backend.pid) - self._started_s


@dataclass(frozen=True, slots=True)
class Engines:
    """A PostgreSQL and an S3 engine; `metrics_port` is where that one says what it was asked."""

    postgres: Postgres
    s3: SeaweedFS
    metrics_port: int

    def s3_requests(self, bucket: str) -> int:
        """Return the number of requests to the bucket, by the engine's own count."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        own = f'bucket="{bucket}"'
        found = [one for one in lines if one.startswith(S3_REQUESTS) and own in one]
        return sum(int(float(one.rpartition(" ")[2])) for one in found)


@dataclass(frozen=True, slots=True)
class Servers:
    """All of one side.

    Attributes:
        base_url: what devices speak to.
        intakes: the instances that answer there.
        offices: those for people, behind an nginx of their own, which is at `office_urls`.
        engines: None where rows and records are in the folder `data`.
        database: its URL; nothing without engines.
    """

    data: Path
    base_url: str
    intakes: list[Instance]
    offices: list[Instance] = field(default_factory=list)
    office_urls: list[str] = field(default_factory=list)
    engines: Engines | None = None
    bucket: str = ""
    database: str = ""
    nginx_folders: list[Path] = field(default_factory=list)

    @property
    def ca_file(self) -> Path:
        return self.intakes[0].backend.ca_file

    @property
    def fleet_key_file(self) -> Path:
        return self.intakes[0].backend.fleet_key_file

    def used_s(self) -> dict[str, float]:
        """Return the processor time that each role used."""
        used = {"backend": sum(one.used_s for one in self.intakes)}
        if self.offices:
            used["office"] = sum(one.used_s for one in self.offices)
        if self.engines is not None:
            pids = [int((folder / "nginx.pid").read_text()) for folder in self.nginx_folders]
            used |= {
                "PostgreSQL": tree_s(self.engines.postgres.pid),
                "S3": tree_s(self.engines.s3.pid),
                "nginx": sum(map(tree_s, pids)),
            }
        return used

    def s3_requests(self) -> int:
        return 0 if self.engines is None else self.engines.s3_requests(self.bucket)

    def wal_bytes(self) -> int:
        """Written to PostgreSQL's log until now; 0 without one."""
        query = "SELECT pg_current_wal_lsn() - '0/0'"
        return 0 if self.engines is None else int(self.engines.postgres.asked(query))


@contextmanager
def engines(folder: Path, *, fsync: bool = True) -> Iterator[Engines]:
    """Both, for any number of peaks. S3 takes most of the time: 6 s, idle."""
    port = free_port()
    with (
        running_postgres(fsync=fsync) as postgres,
        s3_engine(folder / "s3", [f"-metricsPort={port}"]) as s3,
    ):
        yield Engines(postgres, s3, port)


@contextmanager
def embedded(folder: Path) -> Iterator[Servers]:
    """A process that ends TLS itself, over SQLite and files."""
    instance = Instance("the backend", Backend(_new(folder), switches=False, identity=True))
    with _ended([instance]), environment(**{URL: ""}):
        instance.start()
        yield Servers(instance.backend.data, instance.backend.base_url, [instance])


@contextmanager
def spread(folder: Path, engines: Engines, intakes: int, offices: int = 0) -> Iterator[Servers]:
    """Instances for devices, and for people, behind nginx, over a new database and a new bucket.

    People have an nginx of their own over the backend's nginx.conf: elsewhere they have another
    name and another certificate, since devices trust the fleet's CA, and browsers do not.
    """
    data, bucket = _new(folder), f"{BUCKET}-{folder.name}"
    engines.s3.admin.create_bucket(Bucket=bucket)
    database, objects = engines.postgres.new_database(), engines.s3.address(bucket)
    (data / "backend.toml").write_text('proxy = ["127.0.0.1"]\n')
    behind = _instances("intake", intakes, data, objects)
    above = _instances("office", offices, data, objects)
    with ExitStack() as opened:
        opened.enter_context(environment(**{URL: database}))
        opened.enter_context(_ended([*behind, *above]))
        for one in [*behind, *above]:
            one.start()
        folders = [folder / "nginx", folder / "nginx-office"][: 2 if above else 1]
        ca = keys.certificates(data / "ca")
        urls = [
            opened.enter_context(nginx.before([address(one.backend) for one in group], ca, own))
            for group, own in zip((behind, above), folders, strict=False)
        ]
        yield Servers(data, urls[0], behind, above, urls[1:], engines, bucket, database, folders)


def _instances(what: str, count: int, data: Path, objects: str) -> list[Instance]:
    return [
        Instance(
            f"{what} {number}",
            Backend(data, switches=False, identity=True, objects=objects, behind_proxy=True),
        )
        for number in range(1, count + 1)
    ]


def _new(folder: Path) -> Path:
    """A backend's folder that opens what the devices here seal."""
    data = folder / "backend"
    data.mkdir(mode=0o700, parents=True)
    Seals(data).use_given_identities(IDENTITY_FILE, NAMES)
    return data


@contextmanager
def _ended(instances: list[Instance]) -> Iterator[None]:
    try:
        yield
    finally:
        for one in instances:
            one.end()
