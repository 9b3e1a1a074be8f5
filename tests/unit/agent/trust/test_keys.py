"""Which keys count: the fleet document's where identity is required, files where it is off."""

from pathlib import Path

import pytest

from agent.config import Config, load
from agent.errors import ConfigError, NotNow
from agent.queue.paths import Layout
from agent.record import signing
from agent.trust.keys import current_fleet_document, receipt_keys
from agent.trust.store import TrustStore
from tests.support.device import Device, empty_queue
from tests.support.fleet_documents import FleetOffice, entry, identity, kid

KEY = signing.new_key()


@pytest.fixture
def office() -> FleetOffice:
    return FleetOffice()


@pytest.fixture
def config(tmp_path: Path, office: FleetOffice) -> Config:
    empty_queue(tmp_path)
    return load(Device(tmp_path, "", **identity(tmp_path, office)).config)


def keep(config: Config, *tokens: str) -> None:
    TrustStore(Layout.of(config.state)).keep_fleet(tokens)


def test_keys_are_absent_before_the_first_document(config: Config) -> None:
    with pytest.raises(NotNow, match="not enrolled yet: no fleet document has come yet") as raised:
        receipt_keys(config)

    assert raised.value.exit_code == 75
    assert "`doorstep sync` fetches it" in str(raised.value)


def test_the_keys_are_those_of_the_document_in_hand(config: Config, office: FleetOffice) -> None:
    keep(config, office.document(4, receipt_keys=[entry(KEY)]))

    assert current_fleet_document(config).version == 4
    assert set(receipt_keys(config)) == {kid(KEY)}


def test_stored_document_is_verified_again(config: Config, office: FleetOffice) -> None:
    """Another fleet's, and one that was altered."""
    for token in (FleetOffice().document(), office.document()[:-4] + "AAAA", "\0\0"):
        keep(config, token)

        with pytest.raises(NotNow, match="not enrolled yet"):
            receipt_keys(config)


def test_an_unreadable_fleet_key_is_a_config_error(
    tmp_path: Path, config: Config, office: FleetOffice
) -> None:
    keep(config, office.document())
    (tmp_path / "fleet-key.pem").write_bytes(b"")

    with pytest.raises(ConfigError, match=r"fleet-key\.pem"):
        receipt_keys(config)


def test_files_count_without_identity_and_no_document_does(tmp_path: Path) -> None:
    empty_queue(tmp_path)
    config = load(Device(tmp_path).config)
    keep(config, FleetOffice().document())
    named = signing.read_public_key(tmp_path / "receipt-key.pem")

    assert set(receipt_keys(config)) == {signing.thumbprint(named)}
    with pytest.raises(NotNow, match="is off: there is no fleet document"):
        current_fleet_document(config)
