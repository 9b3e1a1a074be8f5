"""The device's peers on this machine: the reference backend, and a time server."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from agent.models import RecordLabel
from agent.record import file as recordfile
from doorstep_backend.office.model import open_office
from doorstep_backend.office.orders import Address, Order
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend
from tests.support.chrony import chronyd
from tests.system.qemu.furnish import HOST, NAME

HERE: Final = (52.5163, 13.3777)
"""The door that may be photographed, where the receiver stands."""

CONFIDENTIAL: Final = (52.5263, 13.3977)
"""A stop without permission for a photo, 1.7 km away."""

LABEL: Final = "RIG0001"
"""On the parcel of the first door."""

OTHER_LABEL: Final = "RIG0002"

NTP_PORT: Final = 123
"""Source: RFC 5905. QEMU's network gives no other for a server of that name."""


def settle(data: Path) -> None:
    """A customer with two orders: an open door, and a confidential one."""
    office = open_office(Store(data))
    office.orders.add_customer("c-1", "Rig")
    office.orders.add_address(Address("a-1", "c-1", "Rig Street 1"))
    first, second = HERE, CONFIDENTIAL
    office.orders.add(Order("1001", "c-1", "a-1", "stop-1001", (LABEL,), *first))
    office.orders.add(
        Order("1002", "c-1", "a-1", "stop-1002", (OTHER_LABEL,), *second, confidential=True)
    )


def send_out(data: Path, device: str = NAME) -> None:
    """A route of both doors for the next hours, made each time, because a disk may be days old."""
    now = datetime.now(UTC)
    office = open_office(Store(data))
    route = f"r-{now:%Y%m%d%H%M%S}"
    office.routes.plan(route, ["1001", "1002"], now - timedelta(hours=1), now + timedelta(hours=8))
    office.routes.assign(route, device)


def labels(data: Path) -> list[RecordLabel]:
    """Return the labels of all records that have a receipt, by number."""
    found = []
    for path in (data / "received").glob("*.rec"):
        label, _ = recordfile.open_label(path.read_bytes().partition(b"\n")[0])
        found.append(label)
    return sorted(found, key=lambda label: (label.chain, label.seq))


@contextmanager
def running(data: Path, port: int, kept: Path | None = None) -> Iterator[Backend]:
    """The backend over `data`, which begins as a copy of `kept`; and network time."""
    if kept is not None:
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(kept, data)
    backend = Backend(data, switches=True, identity=True, port=port, names=[HOST])
    with _network_time(data / "ntp"):
        backend.start()
        try:
            yield backend
        finally:
            backend.stop()


def _network_time(folder: Path) -> AbstractContextManager[object]:
    """A real NTP server on loopback, which tells this machine's time; perhaps there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", NTP_PORT))
        except OSError:
            return nullcontext()
    serving = ("local stratum 2", "allow", f"port {NTP_PORT}", "bindaddress 127.0.0.1")
    return chronyd(folder, *serving)
