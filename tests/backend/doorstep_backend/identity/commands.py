"""The office's commands on devices and keys at a terminal, also while the backend serves."""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from agent.models import DEVICE_ID, from_rfc3339, rfc3339
from agent.record import certificates, signing
from agent.record.verify.supporting_files import REVOKED_TYPE
from doorstep_backend import keys
from doorstep_backend.commandline import add_command, add_group
from doorstep_backend.identity.clients import ClientCertificate, ClientKind, NameTakenError
from doorstep_backend.identity.closings import (
    THE_OFFICE,
    DeviceEnd,
    EndKind,
    chain_end_lines,
    summary,
)
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.identity.est import Identity
from doorstep_backend.identity.fleet import FleetDocuments, KeyFiles, NoSuchKeyError
from doorstep_backend.identity.known import CertificateUse, DeviceState, ListedDevice
from doorstep_backend.identity.names import NameRefusedError, canonical, names_in
from doorstep_backend.identity.register import Register
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.model import Office
from doorstep_backend.wire.intake import Intake

COMMON_CHARS: Final = 64
"""Longest common name; a host's may be longer. Source: RFC 5280, ub-common-name."""

MOST_AFTER: Final = 1_000_000_000
"""A slip of the hand must not use up the versions that there are."""


def add_to(commands: Any) -> None:
    """Add `devices ...` and `fleet ...` to the office's own commands."""
    what = add_group(commands, "devices", "let devices in, list devices, and shut devices out")
    add = add_command(
        what,
        "add",
        "let devices in, or in again, and print a token for each",
        "van-0042 van-0043 --tokens tokens",
    )
    add.add_argument("ids", nargs="+", metavar="ID", help="ids of the devices")
    add.add_argument(
        "--tokens",
        type=Path,
        metavar="NEW",
        help="new file for the tokens (default: print the tokens)",
    )
    add.add_argument(
        "--new-signing-key",
        action="store_true",
        help="also accept another signing key, because the devices lost theirs",
    )
    add_command(what, "list", "list every device, with its certificates and its clone alarms")
    revoke = add_command(what, "revoke", "end a device's TLS at once", "van-0042")
    revoke.add_argument(
        "--evidence",
        type=from_rfc3339,
        metavar="SINCE",
        help="also believe no record that comes from SINCE on (UTC, as 2026-12-01T06:00:00Z; "
        "default: believe all)",
    )
    names = add_command(
        what, "names", "set the names of a device's own server", "van-0042 van-0042.example.com"
    )
    gone = add_command(
        what,
        "gone",
        "revoke a device for good, and close its chains",
        "van-0042 --to van-0043",
    )
    for command in (revoke, names, gone):
        command.add_argument("id", metavar="ID", help="id of the device")
    names.add_argument(
        "names", nargs="*", metavar="NAME", help="all names of the device (default: no name)"
    )
    gone.add_argument("--to", metavar="OTHER", help="device that gets its route (default: none)")
    _add_others(commands, ClientKind.CLIENT, "let other systems ask for a status", "dispatch")
    _add_others(
        commands,
        ClientKind.TECHNICIAN,
        "let people deliver the records on dead devices' cards",
        "workshop",
    )
    server = add_command(
        commands,
        "certificate",
        "make the server's next certificate, for a year",
        "backend.example.com",
    )
    server.add_argument(
        "names", nargs="+", metavar="NAME", help="all names and addresses, except loopback's"
    )
    what = add_group(
        commands, "fleet", "publish the signed document with the fleet's keys", "publish"
    )
    publish = add_command(
        what, "publish", "make the next version of the document, and print its keys", "--after 7"
    )
    publish.add_argument(
        "--after",
        type=int,
        default=0,
        metavar="N",
        help="make the version greater than N, which devices have already (default: 0)",
    )
    rotate = add_command(what, "rotate", "sign receipts and manifests with a new key")
    other = rotate.add_mutually_exclusive_group()
    other.add_argument("--fleet-key", action="store_true", help="name a new fleet key instead")
    other.add_argument("--identity", action="store_true", help="seal to a new identity instead")
    revoke = what.add_parser(  # the id of one key in 64 begins with "-", and is no option
        "revoke",
        help="list a key as compromised",
        description="List a key as compromised.",
        epilog="Example: doorstep-backend --data data fleet revoke "
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        prefix_chars="+",
        add_help=False,
    )
    revoke.add_argument(
        "kid", metavar="KID", action=_KeyId, help="id of the key, as `fleet publish` prints it"
    )


