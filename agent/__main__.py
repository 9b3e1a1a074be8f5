"""The `doorstep` process; it imports little, so that Ctrl-C is answered from early on."""

import os
import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Without `arguments` they are the process's own, and so are the standard streams and Ctrl-C.
    """
    if arguments is None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until it is known how to end
        return _as_process()
    # Most of the start.
    from agent.command import commandline  # noqa: PLC0415

    return commandline.run(commandline.parse(arguments))


def _as_process() -> int:
    # As above.
    from agent.command import commandline  # noqa: PLC0415
    from agent.errors import ExitCode  # noqa: PLC0415
    from agent.process import streams  # noqa: PLC0415

    out = streams.outlast()
    try:
        parsed = commandline.parse(sys.argv[1:])
        _end_at_once(ExitCode.DONE if commandline.serves(parsed) else ExitCode.INTERRUPTED)
        code = commandline.run(parsed)
    except SystemExit as ended:  # of argparse, which has told why
        code = int(ended.code or 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to stop
    sys.stdout.flush()
    if out.error is None or isinstance(out.error, BrokenPipeError):
        return code
    print(f"doorstep: cannot write to standard output: {out.error.strerror}", file=sys.stderr)
    return code or ExitCode.FAULT


def _end_at_once(code: int) -> None:
    """Let Ctrl-C do what a power cut may do at any time, until a command catches it itself.

    KeyboardInterrupt may come up in the import of a C++ module, which aborts.
    """
    signal.signal(signal.SIGINT, lambda _kind, _frame: os._exit(code))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


if __name__ == "__main__":
    sys.exit(main())
