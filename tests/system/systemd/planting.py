"""Files that a user plants where another user's Python may look for a module, and who ran them."""

import re
from dataclasses import dataclass
from typing import Final

from tests.system.systemd.running import Running

PLANTERS: Final = ("doorstep-capture", "doorstep-sync", "doorstep-serve", "tech")
"""The users of the units, and a technician, who logs in by SSH and is of the group `doorstep`."""

HOME: Final = "/home/tech"
"""Where what Ansible starts as root has its current folder."""

MODULES: Final = (
    *("agent/__init__.py", "agent/__main__.py", "hardware/__init__.py", "c2pa.py"),
    *("json.py", "datetime.py", "tomllib.py", "pathlib.py", "venv/__init__.py", "pip/__init__.py"),
    *("usercustomize.py", "sitecustomize.py", "planted.py"),
)
"""The product's, the standard library's, and those that Python imports at its start."""

_MODULE: Final = """\
import _socket, os
told = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
told.connect("/run/systemd/journal/dev-log")
words = " ".join(open("/proc/self/cmdline").read().split(chr(0)))
told.send(f"<13>planted: ran={__file__} by={os.getuid()} in={words!r}".encode())
"""
"""Tells the journal, which each unit may do: a process may write no file that all can read."""

_ADD_TECHNICIAN: Final = f"""
id tech >/dev/null 2>&1 || useradd --create-home --home-dir {HOME} --groups doorstep tech
"""

_PLANT: Final = f"""
umask 022
plant() {{
    for module in {" ".join(MODULES)}; do
        mkdir -p "$(dirname "$1/$module")" && cp /tmp/module.py "$1/$module"
    done
    echo 'import planted' >"$1/planted.pth"
}}
home=$(getent passwd "$(id -un)" | cut -d: -f6)
user=$home/.local/lib/$1/site-packages
mkdir -p "$user" 2>/dev/null && plant "$user"
find / \\( -path /proc -o -path /sys -o -path /opt/doorstep -o -path "$home/.local" \\) -prune \\
    -o -type d -writable -print 2>/dev/null >/tmp/folders."$(id -un)"
while read -r folder; do
    plant "$folder" 2>/dev/null
    echo "$folder"
done </tmp/folders."$(id -un)"
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """A planted file that a process ran.

    Attributes:
        file: the file.
        by: the number of the user who ran it.
        command: the process's words.
    """

    file: str
    by: int
    command: str


def plant(device: Running) -> dict[str, list[str]]:
    """Have each planter put modules into every folder that it may write; return these folders."""
    device.shell(_ADD_TECHNICIAN)
    device.shell(f"cat >/tmp/module.py <<'PY'\n{_MODULE}PY")
    device.shell(f"cat >/tmp/plant.sh <<'SH'\n{_PLANT}SH")
    folders = {}
    for user in PLANTERS:
        said = device.shell(
            f"""cd / && name=$(ls /opt/doorstep/current/lib)
            runuser -u {user} -- sh /tmp/plant.sh "$name" """,
            check=False,
        )
        folders[user] = said.splitlines()
    return folders


def ran(device: Running) -> list[Ran]:
    """Return what was run since this was last asked, each once."""
    device.run("journalctl", "--sync")
    since = "--cursor-file=/tmp/asked"
    told = device.run("journalctl", "-q", "-o", "cat", "-t", "planted", since, check=False)
    found = re.findall(r"^ran=(\S+) by=(\d+) in='(.*)'$", told, re.MULTILINE)
    return sorted({Ran(file, int(by), words) for file, by, words in found}, key=str)
