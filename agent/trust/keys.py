"""Which keys count now: from the fleet document in hand, or from files where identity is off."""

from agent.config import Config, IdentityMode
from agent.errors import NotGenuine, NotNow
from agent.queue.paths import Layout
from agent.record import receipt, signing
from agent.record.receipt import Keys
from agent.trust import fleet
from agent.trust.fleet import Fleet
from agent.trust.store import TrustStore


def fleet_in_hand(config: Config) -> Fleet:
    """The fleet document in `trust/`, verified.

    Raises:
        NotNow: there is none yet, or none that verifies.
        ConfigError: the pinned fleet key cannot be read.
    """
    if config.identity.fleet_key is None:
        raise NotNow("identity.mode is off: there is no fleet document")
    pinned = signing.read_public_key(config.identity.fleet_key)
    tokens = TrustStore(Layout.of(config.state)).fleet()
    try:
        return fleet.walk(tokens, pinned)
    except NotGenuine as error:
        words = "`doorstep sync` fetches it, `doorstep enrol` too"
        raise NotNow(f"not enrolled yet: {error}; {words}") from error


def receipt_keys(config: Config) -> Keys:
    """Who may sign receipts and refusals. Raises as `fleet_in_hand` does."""
    if config.identity.mode is IdentityMode.OFF:
        return receipt.read_keys(config.backend.receipt_keys)
    return fleet_in_hand(config).receipt_keys
