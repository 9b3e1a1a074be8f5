"""Every place that starts Python: units, roles, scripts, and steps that a person does by hand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.backend import REPOSITORY

ROLES: Final = "scripts/provisioning/roles"

READ: Final = (
    "systemd",
    "scripts",
    ".ci",
    "tests/backend/doorstep_backend/doorstep-backend@.service",
)

NO_CODE: Final = ("requirements.txt", "controller.txt", "packages.yml", "config.toml")
"""Lists of packages and settings, in which `python3-numpy` and the like are names."""

_START: Final = re.compile(
    r"""
      (?<![\w.-])python3?(?=["\s]|$)               # python3, /usr/bin/python3, "$bin/python"
    | (?<!-m\ )(?<![\w.-])pip3?(?=["\s]|$)
    | "\$\{?(?:\w*python|PYTHON)\b[^\s"]*"         # "$python", "${PYTHON:-python3}"
    | "\$\w+"(?=\s+(?:-[A-Z]\s+)?-[A-Za-z]*[cm]\b) # "$base" -m venv
    | ansible_playbook_python
    | sys\.executable
    | (?<=bin/)doorstep(?="?\s)
    | (?<![\w./:-])doorstep(?=\s+(?:capture|doctor|enrol|prune|queue|serve|status|sync)\b)
    """,
    re.VERBOSE,
)

_NAMES: Final = re.compile(r"\s*(?:local|python=|PY=|bin=|: |refuse_old |\[\[ -x)")
"""Lines of scripts that name a Python and do not start it."""

_ISOLATED: Final = re.compile(r"""["'\s},\]]*-I[A-Za-z]*(?=[\s,]|$)""")

_FENCED: Final = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)

_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class Place:
    """A start of Python.

    Attributes:
        file: the file, from the top of the repository.
        line: the whole line.
        program: how the line names the program.
        is_isolated: whether the line itself says -I; the command `doorstep` has it in its first
            line, which `install-release.sh` writes.
    """

    file: str
    line: str
    program: str
    is_isolated: bool


def places() -> list[Place]:
    """Return all of them."""
    return [place for file in _files() for place in _in(file)]


def _files() -> Iterator[Path]:
    for name in READ:
        top = REPOSITORY / name
        found = sorted(top.rglob("*")) if top.is_dir() else [top]
        yield from (
            one
            for one in found
            if one.is_file() and one.name not in NO_CODE and "__pycache__" not in one.parts
        )


def _in(file: Path) -> Iterator[Place]:
    name = str(file.relative_to(REPOSITORY))
    for line in _lines(file):
        for program, is_isolated in starts(line):
            yield Place(name, line.strip(), program, is_isolated)


def starts(line: str) -> Iterator[tuple[str, bool]]:
    """Yield what a line starts Python by, and whether that is isolated."""
    for found in _START.finditer(line):
        is_isolated = _ISOLATED.match(line, found.end()) is not None
        yield found[0].strip('"'), is_isolated or found[0] == "doorstep"


def _lines(file: Path) -> list[str]:
    """Return what is code: of a page, what is to be typed; of Python, only what starts Python."""
    lines = file.read_text("utf-8").splitlines()
    match file.suffix:
        case ".md":
            return "\n".join(_FENCED.findall("\n".join(lines))).splitlines()
        case ".py":
            return [line for line in lines if "sys.executable" in line]
        case _:
            return [_COMMENT.sub("", line) for line in lines if not _NAMES.match(line)]
