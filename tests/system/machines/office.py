"""The technician's computer: a backend and a time server that the machines reach, an inventory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.backend import Backend
from tests.support.chrony import chronyd
from tests.support.network import FaultProxy
from tests.system.machines.network import HOST


@dataclass(frozen=True, slots=True)
class Office:
    """Services at the office's address.

    Attributes:
        folder: for inventories, tokens and what a run leaves.
        url: where the machines find the backend.
    """

    folder: Path
    backend: Backend
    url: str

    def tokens(self, *ids: str) -> Path:
        """Lets devices in; returns a new file with a one-time token for each."""
        number = len(list(self.folder.glob("tokens-*")))
        file = self.folder / f"tokens-{number}"
        self.backend.command("devices", "add", *ids, "--tokens", str(file))
        return file


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    """A backend that asks for identity, over TLS by the office's address; chronyd beside it."""
    data = folder / "backend"
    backend = Backend(data, switches=True, show_simulated=True, identity=True, names=[HOST])
    backend.start()
    try:
        with (
            FaultProxy(("127.0.0.1", backend.port), HOST) as relay,
            chronyd(
                folder / "chrony",
                "local stratum 8",
                f"bindaddress {HOST}",
                "port 123",
                "allow 10.77.0.0/16",
            ),
        ):
            yield Office(folder, backend, f"https://{HOST}:{relay.port}")
    finally:
        backend.stop()
