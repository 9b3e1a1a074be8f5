"""Programs that tests run, and what of them comes from npm."""

import shutil
import subprocess
from pathlib import Path


def install(folder: Path) -> None:
    """Run `npm ci` unless what the folder's lock file names is already there; git ignores it."""
    installed = folder / "node_modules" / ".package-lock.json"
    lock = folder / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    command = [program("npm", "npm"), "ci", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"npm ci in {folder} failed; it needs the npm registry:\n{done.stderr}")


def program(name: str, package: str) -> str:
    """Return the path of a program."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if found is None:
        raise RuntimeError(f"{name} is missing; this needs it: apt-get install {package}")
    return found
