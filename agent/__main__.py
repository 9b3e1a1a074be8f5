"""The `doorstep` process; it imports little, so that Ctrl-C is answered from early on."""

import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Without `arguments` they are the process's own, and so are the standard streams and Ctrl-C.
    """
    if arguments is None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until it is known how to end
    # Most of the start.
    from agent.command import commandline  # noqa: PLC0415

    if arguments is None:
        return commandline.run_as_process(sys.argv[1:])
    return commandline.run(commandline.parse(arguments))


if __name__ == "__main__":
    sys.exit(main())
