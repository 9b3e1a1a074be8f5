"""Requests for certificates; in files they are the same bytes until they are answered."""

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


def request(
    config: Config,
    use: Use,
    key: PrivateKey,
    kept: str | None = None,
    keep: Callable[[str], None] = lambda _: None,
) -> str:
    """Return a request, PEM, for `key`; a new one, if it is for an EST server.

    With certificates as files it is the `kept` one, if that still asks for this certificate; or
    else a new one, after `keep` has stored it.

    Raises:
        ConfigError: with certificates as files, `identity.ca` cannot be read.
        StorageFault: of `keep`.
    """
    if not config.uses_certificate_files:
        names = config.serve.names if use is Use.SERVE else ()
        return certificates.request_pem(certificates.request(key, config.device.id, names))
    asked = wanted(config, use)
    if kept is not None and asked.is_asked_by(kept, key.public_key()):
        return kept
    made = asked.request(key)
    keep(made)
    return made
