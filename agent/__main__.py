"""The `doorstep` process."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # It takes most of the start.
    from agent import commandline  # noqa: PLC0415

    return commandline.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