def _add_others(commands: Any, kind: ClientKind, help_text: str, example: str) -> None:
    what = add_group(commands, f"{kind}s", help_text)
    add = add_command(
        what,
        "add",
        f"make a key and a certificate for a {kind}, for 90 days: the first or the next",
        f"{example} --out {example}.pem",
    )
    add.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="NEW",
        help="new file for both, which only its owner can read",
    )
    add_command(what, "list", f"list every certificate of a {kind}")
    revoke = add_command(what, "revoke", f"end the certificates of a {kind} at once", example)
    for command in (add, revoke):
        command.add_argument("name", metavar="NAME", help=f"name of the {kind}")


class _KeyId(argparse.Action):
    """The id of a key. `--help` cannot be one, because an id has 43 characters."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, *_: object
    ) -> None:
        if value in {"-h", "--help"}:
            parser.print_help()
            parser.exit()
        namespace.kid = value


@dataclass(frozen=True, slots=True)
class IdentityCommands:
    """The folder, office and keys that these commands work on."""

    folder: Path
    office: Office
    identity: Identity
    documents: FleetDocuments

    @classmethod
    def of(cls, folder: Path, office: Office) -> Self:
        """Open a folder whose keys another process may be making just now."""
        with keys.alone(folder):
            identity = Identity.of(folder, keys.certificates(folder / "ca"))
            return cls(folder, office, identity, FleetDocuments(folder))

    @property
    def register(self) -> Register:
        """Register of devices."""
        return self.identity.register

    def run(self, options: argparse.Namespace) -> str:
        """Run a command; return what to print.

        Raises:
            NotDone: there is no such device or key.
            FileExistsError: the file for the tokens exists.
        """
        commands: dict[tuple[str, str | None], Callable[[argparse.Namespace], str]] = {
            ("devices", "add"): self.add,
            ("devices", "list"): lambda _: self.listed(),
            ("devices", "revoke"): lambda given: self.revoke(given.id, given.evidence),
            ("devices", "names"): lambda given: self.name(given.id, given.names),
            ("devices", "gone"): lambda given: self.gone(given.id, given.to),
            ("certificate", None): lambda given: self.certify(given.names),
            ("fleet", "publish"): lambda given: self.publish(given.after),
            ("fleet", "rotate"): self.rotate,
            ("fleet", "revoke"): lambda given: self.revoke_key(given.kid),
        }
        for kind in ClientKind:
            commands |= {
                (f"{kind}s", "add"): partial(self.add_other, kind),
                (f"{kind}s", "list"): partial(self.others_listed, kind),
                (f"{kind}s", "revoke"): partial(self.revoke_other, kind),
            }
        return commands[options.command, getattr(options, "what", None)](options)

    def add(self, given: argparse.Namespace) -> str:
        """Let devices in; return their tokens, or where the file with the tokens is.

        Raises:
            NotDone: an id is malformed or a client's or technician's, or the file cannot be made.
            FileExistsError: the file for the tokens is there already.
        """
        ids: list[str] = given.ids
        tokens: Path | None = given.tokens
        wrong = [one for one in ids if not DEVICE_ID.fullmatch(one)]
        if wrong:
            raise NotDone(f"{wrong[0]} is no device id: letters, digits, . _ - and at most 63")
        for one in ids:
            if kind := self.identity.clients.kind_of(one):
                raise NotDone(f"{one}: a {kind} is called so; take another id")
        new = bool(given.new_signing_key)
        if tokens is None:
            return self._let_in(ids, new=new)
        with _new(tokens) as file:
            file.write(f"{self._let_in(ids, new=new)}\n".encode())
        return f"written: {tokens}"

    def _let_in(self, ids: Sequence[str], *, new: bool) -> str:
        return "\n".join(f"{one} {self.register.let_in(one, new_signing_key=new)}" for one in ids)

    def listed(self) -> str:
        """Return a line for each device that was ever let in."""
        end_of = self.register.device_end
        lines = [_line(one, end_of(one.device_id)) for one in self.register.devices()]
        return "\n".join(lines) or "no device was let in yet: `devices add ID`"

    def revoke(self, device_id: str, since: datetime | None) -> str:
        """Shut a device out; return what to print.

        Args:
            since: what its signing keys signed is not believed if it came after that; None believes
                all.

        Raises:
            NotDone: there is no such device.
        """
        self._shut_out(device_id, DeviceState.REVOKED)
        if since is None:
            return f"{device_id}: shut out; what it signs still counts"
        for kid in self._signing_keys(device_id):
            self.office.revoked_keys.add(kid, device_id, since)
        self._write_revoked()
        return f"{device_id}: shut out; what came since {since:%Y-%m-%d %H:%M} UTC is not believed"

    def name(self, device_id: str, names: Sequence[str]) -> str:
        """Give a device these names in place of its others; return what to print. Raise NotDone."""
        try:
            given = self.identity.names.give(device_id, names)
        except (LookupError, NameRefusedError) as error:
            raise NotDone(f"{error}; nothing was changed") from error
        lines = [f"{device_id}: {', '.join(given) or 'no name'}"]
        return "\n".join([*lines, *self._still_certified(device_id, given)])

    def certify(self, names: Sequence[str]) -> str:
        """Make the server's own next certificate, with another key; nginx is given a copy."""
        key, found = signing.new_key(), keys.certificates(self.folder / "ca")
        try:
            own = tuple(dict.fromkeys([*map(canonical, names), *keys.HOSTS]))
            for name in own:
                self.identity.names.check_free(name)
        except NameRefusedError as error:
            raise NotDone(f"{error}; nothing was changed") from error
        common = next(name for name in own if len(name) <= COMMON_CHARS)
        made = self.identity.authority.serve(
            common, key.public_key(), own, self.office.ledger.now()
        )
        with keys.alone(self.folder):
            keys.put_server(found, key, certificates.pem([made]))
        until = f"until {made.not_valid_after_utc:%Y-%m-%d}"
        files = f"written: {found.chain_file} and {found.key_file.name}"
        lines = [f"{', '.join(own)}: {until}; {files}"]
        return "\n".join([*lines, *self._still_certified("", own)])

    def _still_certified(self, device_id: str, names: Sequence[str]) -> list[str]:
        """Return a line for each of these names that another device has a certificate for."""
        found = self.identity.names.still_certified(device_id, names, self.office.ledger.now())
        return [
            f"{name}: also certified for {one.device_id} to {one.until:%Y-%m-%d}: "
            f"who has the card of {one.device_id} can answer for it until then"
            for name, one in found
        ]

    def add_other(self, kind: ClientKind, given: argparse.Namespace) -> str:
        """Write key and certificate into one file, the only copy of the key."""
        name, out = given.name, given.out
        if not DEVICE_ID.fullmatch(name):
            raise NotDone(f"{name} is no name: letters, digits, . _ - and at most 63")
        key = signing.new_key()
        made = self.identity.authority.client(name, key.public_key(), self.office.ledger.now())
        with _new(out) as file:
            file.write(signing.private_pem(key) + certificates.pem([made]))
            try:
                self.identity.clients.add(name, made, kind)
            except NameTakenError as error:
                raise NotDone(str(error)) from error
        return f"{name}: until {made.not_valid_after_utc:%Y-%m-%d}; written: {out}"

    def others_listed(self, kind: ClientKind, _: argparse.Namespace) -> str:
        """Return a line for each certificate of this kind."""
        lines = [_client_line(one) for one in self.identity.clients.listed(kind)]
        return "\n".join(lines) or f"no {kind} was let in yet: `{kind}s add NAME --out FILE`"

    def revoke_other(self, kind: ClientKind, given: argparse.Namespace) -> str:
        """Shut a client or technician out; return what to print. Raise NotDone."""
        try:
            self.identity.clients.revoke(given.name, kind)
        except LookupError as error:
            raise NotDone(str(error)) from error
        if kind is ClientKind.TECHNICIAN:
            return f"{given.name}: shut out; what was delivered stays, marked with the name"
        return f"{given.name}: shut out here; devices let it in until it is off their serve.clients"

    def gone(self, device_id: str, to: str | None) -> str:
        """End a device for good, and hand its route to the device `to`; return what to print.

        Raises:
            NotDone: there is no such device, or `to` is not let in; nothing was changed.
        """
        ending, now = DeviceEnding(self.register, self.office), self.office.ledger.now()
        try:
            ended = ending.now(device_id, EndKind.GONE, THE_OFFICE, now, to=to)
        except LookupError as error:
            raise NotDone(str(error)) from error
        lines = [f"{device_id}: {summary(ended)}"]
        if rfc3339(ended.at) != rfc3339(now):
            lines.append("that was so before; the first time counts")
        if to is not None:
            lines.append(f"its route, where it had one: handed on to {to}")
        lines += chain_end_lines(ended, ending.chains(device_id))
        return "\n".join(lines)

    def publish(self, after: int) -> str:
        """Sign a new fleet document; return what to print.

        Args:
            after: a version that the new one is above.

        Raises:
            NotDone: `after` is above MOST_AFTER.
        """
        if after > MOST_AFTER:
            raise NotDone(
                f"--after {after}: no device has more than {MOST_AFTER}; nothing was made"
            )
        return self._summary(self.documents.publish(after))

    def rotate(self, given: argparse.Namespace) -> str:
        """Replace the identity, the fleet key or the receipt key; return what to print."""
        if given.identity:
            return self._summary(self.documents.rotate_identity())
        if given.fleet_key:
            told = self._summary(self.documents.rotate_fleet_key())
            return f"{told}\nfleet-key.pem changes with the next document"
        return self._summary(self.documents.rotate())

    def revoke_key(self, kid: str) -> str:
        """Revoke a key, and sign its receipts again: no device would believe them any more."""
        try:
            version = self.documents.revoke(kid)
        except NoSuchKeyError as error:
            raise NotDone(str(error)) from error
        key = keys.KeyInUse(KeyFiles(self.folder).signs)
        anew = Intake(self.office.store, key).sign_again(kid)
        return f"{self._summary(version)}\nsigned anew: {anew} receipts and refusals"

    def _shut_out(self, device_id: str, state: DeviceState) -> None:
        try:
            self.register.shut_out(device_id, state)
        except LookupError as error:
            raise NotDone(str(error)) from error

    def _signing_keys(self, device_id: str) -> list[str]:
        found = [one for one in self.register.devices() if one.device_id == device_id]
        return [each.kid for one in found for each in one.certificates if _is_evidence(each.use)]

    def _summary(self, version: int) -> str:
        self._write_revoked()
        lines = [f"{kid} {what}" for kid, what in self.documents.keys_told()]
        return "\n".join([f"fleet document {version}", *lines])

    def _write_revoked(self) -> None:
        write_revoked(self.folder, self.office, self.documents)


