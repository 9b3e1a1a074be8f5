"""The message about a file that cannot be read, and the rule for a missing path."""

import errno
from pathlib import Path

import pytest

from agent.errors import is_missing, not_read


def test_file_closed_to_this_user_is_reported_with_the_way_to_open_it() -> None:
    """The error does not ask to put it there once more."""
    closed = PermissionError(errno.EACCES, "Permission denied")

    told = str(not_read(Path("/etc/doorstep/fleet-ca.pem"), "the authority", closed))

    place = "/etc/doorstep/fleet-ca.pem"
    assert told == f"{place} cannot be read by this process's user: `chmod 0644 {place}`"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("there", False), ("gone", True), ("there/below", True), ("loop", False), (300 * "x", False)],
    ids=["there", "gone", "below a file", "a link to itself", "a name too long"],
)
def test_path_is_missing_only_if_nothing_is_there(
    tmp_path: Path, name: str, *, expected: bool
) -> None:
    """A path that cannot be looked at is not missing, because reading it will say why."""
    (tmp_path / "there").touch()
    (tmp_path / "loop").symlink_to("loop")

    assert is_missing(tmp_path / name) is expected
