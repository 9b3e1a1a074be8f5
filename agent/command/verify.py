"""`doorstep verify`: checks a folder of record files."""

import argparse
import json
from pathlib import Path

from agent.errors import ConfigError, ExitCode, NotGenuine, not_read
from agent.queue.disk import disk_errors
from agent.record import certificates, sealing, signing, verify
from agent.record.certificates import Chain
from agent.record.sealing import Identity, NotIdentities
from agent.record.verify import papers
from agent.record.verify.papers import Listed, Papers


def run(arguments: argparse.Namespace) -> int:
    """`doorstep verify DIR`, with what there is to check it by."""
    folder: Path = arguments.folder
    paths = _files(folder, ".rec")
    pinned = signing.read_public_key(arguments.key) if arguments.key else None
    identities = _identities(arguments.identity) if arguments.identity else ()
    beside = _papers(arguments)
    if not paths:
        raise ConfigError(f"{folder}: no record files (*.rec) in it")
    report = verify.examine(paths, pinned, identities, beside)
    if arguments.json:
        print(json.dumps(report.document, indent=1))
    else:
        print("\n".join(report.lines))
    return ExitCode.NOT_GENUINE if report.problems else ExitCode.DONE


def _papers(arguments: argparse.Namespace) -> Papers:
    """What lies in the folder under its own name is taken too."""
    folder, unusable = arguments.folder, list[str]()
    receipts = arguments.receipts or _there(folder / "receipts")
    return Papers(
        authorities=_authorities(arguments.ca) if arguments.ca else (),
        certificates=papers.read_certificates(_files(folder, ".pem"), unusable),
        receipts=papers.read_receipts(_files(receipts), unusable) if receipts else None,
        listed=_listed(arguments.revoked or _there(folder / "revoked.jws"), arguments.fleet_key),
        unusable=unusable,
    )


def _there(path: Path) -> Path | None:
    return path if path.exists() else None


def _files(folder: Path, suffix: str = "") -> list[Path]:
    with disk_errors(f"cannot read {folder}"):
        try:
            return [path for path in folder.iterdir() if path.name.endswith(suffix)]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"{folder}: not a folder") from error


def _listed(path: Path | None, fleet_key: Path | None) -> Listed | None:
    if path is None:
        return None
    key = signing.read_public_key(fleet_key, "the fleet's public key") if fleet_key else None
    return papers.read_listed(path, key)


def _authorities(path: Path) -> Chain:
    try:
        return certificates.read_pem(path.read_bytes())
    except (OSError, NotGenuine) as error:
        raise not_read(path, "the fleet's certificate authority", error) from error


def _identities(path: Path) -> list[Identity]:
    try:
        return sealing.read_identities(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # NotIdentities, or bytes that are no text
        words = error if isinstance(error, NotIdentities) else "not an age identity file"
        raise ConfigError(f"{path}: {words}") from None
