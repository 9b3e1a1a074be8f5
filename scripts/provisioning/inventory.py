"""A check of an inventory: can it be read, and has it these devices: `inventory.py FILE [HOST...]`.

Ansible itself only warns of a file that it cannot read, and continues with no device.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

UNUSABLE = 2


def unreadable(file: str, said: str) -> str:
    """Translate Ansible's words on an unreadable file into one sentence: where, and what."""
    cause = re.search(
        r"<<< caused by >>>\s+(.+)\n(?:Origin: .+?:(\d+)(?::\d+)?$)?", said, re.MULTILINE
    )
    parsers = re.findall(r"Failed to parse inventory with '(\w+)' plugin: (.+)", said)
    last = (said.strip() or "Ansible does not say why").splitlines()[-1]
    words = dict(parsers).get("yaml", last)
    words = words.removeprefix("YAML parsing failed: ").rstrip(".")
    line = f", line {cause[2]}" if cause and cause[2] else ""
    return f"{file}{line}: cannot be read: {words}; correct it; nothing was touched"


def missing(file: str, listed: Mapping[str, Any], wanted: Iterable[str]) -> list[str]:
    """Return a message for each missing device, by the output of `ansible-inventory --list`."""
    groups = [group for name, group in listed.items() if name != "_meta"]
    hosts = {host for group in groups for host in group.get("hosts", ())}
    if not hosts:
        return [f"{file}: it names no device below `hosts:`; correct it; nothing was touched"]
    unknown = [host for host in wanted if host not in hosts]
    return [f"{host}: {file} has no such device; nothing was touched" for host in unknown]


def main(file: str, *wanted: str) -> int:
    """Read it as the playbook will, and print the errors."""
    command = Path(sys.executable).with_name("ansible-inventory")
    ran = subprocess.run(
        [command, "--inventory", file, "--list"], capture_output=True, text=True, check=False
    )
    if ran.returncode == 0:
        wrong = missing(file, json.loads(ran.stdout), wanted)
    else:
        wrong = [unreadable(file, ran.stderr)]
    sys.stderr.write("".join(f"{one}\n" for one in wrong))
    return UNUSABLE if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
