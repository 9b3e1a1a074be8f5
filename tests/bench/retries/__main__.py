"""`python -m tests.bench.retries`: 5,000 devices come back, beside other ways to retry."""

import argparse

from tests.bench.retries.scenarios import AGENTS, BACKOFFS, SCENARIOS, peaks


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.bench.retries", description=__doc__).parse_args()
    print(f"{AGENTS} devices: first tries in the busiest second (all requests)")
    print(f"{'':<32}" + "".join(f"{name:>16}" for name in BACKOFFS))
    for scenario in SCENARIOS:
        found = [peaks(scenario, backoff) for backoff in BACKOFFS.values()]
        cells = (f"{one.first} ({one.all})" for one in found)
        print(f"{scenario.name:<32}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
