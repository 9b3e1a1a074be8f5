"""Prints the apt sources of this machine that offer Debian 13, as one deb822 file.

`debian_sources.py [FOLDER]` reads FOLDER (default: /etc/apt). scripts/debian.sh calls it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SUITES: Final = ("trixie", "trixie-updates", "trixie-security")
"""Debian 13 as a device has it: no backports, no other release."""

COMPONENT: Final = "main"
"""The only component that the project uses. Other vendors' sources rarely have one of that name."""

MISSING: Final = (
    "{folder} has no source for Debian 13 (suite trixie, component main): "
    "add your mirror of it to {folder}/sources.list.d/"
)

_ONE_LINE: Final = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<rest>.+)")
_LONG_NAMES: Final = {"arch": "architectures", "lang": "languages", "target": "targets"}
"""Options that have another name in deb822. Source: sources.list(5), "Options"."""

Stanza = dict[str, str]
"""Field, in lower case, to its value as the file has it, continuation lines included."""


def selected(folder: Path) -> list[Stanza]:
    """Return the sources for Debian 13, reduced to its suites and to `main`."""
    return [kept for stanza in _all(folder) if (kept := _reduced(stanza))]


def text(stanzas: list[Stanza]) -> str:
    """Return them as a deb822 file."""
    return "\n".join(
        "".join(f"{name.title()}: {value}\n" for name, value in stanza.items())
        for stanza in stanzas
    )


def _all(folder: Path) -> Iterator[Stanza]:
    parts = folder / "sources.list.d"
    for path in [folder / "sources.list", *sorted(parts.glob("*.list"))]:
        if path.is_file():
            yield from _one_line(path.read_text("utf-8"))
    for path in sorted(parts.glob("*.sources")):
        yield from _deb822(path.read_text("utf-8"))


def _one_line(content: str) -> Iterator[Stanza]:
    for line in content.splitlines():
        if found := _ONE_LINE.fullmatch(line.partition("#")[0].strip()):
            suite, *components = found["rest"].split()
            stanza = {"types": "deb", "uris": found["uri"], "suites": suite}
            stanza["components"] = " ".join(components)
            for option in (found["options"] or "").split():
                name, _, value = option.partition("=")
                stanza[_LONG_NAMES.get(name.lower(), name.lower())] = value.replace(",", " ")
            yield stanza


def _deb822(content: str) -> Iterator[Stanza]:
    lines = [line for line in content.splitlines() if not line.startswith("#")]
    for block in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = re.findall(r"^([^\s:]+):[ \t]*(.*(?:\n[ \t].*)*)", block, re.MULTILINE)
        yield {name.lower(): value.rstrip() for name, value in fields}


def _reduced(stanza: Stanza) -> Stanza | None:
    words = {name: stanza.get(name, "").split() for name in ("types", "suites", "components")}
    suites = [suite for suite in words["suites"] if suite in SUITES]
    is_off = stanza.get("enabled", "yes").lower() in {"no", "false", "0", "off"}
    if is_off or not suites or "deb" not in words["types"] or COMPONENT not in words["components"]:
        return None
    return stanza | {"types": "deb", "suites": " ".join(suites), "components": COMPONENT}


def main() -> None:
    """Print them, or say what is missing and end with 2."""
    folder = Path(*sys.argv[1:2] or ["/etc/apt"])
    stanzas = selected(folder)
    if not any(SUITES[0] in stanza["suites"].split() for stanza in stanzas):
        sys.stderr.write(MISSING.format(folder=folder) + "\n")
        sys.exit(2)
    sys.stdout.write(text(stanzas))


if __name__ == "__main__":
    main()
