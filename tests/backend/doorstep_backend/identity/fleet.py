"""The fleet document: which keys may sign what, as devices are told (agent/trust/fleet.py)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from agent.models import rfc3339
from agent.record import signing
from agent.trust.fleet import TYPE
from doorstep_backend import keys
from doorstep_backend.engines.opening import open_database
from doorstep_backend.engines.sql import Schema, statements
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.seals import Seals
from doorstep_backend.settings import WrongSettingError
from doorstep_backend.wire.manifest import tag_of
from hardware.foreign import read_json

DOCUMENTS: Final = Schema(
    "fleet_documents",
    [
        statements("""
CREATE TABLE fleet_documents (
    version BIGINT PRIMARY KEY, tag TEXT NOT NULL UNIQUE, signer TEXT NOT NULL, next TEXT,
    payload TEXT NOT NULL, token TEXT NOT NULL);
""")
    ],
)
"""In `backend`; `signer` and `next` are thumbprints. All are kept: they lead to the newest."""

COPY: Final = "copy keys/ from the machine where it was changed last"

FIRST: Final[Mapping[str, Any]] = {
    "v": 1,
    "version": 0,
    "receipt_keys": [],
    "manifest_keys": [],
    "revoked": [],
    "recipients": [],
    "next_fleet_key": None,
    "next_ca": None,
}
"""Values of the first document."""


class NoSuchKeyError(ValueError):
    """There is nothing to revoke under this name."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The paths of the private keys, and of the public halves for devices.

    One key signs receipts, refusals and manifests; it is listed for both.
    """

    folder: Path

    @property
    def signs(self) -> Path:
        """Path of the private key that signs receipts, refusals and manifests."""
        return self.folder / "keys" / "receipt.pem"

    @property
    def signs_public(self) -> Path:
        """Path of the public half of `signs`."""
        return self.folder / "receipt-key.pem"

    @property
    def fleet(self) -> Path:
        """Path of the private key that signs fleet documents."""
        return self.folder / "keys" / "fleet.pem"

    @property
    def fleet_public(self) -> Path:
        """Path of the public half of `fleet`."""
        return self.folder / "fleet-key.pem"

    @property
    def next_fleet(self) -> Path:
        """Path of the private key that is to sign fleet documents next."""
        return self.folder / "keys" / "fleet-next.pem"


class FleetDocuments:
    """The maker and store of fleet documents; the newest one is in force.

    The server signs with the key in the file, from one answer to the next. A command changes that
    first and publishes it then: after a power cut in between, `settle` publishes it.
    Every maker of one runs `together`: of two at once the second uses what the first made.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime] | None = None) -> None:
        self._files = KeyFiles(folder)
        self._seals = Seals(folder)
        self._signs = keys.receipt_key(self._files.signs, self._files.signs_public)
        if not self._files.fleet.exists():
            keys.put_key(self._files.fleet, signing.new_key())
        self._db = open_database(folder, "backend")
        self._db.migrate(DOCUMENTS)
        self._now = now or self._db.now

    def key_in_use(self) -> signing.PrivateKey:
        """Return the key that signs receipts and manifests, while devices believe it.

        Raises:
            Unavailable: a command changed the key elsewhere, and it has not been copied here yet; a
                receipt by the old one stays, and no device ever believes it.
        """
        key, said = self._signs(), self._newest()
        if signing.jwk(key.public_key()) != said["receipt_keys"][0]["jwk"]:
            raise Unavailable(
                f"keys/receipt.pem is not the key of fleet document {said['version']}: {COPY}; "
                "where that was here and a command was cut short, `fleet publish`"
            )
        return key

    def settle(self) -> None:
        """Publish a document if the newest does not name the keys in use; at each start.

        Raises:
            WrongSettingError: the keys are a copy from before a command changed them, or no copy.
        """
        with self._db.exclusive_transaction():
            said = self._newest()
            self._check_signer(said)
            is_so = said == _with_key(said, self._key().public_key(), self._now())
            seals_so = said["recipients"] == list(self._seals.recipients().names)
            if not seals_so:
                self._check_recipients(said)
            if said["version"] == 0 or not is_so or not seals_so:
                self._publish(said)
            keys.put_public(self._files.fleet_public, self.fleet_key().public_key())

    def publish(self, after: int = 0) -> int:
        """Make the next version, signed by the next fleet key if one is named; return it.

        Args:
            after: it is above this one too, which devices have and a restored database has not.
        """
        with self._db.exclusive_transaction():
            said = self._newest()
            return self._publish({**said, "version": max(said["version"], after)})

    def rotate(self) -> int:
        """Replace the signing key; the one before stays valid for what is dated earlier."""
        with self._db.exclusive_transaction():
            self._renew_key()
            return self._publish(self._newest())

    def rotate_identity(self) -> int:
        """Replace the office identity that devices seal to; what was sealed stays readable."""
        with self._db.exclusive_transaction():
            self._seals.rotate()
            return self._publish(self._newest())

    def rotate_fleet_key(self) -> int:
        """Name the next fleet key in one document; it signs those that follow."""
        with self._db.exclusive_transaction():
            said = self._newest()
            self._promote(said)
            following = signing.new_key()
            keys.put_key(self._files.next_fleet, following)
            return self._publish(said, next_key=following.public_key())

    def revoke(self, kid: str) -> int:
        """List a key as compromised: nothing that it signed counts, of whatever date.

        A second time it changes nothing: the work after it may have been cut short.

        Raises:
            NoSuchKeyError: no document names it, or it is the fleet key.
        """
        with self._db.exclusive_transaction():
            return self._revoke(kid)

    def _revoke(self, kid: str) -> int:
        said = self._newest()
        fleet_kid = signing.thumbprint(self.fleet_key().public_key())
        if kid == fleet_kid:
            raise NoSuchKeyError(
                f"{kid} is the fleet key: its owner can sign any document, so that none can "
                "revoke it; give every device a new one and enrol it again"
            )
        if kid in [one["kid"] for one in said["revoked"]]:
            return int(said["version"])
        if kid not in [_kid(one) for one in said["receipt_keys"]]:
            raise NoSuchKeyError(f"no key {kid} in use or retired: `fleet publish` names all")
        if kid == signing.thumbprint(self._key().public_key()):
            self._renew_key()
        listed = [one for one in said["receipt_keys"] if _kid(one) != kid]
        revoked = [*said["revoked"], {"kid": kid, "since": rfc3339(self._now())}]
        changed = {"receipt_keys": listed, "manifest_keys": listed, "revoked": revoked}
        return self._publish({**said, **changed})

    def served(self, tag: str | None) -> str:
        """Return the newest document that a device with the document of this ETag believes.

        Where the fleet key changed twice since, that is not the newest of all: it is a link.
        """
        newest = "SELECT token FROM fleet_documents ORDER BY version DESC LIMIT 1"
        following = """SELECT d.token FROM fleet_documents d JOIN fleet_documents held
            ON d.signer IN (held.signer, held.next) AND d.version >= held.version
            WHERE held.tag = ? ORDER BY d.version DESC LIMIT 1"""
        row = self._db.execute(following, (tag,)).fetchone() or self._db.execute(newest).fetchone()
        return str(row[0])

    def keys_told(self) -> list[tuple[str, str]]:
        """Return each key in the newest document, with a description for people."""
        said = self._newest()
        told = [(_kid(one), _until(one["until"])) for one in said["receipt_keys"]]
        return told + [(one["kid"], f"revoked on {one['since']}") for one in said["revoked"]]

    def receipt_keys(self) -> list[dict[str, Any]]:
        """Return the keys that may sign receipts, as the newest document lists them."""
        listed: list[dict[str, Any]] = self._newest()["receipt_keys"]
        return listed

    def fleet_key(self) -> signing.PrivateKey:
        """Return the key that signed the newest document."""
        return signing.read_private_key(self._files.fleet)

    def _check_signer(self, said: Mapping[str, Any]) -> None:
        """Check the signer: devices would believe no document by a key that they do not expect."""
        query = "SELECT signer, next FROM fleet_documents WHERE version = ?"
        row = self._db.execute(query, (said["version"],)).fetchone()
        if row is not None and signing.thumbprint(self.fleet_key().public_key()) not in tuple(row):
            raise WrongSettingError(
                f"keys/fleet.pem did not sign fleet document {said['version']}: {COPY}; where it "
                "is lost for good, `fleet publish` goes on by this one, and devices need the new "
                "fleet-key.pem"
            )

    def _check_recipients(self, said: Mapping[str, Any]) -> None:
        """Raise WrongSettingError if the list of recipients is of an older document."""
        names = list(self._seals.recipients().names)
        rows = self._db.execute("SELECT payload FROM fleet_documents")
        if names in [read_json(row[0])["recipients"] for row in rows]:
            raise WrongSettingError(
                f"recipients.txt is older than fleet document {said['version']}: {COPY}, and "
                "recipients.txt; where it is meant so, `fleet publish` first"
            )

    def _check_current(self, said: Mapping[str, Any]) -> None:
        """Raise WrongSettingError if the key is a retired one: publishing would bring it back."""
        kid = signing.thumbprint(self._key().public_key())
        ended = [_kid(one) for one in said["receipt_keys"] if one["until"] is not None]
        if kid in [*ended, *(one["kid"] for one in said["revoked"])]:
            raise WrongSettingError(
                f"keys/receipt.pem was retired by fleet document {said['version']} or before: "
                f"{COPY}; without the file a new key is made"
            )

    def _publish(self, said: dict[str, Any], next_key: signing.PublicKey | None = None) -> int:
        self._check_current(said)
        if next_key is None:
            self._promote(said)
        named = None if next_key is None else signing.jwk(next_key)
        with self._db.exclusive_transaction(keys.CHANGE):
            payload = _with_key(said, self._key().public_key(), self._now())
        recipients = list(self._seals.recipients().names)
        payload |= {"version": said["version"] + 1, "next_fleet_key": named}
        payload |= {"recipients": recipients}
        signer = self.fleet_key()
        token = signing.sign(payload, signer, typ=TYPE)
        row = (
            payload["version"],
            tag_of(token),
            signing.thumbprint(signer.public_key()),
            None if next_key is None else signing.thumbprint(next_key),
            json.dumps(payload),
            token,
        )
        self._db.execute("INSERT INTO fleet_documents VALUES (?, ?, ?, ?, ?, ?)", row)
        keys.put_public(self._files.fleet_public, signer.public_key())
        return int(payload["version"])

    def _promote(self, said: Mapping[str, Any]) -> None:
        """Sign with the next fleet key from now on, if the newest document names it."""
        if said["next_fleet_key"] is not None and self._files.next_fleet.exists():
            following = signing.read_private_key(self._files.next_fleet).public_key()
            if signing.jwk(following) == said["next_fleet_key"]:
                self._files.next_fleet.rename(self._files.fleet)

    def _renew_key(self) -> None:
        key = signing.new_key()
        keys.put_key(self._files.signs, key)
        keys.put_public(self._files.signs_public, key.public_key())

    def _key(self) -> signing.PrivateKey:
        return signing.read_private_key(self._files.signs)

    def _newest(self) -> dict[str, Any]:
        query = "SELECT payload FROM fleet_documents ORDER BY version DESC LIMIT 1"
        row = self._db.execute(query).fetchone()
        found: dict[str, Any] = dict(FIRST) if row is None else read_json(row[0])
        return found


def _with_key(said: Mapping[str, Any], key: signing.PublicKey, now: datetime) -> dict[str, Any]:
    """Return the members with this key in use and every other one retired by now. Pure.

    The end is a millisecond later: the last date that the old key signed was cut to one.
    """
    ended = rfc3339(now + timedelta(milliseconds=1))
    members = signing.jwk(key)
    others = [one for one in said["receipt_keys"] if one["jwk"] != members]
    retired = [{**one, "until": one["until"] or ended} for one in others]
    listed = [{"jwk": members, "until": None}, *retired]
    return {**said, "receipt_keys": listed, "manifest_keys": listed}


def _kid(entry: Mapping[str, Any]) -> str:
    return signing.thumbprint(signing.from_jwk(entry["jwk"]))


def _until(until: str | None) -> str:
    return "in use" if until is None else f"retired on {until}"
