"""The keys that this device signs its records with, and the key of serve; each has one owner."""

from pathlib import Path

from agent.errors import ConfigError, StorageFault
from agent.queue.disk import write_durably
from agent.queue.paths import Layout
from agent.record import signing
from agent.record.signing import PrivateKey, PublicKey


def device_key(layout: Layout) -> tuple[PrivateKey, bool]:
    """Return this device's signing key, and True if it was made now.

    The first start or enrolment makes it.

    Raises:
        StorageFault: it cannot be written, or the present one cannot be used.
    """
    path = layout.capture_keys / "device.pem"
    is_new = not path.exists()
    key = _key(path, "put it back from a copy, or move it away: then a new chain begins")
    public = key.public_key()
    kept = layout.capture_keys / f"{signing.thumbprint(public)}.pub.pem"
    if not kept.exists():
        write_durably(kept, signing.public_pem(public), mode=0o600, whole=True)
    return key, is_new


def own_keys(layout: Layout) -> list[PublicKey]:
    """Return every key that this device ever signed with: a new key does not disown its records."""
    return [signing.read_public_key(path) for path in sorted(layout.capture_keys.glob("*.pub.pem"))]


def serve_key(layout: Layout) -> PrivateKey:
    """Return serve's key, which no other user reads; make a missing one. Raises StorageFault."""
    path = layout.serve_keys / "key.pem"  # where `doorstep serve` reads it
    return _key(path, "move it away and run this again: the next one is as good")


def _key(path: Path, remedy: str) -> PrivateKey:
    """Return the key; a new one is durable, and a power cut leaves none or a whole one."""
    if not path.exists():
        write_durably(path, signing.private_pem(signing.new_key()), mode=0o600, whole=True)
    try:
        return signing.read_private_key(path)
    except ConfigError as error:
        raise StorageFault(f"{error}; {remedy}") from error
