"""What a failure ends a command with."""

import pytest

from agent.errors import ConfigError, NotGenuine, NotNow, StorageFault


@pytest.mark.parametrize("error", [NotGenuine, NotNow, StorageFault, ConfigError])
def test_every_failure_told_in_words_has_an_exit_code_of_the_contract(
    error: type[NotGenuine | NotNow | StorageFault | ConfigError],
) -> None:
    assert error.exit_code in {2, 65, 70, 75}
