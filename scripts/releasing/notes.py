"""The notes of a version, from the changelog: `notes.py CHANGELOG VERSION COMMIT`."""

import re
import sys
from pathlib import Path

UNUSABLE = 2


class NoNotes(ValueError):
    """The changelog does not say what this version is."""


def notes(changelog: str, version: str, commit: str) -> str:
    """Return the section of `version`, and the commit that it was built from.

    Raises:
        NoNotes: there is no such section, it is empty, or it is not called released.
    """
    sections = re.split(r"^## +(.+?) *\n", changelog, flags=re.MULTILINE)
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    titles = [title for title in found if title.split()[0].strip("[]") == version]
    if not titles:
        raise NoNotes(f"it has no section `## {version}`; write what is new in it, and commit")
    if titles[0] != version:
        raise NoNotes(
            f"its section is called `{titles[0]}`: a release has the number alone; "
            f"call it `## {version}`, and commit"
        )
    if not (text := found[version].strip()):
        raise NoNotes(f"its section `## {version}` is empty; write what is new, and commit")
    return f"# Doorstep {version}\n\n{text}\n\nBuilt from commit {commit}.\n"


def main(changelog: str, version: str, commit: str) -> int:
    """Print them."""
    try:
        sys.stdout.write(notes(Path(changelog).read_text("utf-8"), version, commit))
    except NoNotes as error:
        sys.stderr.write(f"{changelog}: {error}\n")
        return UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
