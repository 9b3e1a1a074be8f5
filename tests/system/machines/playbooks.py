"""Ansible on this machine: plugins and playbooks of scripts/provisioning, and releases for them."""

import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from tests.support.backend import REPOSITORY

PROVISIONING: Final = REPOSITORY / "scripts" / "provisioning"

PLAYBOOK: Final = Path(sys.executable).with_name("ansible-playbook")

VERSION: Final = "2026.12.0"


def plugin(name: str) -> ModuleType:
    """Import a plugin by its place, as Ansible does: `filter_plugins/doorstep`."""
    place = PROVISIONING / f"{name}.py"
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def played(
    folder: Path,
    playbook: Path,
    *words: str,
    below: Sequence[str | Path] = (),
    **variables: str,
) -> str:
    """Run a playbook with the settings of `scripts/provision`; return what it printed.

    Args:
        folder: has the inventory, `fleet.yml`.
        playbook: what is run.
        words: more words for ansible-playbook.
        below: a command that runs it.
        variables: more of the environment.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    own = {
        "ANSIBLE_CONFIG": str(PROVISIONING / "ansible.cfg"),
        "ANSIBLE_FILTER_PLUGINS": str(PROVISIONING / "filter_plugins"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_LOCAL_TEMP": str(folder / "temporary"),
        "DOORSTEP_PROVISION_DIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ran = subprocess.run(
        [*below, PLAYBOOK, "--inventory", folder / "fleet.yml", *words, playbook],
        env=kept | own | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return ran.stdout + ran.stderr


def make_release(folder: Path, files: Mapping[str, str], tar_name: str = "amd64.tar") -> Path:
    """Make the folder of a release whose tar has these files; return it."""
    place = folder / VERSION
    place.mkdir(exist_ok=True)
    with tarfile.open(place / tar_name, "w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    digest = hashlib.sha256((place / tar_name).read_bytes()).hexdigest()
    (place / "SHA256SUMS").write_text(f"{digest}  {tar_name}\n")
    return place
