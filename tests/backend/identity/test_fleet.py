"""The fleet document, read as a device reads it (agent/trust/fleet.py)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from agent.record import signing
from agent.trust import fleet
from agent.trust.fleet import FleetDocument
from doorstep_backend import keys
from doorstep_backend.identity.fleet import FleetDocuments, KeyFiles, NoSuchKeyError
from doorstep_backend.settings import WrongSettingError
from tests.support.demo_office import NOON


class Maker:
    """The backend's side, and a device that was given the fleet key at the beginning."""

    def __init__(self, folder: Path) -> None:
        self.files, self.at = KeyFiles(folder), NOON
        self.documents = FleetDocuments(folder, lambda: self.at)
        self.documents.settle()
        self.pinned = signing.read_public_key(self.files.fleet_public)
        self.kept: tuple[str, ...] = ()

    def kid(self) -> str:
        return signing.thumbprint(signing.read_private_key(self.files.signs).public_key())

    def fetch(self) -> FleetDocument:
        """Fetch as the device does, until it has the newest document."""
        while True:
            token = self.documents.served(fleet.tag(self.kept, self.pinned))
            if self.kept and token == self.kept[-1]:
                return fleet.document_in_force(self.kept, self.pinned)
            self.kept = fleet.extended_chain(self.kept, token, self.pinned)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def test_another_start_makes_no_other_document(maker: Maker, tmp_path: Path) -> None:
    token = maker.documents.served(None)

    FleetDocuments(tmp_path).settle()

    assert maker.documents.served(None) == token


def test_retired_key_stays_in_the_document_with_an_end(maker: Maker) -> None:
    before, old = maker.fetch(), maker.kid()
    maker.at += timedelta(days=1)

    maker.documents.rotate()

    found = maker.fetch()
    assert found.version == before.version + 1
    assert found.receipt_keys[maker.kid()].until is None
    assert found.receipt_keys[old].until == maker.at + timedelta(milliseconds=1)
    maker.at += timedelta(days=1)
    maker.documents.rotate()
    assert maker.fetch().receipt_keys[old].until == NOON + timedelta(days=1, milliseconds=1)


def test_document_names_a_key_that_changed_before_a_power_cut(maker: Maker, tmp_path: Path) -> None:
    old = maker.kid()
    keys.put_key(maker.files.signs, signing.new_key())

    FleetDocuments(tmp_path, lambda: maker.at).settle()

    found = maker.fetch()
    assert found.receipt_keys[maker.kid()].until is None
    assert found.receipt_keys[old].until is not None


@pytest.mark.parametrize("is_revoked", [False, True])
def test_neither_a_start_nor_a_command_brings_an_old_key_back(
    maker: Maker, tmp_path: Path, *, is_revoked: bool
) -> None:
    old, kid = maker.files.signs.read_bytes(), maker.kid()
    if is_revoked:
        maker.documents.revoke(kid)
    else:
        maker.documents.rotate()
    token = maker.documents.served(None)

    maker.files.signs.write_bytes(old)
    for act in (FleetDocuments.settle, FleetDocuments.publish):
        with pytest.raises(WrongSettingError, match="was retired by fleet document 2"):
            act(FleetDocuments(tmp_path))

    assert maker.documents.served(None) == token


def test_a_start_by_an_old_list_of_recipients_is_refused_until_it_is_published(
    maker: Maker, tmp_path: Path
) -> None:
    """A machine with an old copy would make devices seal to the old identity again."""
    path = tmp_path / "recipients.txt"
    old = path.read_text()
    maker.documents.rotate_identity()

    path.write_text(old)
    with pytest.raises(WrongSettingError, match=r"recipients\.txt is older than fleet document 2"):
        FleetDocuments(tmp_path).settle()
    maker.documents.publish()

    FleetDocuments(tmp_path).settle()
    assert signing.unverified_payload(maker.documents.served(None))["recipients"] == old.split()


