"""`doorstep config`: checks the configuration and the files that it names, and prints it."""

import argparse
import json
from dataclasses import asdict, fields
from typing import get_type_hints

from agent.config import Config, load, path_of, pins_of_the_build
from agent.errors import ConfigError, ExitCode, is_missing
from agent.identity import authorities
from agent.record import receipt
from agent.trust.keys import given_recipients, pinned
from hardware.simulated.script import read_script


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep config [--check]`."""
    path = path_of(arguments.config)
    config = load(path, drivers=True)
    check(config)
    if not arguments.check:
        for table in fields(config):
            settings = getattr(config, table.name)
            shared = get_type_hints(table.type)
            for name, value in asdict(settings).items():
                text = json.dumps(value, default=str, ensure_ascii=False)
                where = table.name if name in shared else f"{table.name}.{settings.kind}"
                print(f"{where}.{name} = {text}")
    print(f"{path}: the configuration is valid")
    return ExitCode.DONE


def check(config: Config) -> None:
    """Check the pins against the recommended build, and read the files that are named.

    Raises:
        ConfigError: a pin has another use there; a key or a certificate cannot be read.
        ScriptError: the script of the simulated world is wrong.
    """
    if wrong := pins_of_the_build(config):
        raise ConfigError("\n".join(wrong))
    receipt.read_keys(config.backend.receipt_keys)
    given_recipients(config)
    if config.identity.fleet_key is not None:
        pinned(config)
    authority = config.identity.ca
    if authority is not None and not is_missing(authority):  # else enrolment fetches it
        authorities.given(config)
    if config.simulated.world is not None:
        read_script(config.simulated.world)
