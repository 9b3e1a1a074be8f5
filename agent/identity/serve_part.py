"""Serve's part of an enrolment: its key, which no other user reads, and the request for it."""

from typing import Final

from agent.config import Config
from agent.errors import ConfigError, StorageFault
from agent.identity.requested import wanted
from agent.queue.disk import write_durably
from agent.queue.paths import Layout
from agent.record import certificates, signing
from agent.record.usages import Use

KEY_FILE: Final = "key.pem"
"""In `keys/serve/`; `doorstep serve` reads it there."""


def request(config: Config) -> str:
    """Return a request, PEM, for serve's key and `serve.names`; make a missing key.

    The key is durable when this returns; a cut before that leaves none, or the earlier one.

    Raises:
        ConfigError: with certificates as files, `identity.ca` cannot be read.
        StorageFault: the disk failed, or the present key cannot be used.
    """
    path = Layout.of(config.state).serve_keys / KEY_FILE
    if not path.exists():
        write_durably(path, signing.private_pem(signing.new_key()), mode=0o600, whole=True)
    try:
        key = signing.read_private_key(path)
    except ConfigError as error:
        words = "move it away and run this again: the next one is as good"
        raise StorageFault(f"{error}; {words}") from error
    if config.uses_certificate_files:
        return wanted(config, Use.SERVE).request(key)
    asked = certificates.request(key, config.device.id, config.serve.names)
    return certificates.request_pem(asked)
