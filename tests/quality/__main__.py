"""`python -m tests.quality`: blur on real photographs, before and now."""

from tests.quality import judging, table
from tests.quality.photographs import PLACES


def main() -> None:
    """Judge every photograph, spoilt in every way, and print the tables."""
    print("\n".join(table.lines(list(judging.judged(PLACES, judging.ALL)))))


if __name__ == "__main__":
    main()
