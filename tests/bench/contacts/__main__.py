"""`python -m tests.bench.contacts`: how often sync uses the network in a shift, with batches."""

import argparse
from typing import Final

from tests.bench.contacts.shift import shift
from tests.bench.policy.area import AREAS, STOPS

BATCHES_MINUTES: Final = (0, 5, 15, 30, 60)
"""Settings of `sync.batch_minutes` that are compared."""


def main() -> None:
    """Print a line for each setting."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.contacts", description=__doc__)
    parser.add_argument("--area", choices=[area.name for area in AREAS], default=AREAS[0].name)
    area = next(one for one in AREAS if one.name == parser.parse_args().area)
    print(f"{area.name}: {STOPS} presses, one every {area.pace_s:g} s, in 9 hours")
    print("batch min   requests   contacts   CPU ms each   route late s   radio mWh")
    for minutes in BATCHES_MINUTES:
        one = shift(minutes, area.pace_s)
        low, high = (1000 * wh for wh in one.energy_wh)
        print(
            f"{minutes:>9} {one.requests:>10} {one.contacts:>10} {one.cpu_ms:>13.1f} "
            f"{one.late_s:>14.0f} {low:>7.0f} to {high:.0f}"
        )


if __name__ == "__main__":
    main()
