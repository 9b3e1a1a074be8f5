"""`python -m tests.bench.energy`: what a shift costs, how long a pack lasts, what saves energy."""

import argparse

from tests.bench.energy import tables
from tests.bench.energy.boards import TUNED
from tests.bench.energy.shift import SHIFT_H
from tests.bench.energy.tables import SUBURB, WAYS


def main() -> None:
    """Print the tables, and the figure to measure first."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.energy", description=__doc__)
    parser.parse_args()
    for rows in tables.TABLES:
        _print(list(rows()))
    print(f"\nmeasure first: W streaming minus W stopped; {_first()}")


def _print(rows: list[tuple[str, ...]]) -> None:
    """Print rows in columns, without their sources and the page's marks."""
    if rows[0][-1] == "source":
        rows = [row[:-1] for row in rows]
    rows = [tuple(cell.replace("**", "") for cell in row) for row in rows]
    print()
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  " + "  ".join(cells).rstrip())


def _first() -> str:
    """Return why that figure is the first one: how much of a shift's estimate hangs on it."""
    streams_h = WAYS[SUBURB].high
    spread_wh = streams_h * (TUNED.streaming.adds_w.high - TUNED.streaming.adds_w.low)
    waits_wh = SHIFT_H * (TUNED.waits_w.high - TUNED.waits_w.low)
    return (
        f"its estimates differ by {spread_wh:.1f} Wh in a shift in the suburb, "
        f"those of waiting by {waits_wh:.1f} Wh"
    )


if __name__ == "__main__":
    main()
