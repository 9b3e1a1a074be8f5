"""The page for integrators: its blocks, and the commands in them, for the tests that try them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support import nginx
from tests.support.device import REPOSITORY

PAGE: Final = (REPOSITORY / "agent/docs/integrate.md").read_text(encoding="utf-8")

SECTIONS: Final = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))

BLOCKS: Final = re.findall(r"^```(\w*)\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)

COMMANDS: Final = {
    ".venv/bin/python": "",
    ".venv/bin/doorstep": "-m agent",
    "scripts/demo": "-m tests.demo",
    "scripts/conformance": "-m tests.conformance",
}
"""The commands of a clone that the page uses, and what each is to Python.

The scripts also make the environment in `.venv`, which the tests have.
"""


PORT: Final = nginx.free_port()
"""The port in place of 8443."""


def blocks(kind: str) -> list[str]:
    return [block for language, block in BLOCKS if language == kind]


def section_blocks(section: str, kind: str) -> list[str]:
    return [block for block in blocks(kind) if block in SECTIONS[section]]


def commands(section: str) -> list[str]:
    """Return the blocks of commands; the backend listens on a free port."""
    return [block.replace("8443", str(PORT)) for block in section_blocks(section, "sh")]


def clone_in(folder: Path) -> Path:
    """Put the commands of a clone into a folder, and return it."""
    for name, words in COMMANDS.items():
        command = folder / name
        command.parent.mkdir(parents=True, exist_ok=True)
        path = f"{REPOSITORY}:{REPOSITORY}/tests/backend"
        line = f'PYTHONPATH={path} exec {sys.executable} {words} "$@"'
        command.write_text(f"#!/bin/sh\n{line}\n")
        command.chmod(0o755)
    (folder / "agent").symlink_to(REPOSITORY / "agent")
    return folder


def ran(clone: Path, *written: str) -> str:
    """Run blocks of the page in a clone, and return their output."""
    words = ["sh", "-euc", "\n".join(written)]
    ended = subprocess.run(words, cwd=clone, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def running(serve: str, clone: Path) -> Iterator[None]:
    """Run a command of the page that serves; its first line says that it listens."""
    words = ["sh", "-c", f"exec {serve}"]
    with subprocess.Popen(words, cwd=clone, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith("ready url=")
            yield
        finally:
            process.kill()