def test_a_start_by_an_own_list_of_recipients_names_it(maker: Maker, tmp_path: Path) -> None:
    path = tmp_path / "recipients.txt"
    path.write_text("\n".join(reversed(path.read_text().splitlines())))

    FleetDocuments(tmp_path).settle()

    assert signing.unverified_payload(maker.documents.served(None))["version"] == 2


def test_a_start_by_another_fleet_key_is_refused_until_it_is_published(
    maker: Maker, tmp_path: Path
) -> None:
    """The machine may have no copy of the fleet key, or the key may be lost for good."""
    keys.put_key(maker.files.fleet, signing.new_key())

    with pytest.raises(WrongSettingError, match="did not sign fleet document 1"):
        FleetDocuments(tmp_path).settle()
    maker.documents.publish()

    FleetDocuments(tmp_path).settle()
    assert signing.unverified_payload(maker.documents.served(None))["version"] == 2


def test_a_compromised_key_that_was_retired_leaves_the_other_alone(maker: Maker) -> None:
    old = maker.kid()
    maker.documents.rotate()
    current = maker.kid()

    maker.documents.revoke(old)

    assert maker.kid() == current
    assert maker.fetch().revoked == {old}


def test_neither_an_unknown_key_nor_the_fleet_key_can_be_revoked(maker: Maker) -> None:
    for kid in ("nothing", ""):
        with pytest.raises(NoSuchKeyError, match="in use or retired"):
            maker.documents.revoke(kid)
    with pytest.raises(NoSuchKeyError, match="enrol it again"):
        maker.documents.revoke(signing.thumbprint(maker.pinned))


def test_the_next_fleet_key_is_named_before_it_signs(maker: Maker) -> None:
    maker.fetch()
    maker.documents.rotate_fleet_key()

    named = maker.fetch().next_fleet_key
    assert named is not None
    assert signing.read_public_key(maker.files.fleet_public) == maker.pinned
    maker.documents.publish()

    assert maker.fetch().next_fleet_key is None
    assert signing.read_public_key(maker.files.fleet_public) == named
    assert len(maker.kept) == 2


def test_a_start_does_not_hurry_the_next_fleet_key(maker: Maker, tmp_path: Path) -> None:
    maker.documents.rotate_fleet_key()

    FleetDocuments(tmp_path).settle()

    assert signing.read_public_key(maker.files.fleet_public) == maker.pinned


def test_a_device_that_slept_through_three_fleet_keys_is_led_there(maker: Maker) -> None:
    maker.fetch()
    for _ in range(3):
        maker.documents.rotate_fleet_key()
        maker.documents.publish()
    maker.documents.rotate()

    found = maker.fetch()

    assert found.version == 8
    assert maker.kid() in found.receipt_keys


def test_a_device_that_was_given_the_new_fleet_key_reads_the_newest(maker: Maker) -> None:
    maker.documents.rotate_fleet_key()
    maker.documents.publish()
    maker.pinned = signing.read_public_key(maker.files.fleet_public)

    assert maker.fetch().version == 3


def test_private_keys_are_for_their_owner_alone(maker: Maker, ca: keys.Certificates) -> None:
    maker.documents.rotate_fleet_key()

    private = [maker.files.signs, maker.files.fleet, maker.files.next_fleet]
    for path in (*private, ca.folder / "ca-key.pem"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_only_one_of_many_starting_instances_makes_the_document(tmp_path: Path) -> None:
    """Each instance has its own connection to the database."""
    FleetDocuments(tmp_path)
    instances = [FleetDocuments(tmp_path) for _ in range(4)]

    with ThreadPoolExecutor(4) as at_once:
        list(at_once.map(FleetDocuments.settle, instances))

    assert signing.unverified_payload(instances[0].served(None))["version"] == 1


def test_every_one_of_many_publishing_instances_makes_a_document(
    maker: Maker, tmp_path: Path
) -> None:
    instances = [FleetDocuments(tmp_path) for _ in range(4)]

    with ThreadPoolExecutor(4) as at_once:
        versions = sorted(at_once.map(FleetDocuments.publish, instances))

    assert versions == [2, 3, 4, 5]
    assert maker.fetch().version == 5
