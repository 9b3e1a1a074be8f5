"""The keys that this device signs its records with."""

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
    if is_new:
        write_durably(path, signing.private_pem(signing.new_key()), mode=0o600, whole=True)
    try:
        key = signing.read_private_key(path)
    except ConfigError as error:
        words = "put it back from a copy, or move it away: then a new chain begins"
        raise StorageFault(f"{error}; {words}") from error
    public = key.public_key()
    kept = layout.capture_keys / f"{signing.thumbprint(public)}.pub.pem"
    if not kept.exists():
        write_durably(kept, signing.public_pem(public), mode=0o600, whole=True)
    return key, is_new


def own_keys(layout: Layout) -> list[PublicKey]:
    """Return every key that this device ever signed with: a new key does not disown its records."""
    return [signing.read_public_key(path) for path in sorted(layout.capture_keys.glob("*.pub.pem"))]
