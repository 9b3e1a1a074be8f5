"""`python -m tests.bench.policy`: the rule beside its alternatives, where position and map err."""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Final

from tests.bench.energy.hours import BEFORE_PRESS_S, CARRIED_S, LASTS_S, LINGERS_S
from tests.bench.policy import labels, streaming, tally, wrong_maps
from tests.bench.policy.area import AREAS, NO_PHOTO_SHARE, SIGNATURE_SHARE, STOPS, Area
from tests.bench.policy.rules import RULES, STRANGERS
from tests.bench.policy.streaming import LINGER_S, Lift, Streaming
from tests.bench.policy.tally import Column, Row
from tests.bench.policy.warmth import WARM_S

STREAMING_ROUNDS: Final = 10
"""Each takes a second or more, since the rule is asked all the way; 24 gave the same hours."""

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

_CARRIED: Final = Lift(*CARRIED_S, walks=True)

LIFTS: Final = {
    **{f"{lasts_s:.0f} s": Lift(lasts_s, CARRIED_S[1]) for lasts_s in LASTS_S},
    f"{_CARRIED.lasts_s:.0f} s, and walks": _CARRIED,
    f"{_CARRIED.lasts_s:.0f} s, walks and drives": replace(_CARRIED, drives=True),
}
"""From a device that is put away at once to one that moves with the driver; nobody measured it."""

STREAMING_TOLD: Final = f"""
the camera streams, hours of a round; lingering: only because of a photo shortly before;
warm: % of photos whose exposure begins within {WARM_S} s of the press; waits, s: the mean
"""

LIFTS_TOLD: Final = f"""
the same with a motion sensor, by how long a lift lasts; streams: hours of a round, the least
and the most; then warm and waits, by the time from the lift to the press; lingers {LINGER_S:.0f} s
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
    _print_streaming(min(options.rounds, STREAMING_ROUNDS), options.seed)
    least = min(row.counts["forbidden"] for row in by_rule)
    print(f"\n{least:,} forbidden presses or more in each area, {time.monotonic() - began_s:.1f} s")


def _print_streaming(rounds: int, seed: int) -> None:
    print(STREAMING_TOLD)
    print(_line("area", "lingers, waits", "round", "streams", "lingering", "warm", "waits"))
    for linger_s in LINGERS_S:
        for one in streaming.rows(AREAS, rounds, seed, linger_s=linger_s):
            print(_line(one.area, f"{linger_s:.0f} s, {one.waits}", *_streaming(one)))
    print(LIFTS_TOLD)
    heads = (f"{before_s} s" for before_s in BEFORE_PRESS_S)
    print(_line("area", "a lift lasts", "streams", *heads))
    for area in AREAS:
        for name, lift in LIFTS.items():
            print(_line(area.name, name, *_lifted(area, rounds, seed, lift)))


def _lifted(area: Area, rounds: int, seed: int, lift: Lift) -> Iterator[str]:
    found = [
        streaming.rows([area], rounds, seed, lift=replace(lift, before_press_s=before_s))
        for before_s in BEFORE_PRESS_S
    ]
    hours = [one.all_h for pair in found for one in pair]
    yield f"{min(hours):.2f}-{max(hours):.2f}"
    for pair in found:
        yield f"{fmean(one.warm for one in pair):.0%} {fmean(one.wait_s for one in pair):.2f}"


def _streaming(one: Streaming) -> tuple[str, ...]:
    hours = (one.round_h, one.all_h, one.lingering_h)
    return (*(f"{value:.2f}" for value in hours), f"{one.warm:.1%}", f"{one.wait_s:.2f}")


def _print(kind: str, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    print(_line("area", kind, *(head for head, _ in columns)))
    for row in rows:
        print(_line(row.area, row.name, *(text(row) for _, text in columns)))


def _line(area: str, name: str, *figures: str) -> str:
    return f"{area:<9} {name:<27}" + "".join(f"{figure:>11}" for figure in figures)


if __name__ == "__main__":
    main()
