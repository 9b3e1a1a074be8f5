"""Requests that a person takes to an authority: the same bytes until one is answered."""

from collections.abc import Callable

from agent.config import Config
from agent.identity.authorities import given
from agent.record import certificates
from agent.record.signing import PrivateKey
from agent.record.usages import Use, Wanted


def wanted(config: Config, use: Use) -> Wanted:
    """Return the certificate to ask for; the first one in `identity.ca` gives parts of its name.

    Raises:
        ConfigError: `identity.ca` cannot be read.
    """
    names = config.serve.names if use is Use.SERVE else ()
    authority = given(config)[0]
    return Wanted(config.device.id, use, authority, certificates.server_names(names))


def unanswered(
    wanted: Wanted, key: PrivateKey, kept: str | None, keep: Callable[[str], None]
) -> str:
    """Return the `kept` request if it still asks for this; else a new one, after `keep` has it."""
    if kept is not None and wanted.is_asked_by(kept, key.public_key()):
        return kept
    made = wanted.request(key)
    keep(made)
    return made
