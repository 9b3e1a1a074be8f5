"""`python -m tests.bench.retries`: 5,000 devices come back, beside a back-off without jitter."""

import argparse

from tests.bench.retries import BACKOFFS, DEVICES, SCENARIOS, peaks


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.bench.retries", description=__doc__).parse_args()
    print(f"{DEVICES} devices: first tries in the busiest second (all requests)")
    print(f"{'':<32}" + "".join(f"{name:>16}" for name in BACKOFFS))
    for name in SCENARIOS:
        cells = ("{} ({})".format(*peaks(name, backoff)) for backoff in BACKOFFS.values())
        print(f"{name:<32}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
