"""Sync's part of certificates as files: the request for TLS, and the answers to it."""

from functools import partial

from agent.config import Config
from agent.errors import NotGenuine
from agent.identity.authorities import expected
from agent.identity.given_files import Answers, Given, GivenFiles, Say
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.queue import disk
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.certificates import Expected
from agent.record.signing import PrivateKey
from agent.record.usages import Use


def request(config: Config) -> str:
    """Return the request, PEM, for the next TLS key; make a missing key.

    Raises:
        ConfigError: `identity.ca` cannot be read.
        StorageFault: the disk failed.
    """
    layout, known = Layout.of(config.state), expected(config)
    store = IdentityStore(layout)
    with disk.lock(layout.sync_keys, exclusive=True, wait=True):
        return store.next_request(config, _current(store, known))


def take(config: Config, files: GivenFiles, say: Say) -> Answers:
    """Use a certificate for the next key, or a longer one for the key in use."""
    layout, known = Layout.of(config.state), expected(config)
    store, answers = IdentityStore(layout), Answers(files, say)
    with disk.lock(layout.sync_keys, exclusive=True, wait=True):
        current = _current(store, known)
        in_use = current.key if current else None
        for key in (in_use, store.asked_key(current)):  # last the next one, which stays in use
            if key is not None:
                accept = partial(_install, store, files, known, key)
                answers.take("TLS certificate", key.public_key(), accept)
    return answers


def _current(store: IdentityStore, known: Expected) -> TlsIdentity | None:
    try:
        return store.read(known)
    except NotGenuine:
        return None


def _install(
    store: IdentityStore, files: GivenFiles, known: Expected, key: PrivateKey, given: Given
) -> str:
    chain, current = files.chain(given, known, Use.TLS), _current(store, known)
    if current is not None and certificates.is_for(current.chain[0], key.public_key()):
        if chain[0] == current.chain[0]:
            return f"is in use, until {current.ends:%Y-%m-%d}"
        if certificates.ends(chain[0]) <= current.ends:
            raise NotGenuine(
                f"it ends before the one in use, which ends on {current.ends:%Y-%m-%d}"
            )
    store.install(TlsIdentity(key, chain))
    return f"is in use now, until {certificates.ends(chain[0]):%Y-%m-%d}"
