"""The form of every command: its help begins with a verb, and ends with an example."""

import argparse
from pathlib import Path
from typing import Any, Final

DATA: Final = "folder of the backend; may also come before the command"


def add_command(commands: Any, name: str, help_text: str, example: str = "") -> Any:
    """Add a command that works on the backend's folder, and return its parser."""
    command = add_command_without_folder(commands, name, help_text)
    command.epilog = f"Example: {_with_data(command)} {example}".rstrip()
    command.add_argument("--data", type=Path, metavar="DIR", default=argparse.SUPPRESS, help=DATA)
    return command


def add_command_without_folder(commands: Any, name: str, help_text: str, example: str = "") -> Any:
    """Add a command, and return its parser."""
    description = f"{help_text[0].upper()}{help_text[1:]}."
    command = commands.add_parser(name, help=help_text, description=description)
    command.epilog = f"Example: {command.prog} {example}".rstrip()
    return command


def add_group(commands: Any, name: str, help_text: str, example: str = "list") -> Any:
    """Add a command that has commands of its own, and return the object to add those to."""
    group = add_command_without_folder(commands, name, help_text)
    explains = f"`{group.prog} COMMAND --help` explains a command."
    group.epilog = f"Example: {_with_data(group)} {example}. {explains}"
    return group.add_subparsers(dest="what", required=True, metavar="COMMAND")


def _with_data(command: argparse.ArgumentParser) -> str:
    program, _, words = command.prog.partition(" ")
    return f"{program} --data data {words}"
