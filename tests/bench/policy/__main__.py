"""`python -m tests.bench.policy`: the rule beside its alternatives, where position and map err."""

import argparse
import time
from typing import Final

from tests.bench.policy import labels, stickers, streaming, tally
from tests.bench.policy.area import AREAS, NO_PHOTO_SHARE, SIGNATURE_SHARE, STOPS
from tests.bench.policy.tally import Row

HEADS: Final = (
    "area",
    "rule",
    "refused",
    "elsewhere",
    "forbidden",
    "scans",
    "one",
    "wrong",
    "ambiguous",
    "wrong",
    "unassigned",
    "by label",
)

LABEL_HEADS: Final = (
    "area",
    "a label",
    "shown",
    "used",
    "of before",
    "waiting",
    "refused",
    "waits",
    "second",
    "late",
    "forbidden",
)

STREAMING_ROUNDS: Final = 10
"""Each takes a second or more, since the rule is asked all the way; 24 gave the same hours."""


def main() -> None:
    """Walk the rounds and print the table."""
    options = _options()
    began_s = time.monotonic()
    rows = tally.rows(AREAS, options.rounds, options.seed)
    print(f"{options.rounds} rounds of {STOPS} stops in each area, seed {options.seed};")
    print(f"{NO_PHOTO_SHARE:.0%} take no photo, {SIGNATURE_SHARE:.0%} a signature.")
    print("refused: at doors that allow photos, per route; elsewhere: of those, code_elsewhere")
    print("forbidden: photos per 100 presses at doors that take none")
    print("scans, one, ambiguous, unassigned: per route; wrong: of those, bound to another stop")
    print("by label: per route, not confirmed by a position; for dispatch, as the two before\n")
    print(_line(HEADS))
    for row in rows:
        print(_line(_cells(row)))
    print("\na stranger's label at each door that takes no photo; per 100 presses there:\n")
    print(_line(("area", "whose", "photos", "shown")))
    for put_up in stickers.rows(AREAS, options.rounds, options.seed):
        shares = (f"{put_up.photos_pct:.1f}", f"{put_up.shown_pct:.1f}")
        print(_line((put_up.area, put_up.owner, *shares)))
    print("\nhow long a label speaks; photos by a label of another parcel, per 1,000 presses:")
    print("shown: its customer sees them; used: of these, it had bound its own parcel's photo;")
    print("of before: shown, by the rule until 2026.11.7; waiting: for dispatch, not shown")
    print("refused, waits, second, late: % of presses, of photos, of second parcels' photos whose")
    print("label was not read again, and of labels that were read; forbidden: as above\n")
    print(_line(LABEL_HEADS))
    spoken = labels.rows(AREAS, options.rounds, options.seed)
    for spoke in spoken:
        print(_line(_label_cells(spoke)))
    print(f"\n{min(row.presses for row in spoken):,} presses or more for each line")
    print("\nthe camera streams, hours of a round; lingering: only for the minute after a press:\n")
    print(_line(("area", "waits", "round", "streams", "lingering")))
    for one in streaming.rows(AREAS, min(options.rounds, STREAMING_ROUNDS), options.seed):
        hours = (f"{one.round_h:.2f}", f"{one.all_h:.2f}", f"{one.lingering_h:.2f}")
        print(_line((one.area, one.waits, *hours)))
    least = min(row.presses for row in rows)
    print(f"\n{least:,} forbidden presses or more in each area, {time.monotonic() - began_s:.1f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.policy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=4)
    return parser.parse_args()


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.area,
        row.rule,
        f"{row.refusals:.1f}",
        f"{row.elsewhere:.2f}",
        f"{row.forbidden_pct:.1f}",
        f"{row.scans:.1f}",
        f"{row.one:.1f}",
        f"{row.wrong_one_pct:.0f} %",
        f"{row.ambiguous:.1f}",
        f"{row.wrong_ambiguous_pct:.0f} %",
        f"{row.unassigned:.1f}",
        f"{row.unconfirmed:.1f}",
    )


def _label_cells(row: labels.Row) -> tuple[str, ...]:
    return (
        row.area,
        row.memory,
        f"{row.shown:.1f}",
        f"{row.used:.1f}",
        f"{row.of_before_pct:.1f} %",
        f"{row.waiting:.1f}",
        f"{row.refused_pct:.1f} %",
        f"{row.waits_pct:.1f} %",
        f"{row.second_waits_pct:.0f} %",
        f"{row.late_pct:.1f} %",
        f"{row.forbidden_pct:.1f}",
    )


def _line(cells: tuple[str, ...]) -> str:
    area, rule, *figures = cells
    return f"{area:<9} {rule:<27}" + "".join(f"{figure:>11}" for figure in figures)


if __name__ == "__main__":
    main()
