"""`doorstep verify`: checks a folder of record files."""

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.errors import ConfigError, ExitCode, NotGenuine
from agent.queue.disk import disk_errors
from agent.record import certificates, sealing, signing, verify
from agent.record.certificates import CertificateChain
from agent.record.verify import supporting_files
from agent.record.verify.supporting_files import FleetList, SupportingFiles

_KNOWN: Final = {"README.txt", "receipts", "revoked.jws"}
"""Names that are not reported: they are read here, or by people."""


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep verify DIR`, with the given certificates, keys and receipts."""
    folder: Path = arguments.folder
    paths = _files(folder, ".rec")
    pinned = _key(arguments.key, "a public key")
    identities = sealing.read_identity_file(arguments.identity) if arguments.identity else ()
    beside = _supporting_files(arguments)
    report = verify.examine(paths, pinned, identities, beside)
    if arguments.json:
        print(json.dumps(report.document, indent=1))
    else:
        print("\n".join(report.lines))
    return ExitCode.NOT_GENUINE if report.problems else ExitCode.DONE


def _supporting_files(arguments: argparse.Namespace) -> SupportingFiles:
    """Collect the supporting files; those in the folder under their own names are used too."""
    folder, unusable = arguments.folder, list[str]()
    authorities = _authorities(arguments.ca) if arguments.ca else ()
    fleet_key = _key(arguments.fleet_key, "the fleet's public key")
    _compare(folder, authorities, fleet_key, unusable)
    return SupportingFiles(
        authorities=authorities,
        certificates=supporting_files.read_certificates(_files(folder, ".pem"), unusable),
        receipts=_receipts(arguments.receipts, folder / "receipts", unusable),
        listed=_listed(arguments.revoked, folder / "revoked.jws", fleet_key, unusable),
        unusable=unusable,
        passed_over=_passed_over(folder),
    )


def _compare(
    folder: Path,
    authorities: CertificateChain,
    fleet_key: signing.PublicKey | None,
    unusable: list[str],
) -> None:
    """Note supporting files of the folder that differ from the given ones; the given ones count."""
    if authorities and _differs(folder / "fleet-ca.pem", certificates.read_pem, authorities):
        unusable.append("fleet-ca.pem: another authority than --ca")
    if fleet_key and _differs(folder / "fleet-key.pem", signing.public_key, fleet_key):
        unusable.append("fleet-key.pem: another key than --fleet-key")


def _differs(path: Path, read: Callable[[bytes], object], given: object) -> bool:
    try:
        return os.path.lexists(path) and read(supporting_files.content(path)) != given
    except ValueError:
        return True


def _passed_over(folder: Path) -> list[str]:
    names = {
        path.name for path in _files(folder) if not path.name.endswith((".rec", ".label", ".pem"))
    }
    return sorted(names - _KNOWN)


def _files(folder: Path, suffix: str = "") -> list[Path]:
    with disk_errors(f"cannot read {folder}"):
        try:
            return [path for path in folder.iterdir() if path.name.endswith(suffix)]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"{folder}: not a folder") from error


def _receipts(
    given: Path | None, there: Path, unusable: list[str]
) -> Mapping[str, Sequence[str]] | None:
    """Read the receipts in a folder, or in one file."""
    if given is not None:
        paths = _files(given) if os.path.isdir(given) else [_given(given)]  # noqa: PTH112 - without access it is none
        return supporting_files.read_receipts(paths, unusable)
    if not os.path.lexists(there):
        return None
    try:
        paths = list(there.iterdir()) if there.is_dir() else [there]
    except OSError as error:
        unusable.append(f"{there.name}: {error.strerror or error}")
        return None
    return supporting_files.read_receipts(paths, unusable)


def _listed(
    given: Path | None, there: Path, fleet_key: signing.PublicKey | None, unusable: list[str]
) -> FleetList | None:
    if given is not None:
        return supporting_files.read_listed(_given(given), fleet_key)
    if not os.path.lexists(there):
        return None
    try:
        return supporting_files.read_listed(there, fleet_key)
    except (ConfigError, NotGenuine) as error:
        unusable.append(str(error).replace(str(there), there.name))
        return None


def _authorities(path: Path) -> CertificateChain:
    found = certificates.read_authorities(_given(path))
    if not all(map(certificates.is_authority, found)):
        raise ConfigError(f"{path}: a device's certificate, and no authority's: see --ca")
    return found


def _key(path: Path | None, what: str) -> signing.PublicKey | None:
    return None if path is None else signing.read_public_key(_given(path), what)


def _given(path: Path) -> Path:
    """Return a file of the command line if it can be opened; its contents are checked later."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    return path
