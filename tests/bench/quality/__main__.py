"""`python -m tests.bench.quality`: blur on real photographs, before and now."""

import argparse

from tests.bench.quality import judging, table
from tests.bench.quality.photographs import PLACES
from tests.support import needs


def main() -> None:
    """Judge every photograph, spoilt in every way, and print the tables."""
    argparse.ArgumentParser(prog="python -m tests.bench.quality", description=__doc__).parse_args()
    needs.check("mate")
    print("\n".join(table.lines(list(judging.judged(PLACES, judging.ALL)))))


if __name__ == "__main__":
    main()
