"""`python -m tests.backend.copies`: what is blurred and what is missed, as tables."""

import argparse

from doorstep_backend.copies.faces import FaceFinder
from tests.backend.copies import measuring


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.backend.copies", description=__doc__).parse_args()
    for line in measuring.lines(FaceFinder()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
