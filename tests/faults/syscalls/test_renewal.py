"""A change of the TLS identity that is interrupted at each call leaves one that works."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from agent.config import load
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.record import certificates, signing
from agent.record.certificates import Expected
from tests.faults.syscalls.injections import Harm, all_injections, read_trace
from tests.faults.syscalls.scenarios import command
from tests.faults.syscalls.traced import run
from tests.support.authority import Authority, new_authority
from tests.support.device import Device
from tests.support.enrolment import is_let_in
from tests.support.est import est_process

pytestmark = pytest.mark.slow


@dataclass
class EnrolmentServer:
    folder: Path
    authority: Authority
    url: str

    def van(self, name: str) -> Device:
        """An enrolled device; its first certificate is not by the server, which takes it."""
        identity = {
            "mode": "required",
            "ca": str(self.folder / "est" / "est-ca.pem"),
            "fleet_key": str(self.folder / "est" / "fleet-key.pem"),
        }
        backend = {"url": self.url, "receipt_keys": []}
        device = Device(self.folder / name, identity=identity, backend=backend, device={"id": name})
        device.layout.make()
        key = signing.new_key()
        leaf = self.authority.issue(key.public_key(), name)
        IdentityStore(device.layout).install(TlsIdentity(key, (leaf,)))
        return device

    def identity(self, device: Device, name: str) -> TlsIdentity:
        trusted = Expected(name, (self.authority.certificate,))
        found = IdentityStore(device.layout).read(trusted)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnrolmentServer]:
    folder, authority = tmp_path_factory.mktemp("fleet"), new_authority()
    (folder / "est").mkdir()
    with est_process(folder / "est", authority) as url:
        yield EnrolmentServer(folder, authority, url)


def test_identity_works_wherever_its_change_was_interrupted(
    fleet: EnrolmentServer, tmp_path: Path
) -> None:
    """Killed, refused by the disk, or without room at any call; and then it goes on."""
    renew = command("enrol", fleet.url, "--renew")
    device = fleet.van("van-0")
    calls = read_trace(
        run(partial(renew, device), tmp_path / "trace").trace, device.layout.sync_keys
    )
    assert {"rename", "fsync", "unlink"} <= {call.name for call in calls}
    ended_early = 0
    for number, injection in enumerate(all_injections(calls), start=1):
        name = f"van-{number}"
        device = fleet.van(name)
        before = fleet.identity(device, name)

        ended = run(partial(renew, device), tmp_path / "trace", injection.words())

        assert "Traceback" not in ended.said, (str(injection), ended.said)
        assert (ended.code is None) == (injection.harm is Harm.KILL), (str(injection), ended)
        ended_early += ended.code != 0
        assert is_let_in(load(device.config)), (str(injection), ended.said)
        between = fleet.identity(device, name)
        again = run(partial(renew, device))
        assert again.code == 0, (str(injection), again.said)
        after = fleet.identity(device, name)
        keys = [one.key.public_key() for one in (before, between, after)]
        assert keys[2] not in keys[:2], str(injection)
        assert is_let_in(load(device.config))
        assert sorted(path.name for path in device.layout.sync_keys.iterdir()) == ["tls.pem"]
        assert certificates.is_for(after.chain[0], after.key.public_key())
    assert ended_early > len(calls)
