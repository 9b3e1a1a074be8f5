"""`python -m tests.faults.fuzz`: mutated inputs for each parser of foreign bytes, with limits.

A finding is an exception that the parser does not document, more than 0.5 s of processor time, or
more than 50 MB above the decoded picture. Ends with 1 if there is one; its input is kept.
"""

import argparse
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.faults.fuzz.child import mutator
from tests.faults.fuzz.limits import Limits
from tests.faults.fuzz.parsers import PARSERS
from tests.faults.fuzz.rig import Finding, Seen, run

INPUTS: Final = 10_000


def main() -> int:
    """Run them, or repeat one input; print a line for each parser, and each finding."""
    words = _arguments()
    names = words.parser or list(PARSERS)
    if words.input is not None:
        return _repeat(names[0], words.input.read_bytes())
    if words.number is not None:
        return _repeat(names[0], mutator(PARSERS[names[0]]).make(words.seed, words.number))
    began_s = time.monotonic()
    print(f"{'parser':18}{'inputs':>8}{'findings':>10}{'slowest ms':>12}{'most MB':>9}", flush=True)
    seen = run(
        names,
        words.seed,
        words.inputs,
        until_s=words.seconds,
        on_end=lambda name, one: _print(name, one, words.seed),
    )
    inputs, found = (sum(counts) for counts in zip(*map(_counts, seen.values()), strict=True))
    took_s = time.monotonic() - began_s
    print(f"{inputs} inputs, {found} findings, seed {words.seed}, {took_s:.0f} s")
    print(f"repeat one: scripts/test --fuzz PARSER --seed {words.seed} --number NUMBER")
    return 1 if found else 0


def _counts(seen: Seen) -> tuple[int, int]:
    return seen.inputs, len(seen.findings)


def _print(name: str, seen: Seen, seed: int) -> None:
    slowest, most = f"{seen.slowest_ms:.1f}", f"{seen.most_mb:.1f}"
    counts = f"{seen.inputs:>8}{len(seen.findings):>10}{slowest:>12}{most:>9}"
    print(f"{name:18}{counts}   slowest: {seen.slowest}, most: {seen.most}", flush=True)
    for each in seen.findings.values():
        print(_kept(name, each, seed), flush=True)


def _kept(name: str, finding: Finding, seed: int) -> str:
    """Write a finding's input into a file; say where, and how to repeat it."""
    folder = Path(tempfile.gettempdir()) / "doorstep-fuzz"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{seed}-{finding.number}"
    path.write_bytes(mutator(PARSERS[name]).make(seed, finding.number))
    where = f" in {finding.place}" if finding.place else ""
    again = f"scripts/test --fuzz {name} --input {path}"
    return f"FOUND {name} {finding.number}: {finding.fault}{where}\n    {again}"


def _repeat(name: str, content: bytes) -> int:
    """Parse one input here, with the traceback of whatever it raises."""
    parser = PARSERS[name]
    for sample in mutator(parser).samples:
        with suppress(Exception):
            parser.parse(sample)
    found = Limits().measure(parser.parse, (Exception,), content, parser.picture(content))
    print(f"{name}: {len(content)} bytes, {found.ms:.1f} ms, {found.mb:.1f} MB {found.fault}")
    try:
        parser.parse(content)
    except parser.documented as error:
        print(f"documented: {type(error).__name__}: {error}")
    return 1 if found.fault else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/test --fuzz", description=__doc__)
    parser.add_argument("parser", nargs="*", metavar="PARSER", help="only these (all)")
    parser.add_argument(
        "--inputs", type=int, default=INPUTS, metavar="N", help=f"for each parser ({INPUTS})"
    )
    parser.add_argument(
        "--seconds", type=float, default=1e9, metavar="S", help="at most, for each parser (no end)"
    )
    parser.add_argument("--seed", type=int, default=1, help="chooses the mutations (1)")
    parser.add_argument("--number", type=int, metavar="N", help="repeat this input of one parser")
    parser.add_argument(
        "--input", type=Path, metavar="FILE", help="parse this file with one parser"
    )
    words = parser.parse_args()
    if unknown := sorted({*words.parser} - {*PARSERS}):
        parser.error(f"{unknown[0]} is no parser; there are {', '.join(PARSERS)}")
    return words


if __name__ == "__main__":
    sys.exit(main())
