"""Enrolment against an EST server that others wrote: Debian's estserver."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.record import certificates, signing
from agent.record.certificates import Expected
from tests.support.authority import Authority, new_authority
from tests.support.device import Device
from tests.support.est import EstServer, est_server, required
from tests.support.fleet_documents import fleet_document
from tests.support.libest import PASSWORD, USER, LibEst, libest

pytestmark = pytest.mark.slow

FLEET_KEY = signing.new_key()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority()


@pytest.fixture
def backend(tmp_path: Path, authority: Authority) -> Iterator[EstServer]:
    """A backend with the fleet document, and the same authority."""
    with est_server(tmp_path / "backend", authority) as running:
        running.fleet = fleet_document(FLEET_KEY)
        yield running


def van(folder: Path, backend: EstServer, est: LibEst, *names: str) -> Device:
    tables = required(backend, folder, FLEET_KEY.public_key())
    tables["identity"]["est"] = est.url
    return Device(folder, device={"id": USER}, serve={"names": names}, **tables)


def identity(device: Device, authority: Authority) -> TlsIdentity | None:
    return IdentityStore(device.layout).read(Expected(USER, (authority.certificate,)))


def test_enrolment_and_renewal_with_a_new_key(
    tmp_path: Path, authority: Authority, backend: EstServer
) -> None:
    """No labels there: told, and the rest is done."""
    with libest(tmp_path / "libest", authority) as est:
        device = van(tmp_path / "van", backend, est, "van-7.vans.example")
        pin = certificates.key_sha256(authority.certificate)
        (device.folder / "ca.pem").unlink()

        first = device.run("enrol", est.url, "--ca-sha256", pin, input=PASSWORD)
        before = identity(device, authority)
        again = device.run("enrol", est.url, "--renew", input="")
        after = identity(device, authority)

    assert (first.returncode, first.stderr) == (0, "")
    assert "no label `evidence`" in first.stdout
    assert "no label `serve`: nobody can ask `doorstep serve`; the rest is done" in first.stdout
    assert PASSWORD not in first.stdout
    assert (again.returncode, again.stderr) == (0, "")
    assert before is not None
    assert after is not None
    assert before.key.public_key() != after.key.public_key()
    assert backend.asked[-1].peer == after.chain[0]


def test_manual_approval_takes_a_second_run_with_the_same_key(
    tmp_path: Path, authority: Authority, backend: EstServer
) -> None:
    """The peer answers 202 to the first request of a key, with an hour to come back after."""
    with libest(tmp_path / "libest", authority, "-m", "1") as est:
        device = van(tmp_path / "van", backend, est)

        first = device.run("enrol", est.url, input=PASSWORD)
        asked_with = (device.layout.sync_keys / "next-key.pem").read_bytes()
        second = device.run("enrol", est.url, input=PASSWORD)

    assert first.returncode == 75
    assert "has not decided yet; have it approved, and run this again" in first.stderr
    assert (second.returncode, second.stderr) == (0, "")
    found = identity(device, authority)
    assert found is not None
    assert signing.private_pem(found.key) == asked_with
