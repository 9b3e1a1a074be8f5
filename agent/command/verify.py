"""`doorstep verify`: checks a folder of record files."""

import argparse

from agent.errors import ConfigError, ExitCode
from agent.queue.disk import disk_errors
from agent.record import signing, verify


def run(arguments: argparse.Namespace) -> int:
    """`doorstep verify DIR [--key PEM]`."""
    with disk_errors(f"cannot read {arguments.folder}"):
        try:
            paths = [path for path in arguments.folder.iterdir() if path.suffix == ".rec"]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"{arguments.folder}: not a folder") from error
    pinned = signing.read_public_key(arguments.key) if arguments.key else None
    if not paths:
        raise ConfigError(f"{arguments.folder}: no record files (*.rec) in it")
    report = verify.examine(paths, pinned)
    print("\n".join(report.lines))
    return ExitCode.NOT_GENUINE if report.problems else ExitCode.DONE
