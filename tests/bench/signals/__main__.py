"""`python -m tests.bench.signals`: how many pairs of signals are alike, by each sense."""

from math import comb

from tests.bench.signals import (
    ANSWERS,
    COMPARED,
    FAR_ENOUGH,
    LEAST_MS,
    SENSES,
    SIGHTS,
    SLIP_MS,
    alike,
    colour,
    distance,
)


def main() -> None:
    """Print how many pairs are alike by each sense, and how far the colours of those are."""
    for slip_ms in (0, SLIP_MS):
        print(f"differ for less than {LEAST_MS} ms in the first second, with {slip_ms} ms of slip:")
        for sense in SENSES:
            signals = COMPARED if sense == "light" else ANSWERS
            found = alike(signals, sense, slip_ms)
            pairs = "".join(f"\n    {one} and {other}" for one, other in found)
            of = f"{comb(len(signals), 2)} pairs of {len(signals)} signals"
            print(f"  {sense}: {len(found)} of {of}{pairs}")
    print(f"distance of colours that share a rhythm, at least {FAR_ENOUGH:.0f}:")
    for one, other in alike(COMPARED, "light"):
        for sight in SIGHTS:
            far = distance(colour(one), colour(other), sight)
            print(f"  {one} and {other}, {sight}: {far:.0f}")


if __name__ == "__main__":
    main()
