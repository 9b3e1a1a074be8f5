"""The end of the process."""

from agent.capture.duties import END_AFTER_S, ProcessEnding
from agent.errors import ExitCode


def test_first_of_two_reasons_to_end_counts_with_its_time_and_code() -> None:
    """A camera failed, and then the battery is empty: systemd must start the process again."""
    ending = ProcessEnding()
    ending.begin(ExitCode.FAULT, 0)
    ending.begin(ExitCode.DONE, 10**9)

    assert ending.exit_code is ExitCode.FAULT
    assert ending.is_due(int(END_AFTER_S * 1e9))