def write_revoked(folder: Path, office: Office, documents: FleetDocuments) -> None:
    """Write the list to a file, by the fleet key of now; whole or not at all.

    It names the keys of receipts too: an examiner of records needs nothing else of the fleet.
    """
    with keys.alone(folder):
        payload = office.revoked_keys.payload() | {"receipt_keys": documents.receipt_keys()}
        token = signing.sign(payload, documents.fleet_key(), typ=REVOKED_TYPE)
        keys.write_whole(folder / "revoked.jws", token.encode(), mode=0o644)


@contextmanager
def _new(file: Path) -> Iterator[BinaryIO]:
    """Make a file that its owner alone reads, and delete it if the block fails.

    Raises:
        FileExistsError, NotDone: it cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(file, flags, 0o600)
    except FileExistsError:
        raise FileExistsError(f"{file} is there already: nobody was let in") from None
    except OSError as error:
        raise NotDone(f"{file}: {error.strerror}: nobody was let in") from error
    try:
        with os.fdopen(descriptor, "wb") as opened:
            yield opened
    except BaseException:
        file.unlink()
        raise


def _is_evidence(use: CertificateUse) -> bool:
    return use is CertificateUse.EVIDENCE


def _client_line(one: ClientCertificate) -> str:
    end = "revoked" if one.revoked else f"until {one.until:%Y-%m-%d}"
    return f"{one.name}; serial {one.serial}; {end}"


def _line(device: ListedDevice, ended: DeviceEnd | None) -> str:
    words = [device.device_id, summary(ended) if ended else device.state.value]
    if device.token_waits:
        words.append("token not used yet")
    for one in device.certificates:
        if _is_evidence(one.use):
            words.append(f"signs with {one.kid}")
        elif one.use is CertificateUse.SERVE:
            names = ", ".join(sorted(names_in(one.x509)))
            words.append(f"serves as {names} until {one.until:%Y-%m-%d}")
        elif one.cloned_at is not None:
            words.append(
                f"CLONE ALARM: serial {one.serial} was used again {one.cloned_at:%Y-%m-%d}"
            )
        elif one.state.value == "live":
            words.append(f"TLS serial {one.serial} until {one.until:%Y-%m-%d}")
    return "; ".join(words)
