"""Ask the test that runs a backend to act: `python -m tests.conformance.operators SOCKET VERB`."""

import sys
from multiprocessing.connection import Client


def main() -> int:
    """Return 0 once it is done, and 75, with a reason on standard output, if it cannot be done."""
    socket, *words = sys.argv[1:]
    with Client(socket, "AF_UNIX") as line:
        line.send(words)
        code, text = line.recv()
    print(text)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
