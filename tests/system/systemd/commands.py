"""The commands by which provisioning and a deploy start Python on a device, out of their tasks."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
import yaml

from tests.support.backend import REPOSITORY
from tests.system.systemd.pythons import ROLES, starts

SCRIPTS: Final = {
    f"{ROLES}/doorstep_preflight/files/look-as-root.sh",
    "scripts/provisioning/collect.sh",
}
"""Scripts that Ansible runs on a device; tests/system/machines runs install-release.sh."""

_RELEASE: Final = "/opt/doorstep/releases/1"

_VALUES: Final[dict[str, Any]] = {
    "doorstep_agent_release": _RELEASE,
    "doorstep_agent_current": {"stdout": _RELEASE},
    "doorstep_deploy_version": "1",
    "deploy_watch_s": 1,
    "doorstep_est": "https://10.77.9.1:9443",
    "doorstep_enrolment_requests": "/root/doorstep-requests",
    "doorstep_serve_names": ["van-0042.example.com"],
    "item": "/opt/doorstep/current",
}

_MODULES: Final = ("command", "shell", "raw")


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a task runs as root.

    Attributes:
        file: the task's file, from the top of the repository.
        name: the task's name.
        words: for a shell.
        folder: where it runs; empty where the task does not say.
    """

    file: str
    name: str
    words: str
    folder: str


def commands() -> list[Command]:
    """Return those that start Python, in the roles' order."""
    return [
        command
        for path in sorted((REPOSITORY / ROLES).glob("*/tasks/*.yml"))
        for task in tasks_of(path)
        for command in _of(str(path.relative_to(REPOSITORY)), task)
    ]


def tasks_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a file's tasks, also those in blocks."""
    yield from _tasks(yaml.safe_load(path.read_text()))


def _tasks(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for name in ("block", "rescue", "always"):
            yield from _tasks(task.get(name, []))


def _of(file: str, task: dict[str, Any]) -> Iterator[Command]:
    for module in _MODULES:
        said = task.get(f"ansible.builtin.{module}", "")
        words = said if isinstance(said, str) else said.get("cmd", "")
        told = said if isinstance(said, dict) else task.get("args", {})
        if any(list(starts(line)) for line in words.splitlines()) and "apt-get" not in words:
            yield Command(file, task["name"], _rendered(words), told.get("chdir", ""))


def _rendered(words: str) -> str:
    """Render a template as Ansible does."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["quote"] = shlex.quote
    return environment.from_string(words).render(_VALUES)
