"""A real PostgreSQL of Debian's, as a private cluster in a folder; it can be killed and stalled."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self
from uuid import uuid4

import psycopg  # noqa: TID251 - the test's own side: it makes databases, and looks

from tests.support.nmea import free_port
from tests.support.waiting import until

PROGRAMS: Final = Path("/usr/lib/postgresql")
"""Folders of Debian's PostgreSQL, by version; `scripts/test` installs it."""

CONNECTIONS: Final = 400
"""Tests leave pools behind until they are collected."""


class Postgres:
    """A server over one folder, on a port of loopback that stays the same.

    Args:
        fsync: without, nothing is flushed: for what loses no power.
    """

    def __init__(self, folder: Path, *, fsync: bool = True) -> None:
        self.folder = folder
        self.port = free_port()
        self._fsync = fsync
        self._as = {} if os.geteuid() else {"user": "postgres", "group": "postgres"}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.database("postgres")

    @property
    def pid(self) -> int:
        """Process id of the server, whose children serve the connections."""
        assert self._process is not None
        return self._process.pid

    def database(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def make(self, *, locale: str = "C", encoding: str = "UTF8") -> Self:
        """Make the cluster, as another user than root: PostgreSQL refuses to run as root."""
        self._own(self.folder)
        words = ["-D", "cluster", "-U", "postgres", "--auth=trust", "--no-sync"]
        self._run("initdb", *words, f"--locale={locale}", f"--encoding={encoding}")
        return self

    def start(self, **settings: str) -> Self:
        """Start the server, and return once it answers."""
        settings |= {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._fsync else "off",
            "max_connections": str(CONNECTIONS),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        path = self.folder.parent / f"{self.folder.name}.log"
        with path.open("ab") as log:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", "cluster", *words],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                **self._as,  # type: ignore[call-overload] # user and group, or nothing
            )
        until(self.answers, 60, told=path.read_text)
        return self

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False

    def new_database(self) -> str:
        """Make a database that no other test uses, and return its URL."""
        name = f"d{uuid4().hex}"
        self.tell(f"CREATE DATABASE {name}")
        return self.database(name)

    def tell(self, statement: str) -> None:
        """Run SQL as the superuser, while others are connected."""
        told(self.url, statement)

    def start_archiving(self) -> Self:
        """Start the server so that it archives its log of changes into `archive`, file by file."""
        self._own(self.folder / "archive")
        return self.start(archive_mode="on", archive_command="cp %p ../archive/%f")

    def back_up(self) -> None:
        """Copy the whole cluster as it is now, while it runs."""
        self._copy(self, "backup")

    def restore(self, to: str) -> Self:
        """Put what the backup and the archive have of this time in place of the cluster.

        Args:
            to: a time as PostgreSQL tells it.
        """
        shutil.rmtree(self.folder / "cluster")
        (self.folder / "backup").rename(self.folder / "cluster")
        (self.folder / "cluster" / "recovery.signal").touch()
        target = {"recovery_target_time": to, "recovery_target_action": "promote"}
        self.start(restore_command="cp ../archive/%f %p", **target)
        until(lambda: not self.asked("SELECT pg_is_in_recovery()"), 60.0)
        return self

    def follow(self, primary: "Postgres") -> Self:
        """Follow another server as its standby, for which each of its commits waits."""
        self._own(self.folder)
        shutil.rmtree(self.folder / "cluster", ignore_errors=True)
        self._copy(primary, "cluster", "--write-recovery-conf")
        self.start()
        primary.tell("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.tell("SELECT pg_reload_conf()")
        until(lambda: primary.asked("SELECT bool_or(sync_state = 'sync') FROM pg_stat_replication"))
        return self

    def promote(self) -> None:
        self.tell("SELECT pg_promote()")

    def _own(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if self._as:
            shutil.chown(folder, self._as["user"], self._as["group"])

    def _copy(self, primary: "Postgres", name: str, *words: str) -> None:
        who = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"]
        self._run("pg_basebackup", "-D", name, *who, "--checkpoint=fast", *words)

    def asked(self, query: str) -> Any:
        """Return the only value of the first row, read as the superuser."""
        return asked(self.url, query)[0][0]

    @contextmanager
    def small_disk(self, size: str) -> Iterator[Path]:
        """Mount one that the server may write to, so that it can be full; only root can."""
        place = self.folder / "small"
        place.mkdir()
        options = f"size={size},uid=postgres,mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)
            place.rmdir()

    def stop(self) -> None:
        """Stop the server at once, whether or not clients are connected."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill all its processes, as a power cut of the machine would."""
        self._signal(signal.SIGKILL)
        self._end(signal.SIGKILL)

    def stall(self) -> None:
        """Stop its processes: a client gets no answer, and no error either."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, how: signal.Signals) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, how)

    def _pids(self) -> list[int]:
        """Return the ids of its processes, the server's first, so that it starts no more."""
        if self._process is None:
            return []
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [self.pid, *map(int, children.read_text().split())]

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def _run(self, name: str, *words: str) -> None:
        command = [program(name), *words]
        subprocess.run(
            command,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as,  # type: ignore[call-overload] # as above
        )


def told(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def asked(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query, read past the backend."""
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def drop_those_of(url: str, schemas: list[str]) -> list[str]:
    """Drop those of the schemas that exist, and return their names."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = b"SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)"
        found = [str(row[0]) for row in connection.execute(query, (schemas,))]
        for one in found:
            connection.execute(f"DROP SCHEMA {one} CASCADE".encode())
    return found


def program(name: str) -> str:
    """Return the folder of the newest PostgreSQL that Debian installed."""
    found = sorted(PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    assert found, f"this needs {name}: `scripts/test` installs PostgreSQL"
    return str(found[-1])


@contextmanager
def running_postgres(*, fsync: bool = True) -> Iterator[Postgres]:
    """Run a server over a folder of its own, which its user may enter; delete both in the end."""
    with TemporaryDirectory(prefix="doorstep-postgres-") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder) / "own", fsync=fsync).make()
        try:
            yield server.start()
        finally:
            server.go_on()
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)
