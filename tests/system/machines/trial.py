"""The program that tries a release, as a device has it: found by its place, and not imported."""

import importlib
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from tests.support.backend import REPOSITORY

PROGRAM: Final[Path] = (
    REPOSITORY / "scripts" / "provisioning" / "roles" / "doorstep_trial" / "files" / "trial"
)


def part(name: str) -> ModuleType:
    """Import a module of the trial."""
    if str(PROGRAM) not in sys.path:
        sys.path.insert(0, str(PROGRAM))
    return importlib.import_module(name)


def program() -> dict[str, Any]:
    """Return the globals of the trial's command, by name."""
    part("release")
    return runpy.run_path(str(PROGRAM / "__main__.py"), run_name="trial")
