"""No file names a registry or a mirror of packages: pip, npm and apt use the machine's own."""

from pathlib import Path

import pytest

from tests.unit.documents.pages import REPOSITORY, files

REGISTRIES = (
    *(b"deb.debian.org", b"security.debian.org", b".debian.org/debian"),
    *(b"archive.ubuntu.com", b"security.ubuntu.com", b"ports.ubuntu.com"),
    *(b"archive.raspberrypi", b"archives.raspberrypi", b"piwheels.org"),
    *(b"pypi.org/simple", b"pypi.org/pypi", b"files.pythonhosted.org"),
    *(b"registry.npmjs", b"registry.yarnpkg", b"proxy.golang.org", b"crates.io"),
)
"""Parts of their addresses. A project's page, such as pypi.org/project/NAME, does not count."""


def test_no_file_names_a_mirror() -> None:
    """Otherwise a machine that reaches only its company's mirror could not run it."""
    ours = [path for path in [*files(), REPOSITORY / ".ci/run"] if path != Path(__file__)]

    found = [(path.name, name) for path in ours for name in _named(path.read_bytes())]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        b"deb http://deb.debian.org/debian trixie main",
        b"http://ftp.de.debian.org/debian/",
        b"--index-url https://pypi.org/simple",
        b"registry=https://registry.npmjs.org/",
    ],
)
def test_mirror_is_recognised(text: bytes) -> None:
    """A mirror that a script could name is found."""
    assert _named(text)


def test_page_of_a_project_is_no_mirror() -> None:
    """A link for people stays allowed."""
    assert _named(b"https://pypi.org/project/age/ https://www.debian.org/") == []


def _named(content: bytes) -> list[bytes]:
    return [name for name in REGISTRIES if name in content]
