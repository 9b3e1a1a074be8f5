"""A device whose folders are its processes' own, before root enrols it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from agent.record import signing
from tests.faults.syscalls.users import open_folder, tmpfiles
from tests.support.device import Device
from tests.support.est import Answered, Asked, EstServer, est_server, required
from tests.support.fleet_documents import fleet_document

FLEET_KEY: Final = signing.new_key()


@dataclass
class Scene:
    device: Device
    server: EstServer
    callers: list[int]
    """Which user was at the other end of each request."""

    def enrol(self) -> CompletedProcess[str]:
        return self.device.run("enrol", self.server.url, input="blue-42\n")


@contextmanager
def users_scene() -> Iterator[Scene]:
    """What tmpfiles.d makes, and an EST server that is not asked yet."""
    callers: list[int] = []

    def note(asked: Asked) -> Answered | None:
        callers.append(_caller(asked.port))
        return None

    with open_folder() as folder, est_server(folder / "est") as server:
        server.fleet, server.script = fleet_document(FLEET_KEY), note
        tables = required(server, folder / "van", FLEET_KEY.public_key())
        device = Device(folder / "van", **tables)
        tmpfiles(device.layout.state, device.layout.run)
        yield Scene(device, server, callers)


def _caller(port: int) -> int:
    """The user whose socket has this port. Source: proc_pid_net(5), /proc/net/tcp."""
    local = f":{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(local):
            return int(words[7])
    raise AssertionError(f"nobody has port {port}")
