"""`doorstep verify`: checks a folder of record files."""

import argparse
from pathlib import Path

from agent.errors import ConfigError, ExitCode
from agent.queue.disk import disk_errors
from agent.record import sealing, signing, verify
from agent.record.sealing import Identity, NotIdentities


def run(arguments: argparse.Namespace) -> int:
    """`doorstep verify DIR [--key PEM] [--identity FILE]`."""
    with disk_errors(f"cannot read {arguments.folder}"):
        try:
            paths = [path for path in arguments.folder.iterdir() if path.suffix == ".rec"]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"{arguments.folder}: not a folder") from error
    pinned = signing.read_public_key(arguments.key) if arguments.key else None
    identities = _identities(arguments.identity) if arguments.identity else ()
    if not paths:
        raise ConfigError(f"{arguments.folder}: no record files (*.rec) in it")
    report = verify.examine(paths, pinned, identities)
    print("\n".join(report.lines))
    return ExitCode.NOT_GENUINE if report.problems else ExitCode.DONE


def _identities(path: Path) -> list[Identity]:
    try:
        return sealing.read_identities(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # NotIdentities, or bytes that are no text
        words = error if isinstance(error, NotIdentities) else "not an age identity file"
        raise ConfigError(f"{path}: {words}") from None
