"""The operator of the reference backend: its office commands, and its office beside it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.register import Register
from doorstep_backend.office import demo
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store
from tests.conformance.check import Profile
from tests.conformance.operators.commanded import Actions, commanded
from tests.conformance.operators.road import LONG_AGO, new_device
from tests.support import nginx
from tests.support.backend import Backend
from tests.support.enrolment import enrolled, enrolled_beside
from tests.support.instances import address

DEVICES = "van-1", "van-2"
"""Devices that are let in; the first one has the demo's route."""


@contextmanager
def operated(
    backend: Backend, folder: Path, *, url: str | None = None, profile: Profile = Profile.FLEET
) -> Iterator[list[str]]:
    """Give the words of a conformance command for a backend that runs, and its operator.

    With a `url` the backend is asked there.
    """
    words = [url or backend.base_url, "--profile", profile, "--ca", str(backend.ca_file)]
    words += ["--fleet-key", str(backend.fleet_key_file)]
    send_out(backend, DEVICES[0])
    name_devices = tokens if profile is Profile.FLEET else device_folders
    words += name_devices(backend, folder)
    with commanded(actions(backend)) as command:
        yield [*words, "--operator", command]


@contextmanager
def behind_nginx(
    backend: Backend, folder: Path, configured: Callable[[str], str] = str
) -> Iterator[list[str]]:
    """Run a backend behind its nginx, configured otherwise if need be; give such words."""
    backend.data.mkdir(mode=0o700)
    (backend.data / "backend.toml").write_text('proxy = ["127.0.0.1"]\n')
    backend.start()
    try:
        ca = keys.certificates(backend.data / "ca")
        with (
            nginx.before([address(backend)], ca, folder / "nginx", configured) as url,
            operated(backend, folder, url=url) as words,
        ):
            yield words
    finally:
        backend.kill()


def tokens(backend: Backend, folder: Path) -> list[str]:
    """Let the devices in; return the words that name their tokens, as `--enrol` takes them."""
    words = []
    for device_id in DEVICES:
        token = folder / f"{device_id}.token"
        token.write_text(Register(backend.data).let_in(device_id))
        words += ["--enrol", f"{device_id}={token}"]
    return words


def device_folders(backend: Backend, folder: Path) -> list[str]:
    """Enrol the devices; return the words that name their folders, as `--device` takes them."""
    words = []
    for device_id in DEVICES:
        key, own = signing.new_key(), folder / device_id
        enrolled(backend, folder, device_id, key).into(own)
        (own / "device.pem").write_bytes(signing.private_pem(key))
        words += ["--device", str(own)]
    return words


def actions(backend: Backend) -> Actions:
    """Return what the operator of this backend can do."""

    def restart() -> None:
        backend.kill()
        backend.start()

    def expired(folder: str) -> None:
        key, own = signing.new_key(), Path(folder)
        enrolled_beside(backend.data, own, f"van-{uuid4()}", key, LONG_AGO).into(own)
        (own / "device.pem").write_bytes(signing.private_pem(key))

    return {
        "restart": restart,
        "revoke": lambda device_id: backend.command("devices", "revoke", device_id),
        "expired": expired,
        "unlisted": lambda folder: new_device(
            Authority.of(backend.data / "ca"), f"van-{uuid4()}", Path(folder)
        ),
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
