"""What a failure ends a command with."""

import errno
from pathlib import Path

import pytest

from agent.errors import ConfigError, NotGenuine, NotNow, StorageFault, not_read


@pytest.mark.parametrize("error", [NotGenuine, NotNow, StorageFault, ConfigError])
def test_every_failure_told_in_words_has_an_exit_code_of_the_contract(
    error: type[NotGenuine | NotNow | StorageFault | ConfigError],
) -> None:
    assert error.exit_code in {2, 65, 70, 75}


def test_file_that_is_closed_to_this_user_is_told_so_and_how_it_is_opened() -> None:
    """Nobody is told to put it there once more."""
    closed = PermissionError(errno.EACCES, "Permission denied")

    told = str(not_read(Path("/etc/doorstep/fleet-ca.pem"), "the authority", closed))

    place = "/etc/doorstep/fleet-ca.pem"
    assert told == f"{place} cannot be read by this process's user: `chmod 0644 {place}`"
