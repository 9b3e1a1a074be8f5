"""`python -m tests.bench.policy`: the rule beside its alternatives, where position and map err."""

import argparse
import time
from collections.abc import Iterable, Sequence
from typing import Final

from tests.bench.policy import labels, tally, wrong_maps
from tests.bench.policy.area import AREAS, NO_PHOTO_SHARE, SIGNATURE_SHARE, STOPS
from tests.bench.policy.rules import RULES, STRANGERS
from tests.bench.policy.tally import Column, Row

RULES_TOLD: Final = f"""\
{NO_PHOTO_SHARE:.0%} take no photo, {SIGNATURE_SHARE:.0%} a signature.
refused: at doors that allow photos, per route; elsewhere: of those, code_elsewhere
forbidden: photos per 100 presses at doors that take none
by label: per route, not confirmed by a position; for dispatch
"""

STRANGERS_TOLD: Final = """
a stranger's label at each door that takes no photo; per 100 presses there:
"""

LABELS_TOLD: Final = """
how long a label speaks; photos by a label of another parcel, per 1,000 presses:
shown: its customer sees them; used: of these, it had bound its own parcel's photo;
waiting: for dispatch, not shown
refused, waits, second, late: % of presses, of photos, of second parcels' photos whose
label was not read again, and of labels that were read; forbidden: as above
"""

WRONG_MAPS_TOLD: Final = f"""
a map that has exchanged {wrong_maps.WRONG:.0%} of the buildings with a neighbour, by the share of
customers who report; strangers' photos that a customer can see, per 1,000 presses and in
% of the first; {wrong_maps.TIMES} times as many rounds
"""


def main() -> None:
    """Walk the rounds and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.policy", description=__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        default=50,
        help="rounds for each row of the tables (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=4, help="seed of the random numbers (default: %(default)s)"
    )
    options = parser.parse_args()
    walked, began_s = (AREAS, options.rounds, options.seed), time.monotonic()
    print(f"{options.rounds} rounds of {STOPS} stops in each area, seed {options.seed};")
    print(RULES_TOLD)
    by_rule = tally.rows(*walked).values()
    _print("rule", tally.COLUMNS, (row for row in by_rule if row.name in RULES))
    print(STRANGERS_TOLD)
    _print("whose", tally.STRANGERS_COLUMNS, (row for row in by_rule if row.name in STRANGERS))
    print(LABELS_TOLD)
    by_label = labels.rows(*walked).values()
    _print("a label", labels.COLUMNS, by_label)
    print(f"\n{min(row.counts['presses'] for row in by_label):,} presses or more for each line")
    print(WRONG_MAPS_TOLD)
    _print("customers", wrong_maps.COLUMNS, wrong_maps.rows(*walked).values())
    least = min(row.counts["forbidden"] for row in by_rule)
    print(f"\n{least:,} forbidden presses or more in each area, {time.monotonic() - began_s:.1f} s")


def _print(kind: str, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    print(_line("area", kind, *(head for head, _ in columns)))
    for row in rows:
        print(_line(row.area, row.name, *(text(row) for _, text in columns)))


def _line(area: str, name: str, *figures: str) -> str:
    return f"{area:<9} {name:<27}" + "".join(f"{figure:>11}" for figure in figures)


if __name__ == "__main__":
    main()
