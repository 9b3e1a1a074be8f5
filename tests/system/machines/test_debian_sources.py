"""Roots are made from the machine's own apt sources, and from those for Debian 13 only."""

import subprocess
import sys
from pathlib import Path

from tests.unit.documents.pages import REPOSITORY

SCRIPT = REPOSITORY / "scripts/debian_sources.py"


def _sources(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a folder like /etc/apt; a name ends with its format after `_`."""
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        (folder / "sources.list.d" / name.replace("_", ".")).write_text(text)
    command = [sys.executable, str(SCRIPT), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_debian_sources_keep_every_option_of_a_mirror(tmp_path: Path) -> None:
    """A company's mirror needs its key and its options; only suites and components are reduced."""
    ran = _sources(
        tmp_path,
        company_sources="""\
# Our mirror
Types: deb deb-src
URIs: https://apt.example.com/debian
Suites: trixie trixie-updates trixie-backports
Components: main contrib non-free-firmware
Check-Valid-Until: no
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY
 -----END PGP PUBLIC KEY BLOCK-----
""",
    )

    assert ran.stdout.splitlines() == [
        "Types: deb",
        "Uris: https://apt.example.com/debian",
        "Suites: trixie trixie-updates",
        "Components: main",
        "Check-Valid-Until: no",
        "Signed-By: ",
        " -----BEGIN PGP PUBLIC KEY BLOCK-----",
        " .",
        " mDMEY",
        " -----END PGP PUBLIC KEY BLOCK-----",
    ]


def test_debian_sources_read_the_one_line_format(tmp_path: Path) -> None:
    """Options have other names in deb822."""
    (tmp_path / "sources.list").write_text("deb cdrom:[Debian 13]/ trixie main\n")
    ran = _sources(
        tmp_path,
        a_list="""\
# deb https://off.example.com/debian trixie main
deb [arch=amd64,arm64 signed-by=/etc/apt/keyrings/a.gpg] https://apt.example.com/d trixie main # x
deb-src https://apt.example.com/d trixie main
""",
    )

    assert ran.stdout.splitlines() == [
        "Types: deb",
        "Uris: https://apt.example.com/d",
        "Suites: trixie",
        "Components: main",
        "Architectures: amd64 arm64",
        "Signed-By: /etc/apt/keyrings/a.gpg",
    ]


def test_debian_sources_leave_out_what_is_not_debian_13(tmp_path: Path) -> None:
    """Other releases, other vendors, local folders and disabled sources would change the root."""
    fields = "Types: deb\nURIs: https://apt.example.com/x\n"
    ran = _sources(
        tmp_path,
        a_sources=f"{fields}Suites: bookworm\nComponents: main\n",
        b_sources=f"{fields}Suites: trixie\nComponents: stable\n",
        c_sources="Types: deb\nURIs: file:/usr/share/old\nSuites: ./\nTrusted: yes\n",
        d_sources=f"Enabled: no\n{fields}Suites: trixie\nComponents: main\n",
        e_sources=f"{fields}Suites: trixie-security\nComponents: main\n",
    )

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "has no source for Debian 13 (suite trixie, component main)" in ran.stderr
