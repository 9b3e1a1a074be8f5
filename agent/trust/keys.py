"""The keys that count now: from the present fleet document, or from files if identity is off."""

from agent.config import Config, IdentityMode, Seal
from agent.errors import ConfigError, NotGenuine, NotNow
from agent.queue.paths import Layout
from agent.record import receipt, signing
from agent.record.receipt import Keys
from agent.record.sealing import NoRecipients, Recipients
from agent.record.signing import PublicKey
from agent.trust import fleet
from agent.trust.fleet import FleetDocument
from agent.trust.store import TrustStore


def pinned(config: Config) -> PublicKey:
    """Return the key in `identity.fleet_key`, which is set.

    Raises:
        ConfigError: it cannot be read.
    """
    assert config.identity.fleet_key is not None  # the configuration is checked
    try:
        return signing.read_public_key(config.identity.fleet_key, "the fleet's public key")
    except ConfigError as error:
        raise type(error)(f"identity.fleet_key: {error}") from error


def current_fleet_document(config: Config) -> FleetDocument:
    """Return the fleet document in `trust/`, verified.

    Raises:
        NotNow: there is none yet, or none that verifies.
        ConfigError: the pinned fleet key cannot be read.
    """
    if config.identity.fleet_key is None:
        raise NotNow("identity.mode is off: there is no fleet document")
    key = pinned(config)
    tokens = TrustStore(Layout.of(config.state)).fleet()
    try:
        return fleet.document_in_force(tokens, key)
    except NotGenuine as error:
        words = "`doorstep sync` fetches it, `doorstep enrol` too"
        raise NotNow(f"not enrolled yet: {error}; {words}") from error


def given_recipients(config: Config) -> Recipients | None:
    """Return the configured recipients; None if the fleet document has them, or seal is off.

    Raises:
        ConfigError: they are wrong.
    """
    if config.identity.mode is IdentityMode.REQUIRED or config.policy.seal is Seal.OFF:
        return None
    try:
        return Recipients.of(config.backend.recipients)
    except NoRecipients as error:
        raise ConfigError(f"backend.recipients: {error}") from None


def current_recipients(config: Config) -> Recipients | None:
    """Return the recipients to seal to now, if any. Raises as `current_fleet_document` does."""
    if config.identity.mode is IdentityMode.OFF:
        return given_recipients(config)
    return current_fleet_document(config).recipients


def receipt_keys(config: Config) -> Keys:
    """Return the keys that may sign receipts, refusals. Raises as `current_fleet_document` does."""
    if config.identity.mode is IdentityMode.OFF:
        return receipt.read_keys(config.backend.receipt_keys)
    return current_fleet_document(config).receipt_keys


def manifest_keys(config: Config) -> Keys:
    """Return the keys that may sign manifests. Raises as `current_fleet_document` does."""
    if config.identity.mode is IdentityMode.OFF:
        return receipt.read_keys(config.backend.receipt_keys)
    return current_fleet_document(config).manifest_keys
