"""The operator of the reference backend: its office commands, and its office beside it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from agent.record import signing
from doorstep_backend.office import demo
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store
from tests.conformance.operators.commanded import Actions
from tests.support.backend import Backend
from tests.support.enrolment import enrolled_beside

LONG_AGO = timedelta(days=395)
"""A certificate of then ended a month ago."""


def actions(backend: Backend) -> Actions:
    """Return what the operator of this backend can do."""

    def restart() -> None:
        backend.kill()
        backend.start()

    def expired(folder: str) -> None:
        key = signing.new_key()
        made = enrolled_beside(backend.data, Path(folder), f"van-{uuid4()}", key, LONG_AGO)
        made.into(Path(folder))
        (Path(folder) / "device.pem").write_bytes(signing.private_pem(key))

    return {
        "restart": restart,
        "revoke": lambda device_id: backend.command("devices", "revoke", device_id),
        "expired": expired,
        "change-key": lambda: backend.command("fleet", "rotate"),
        "change-route": lambda _device_id: shorten_route(backend),
    }


def send_out(backend: Backend, device_id: str) -> None:
    """Give the demo's route to a device."""
    office = open_office(Store(backend.data))
    demo.settle(office)
    demo.send_out(office, device_id, datetime.now(UTC))


def shorten_route(backend: Backend) -> None:
    """Take the last order out of the demo's route."""
    office, now = open_office(Store(backend.data)), datetime.now(UTC)
    begins = now - timedelta(hours=1)
    office.routes.plan(demo.ROUTE, office.orders.numbers()[:-1], begins, begins + demo.SHIFT)
