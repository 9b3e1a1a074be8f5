"""`scripts/test --mutants [MODULE]...` changes the product a little, to see if a test fails."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.mutants import sample
from tests.mutants.naming import Mutant, module_of
from tests.mutants.sample import Outcome

PACKAGES: Final = ("rule", "trust", "queue", "wire", "identity", "sync", "record", "capture")
"""The packages of `agent/` that the rig tries."""

PURE: Final = (
    "camera",
    "change_detector",
    "clock",
    "debounce",
    "firmware",
    "floor",
    "patterns",
    "picamera2_frames",
    "settings_toml",
)
"""The modules of `hardware/` that have functions and need no device, clock or network."""

TESTS: Final = ("tests/unit/agent", "tests/unit/hardware", "tests/contracts")
"""Folders of the fast tests of these modules."""


def main() -> int:
    """Try the sample; return 1 if a mutant was killed when recorded, and is not killed now."""
    options = _options()
    modules = _modules(options.modules)
    recorded = sample.read()
    began_s = time.monotonic()
    with TemporaryDirectory(prefix="doorstep-mutants-") as folder:
        copy = Path(folder)
        _copy_repository(copy)
        tried, gone = _prepare(copy, modules, recorded)
        tests = sorted({_own_tests(one) for one in modules}) if options.own_tests else list(TESTS)
        outcomes = _outcomes(copy, tried, tests, began_s + options.minutes * 60)
    lost = [] if options.own_tests else sample.lost(recorded, outcomes)
    _print_table(outcomes, time.monotonic() - began_s)
    _print_list("no longer in the code", gone)
    _print_list("killed when the sample was recorded, and not now", lost)
    if options.survivors:
        for outcome in (Outcome.SURVIVED, Outcome.UNDECIDED, Outcome.NO_TEST):
            _print_list(outcome, sorted(one for one, end in outcomes.items() if end is outcome))
    if options.record:
        others = {one: end for one, end in recorded.items() if one.module not in modules}
        sample.write(others | sample.settled(recorded, outcomes, all_tests=not options.own_tests))
    return 1 if lost and not options.record else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/test --mutants",
        description="Change one small thing in a copy of the product, run the fast tests that "
        "reach it, and repeat for each mutant of the committed sample.",
        epilog="Example: scripts/test --mutants agent.sync.backoff --survivors",
    )
    parser.add_argument(
        "modules",
        nargs="*",
        metavar="MODULE",
        help="only these modules or packages, dotted (default: all)",
    )
    parser.add_argument(
        "--survivors", action="store_true", help="list each mutant that no test kills"
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="write the outcomes into the sample, with a sample of each module that has none",
    )
    parser.add_argument(
        "--own-tests",
        action="store_true",
        help="run only the tests in the folder of the same package, and record only what they "
        "kill, because other tests may kill the rest",
    )
    parser.add_argument(
        "--minutes", type=float, default=45, help="begin no mutant after this time (default: 45)"
    )
    options = parser.parse_args()
    for name in options.modules:
        if not _modules([name]):
            parser.error(f"{name}: no module or package that is tried, such as agent.sync.backoff")
    return options


def _modules(names: list[str]) -> list[str]:
    """Return the modules of these names or packages; all, if there are no names."""
    known = (module_of(path) for path in _paths())
    return [
        module
        for module in known
        if not names or any(f"{module}.".startswith(f"{name}.") for name in names)
    ]


def _paths() -> list[Path]:
    agent = (path for name in PACKAGES for path in sorted(Path("agent", name).rglob("*.py")))
    hardware = (Path("hardware", f"{name}.py") for name in PURE)
    return [path for path in (*agent, *hardware) if path.stat().st_size]


def _copy_repository(copy: Path) -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, text=True).split("\0"):
        if name and Path(name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, copy / name)


def _prepare(
    copy: Path, modules: list[str], recorded: dict[Mutant, Outcome]
) -> tuple[dict[Mutant, str], list[Mutant]]:
    """Write the mutated modules; return mutmut's names of the sample, and the mutants not found."""
    from tests.mutants import found  # noqa: PLC0415 - --help works without mutmut

    tried: dict[Mutant, str] = {}
    known = set(_modules([]))
    gone = [one for one in recorded if one.module not in known]
    for path in _paths():
        if (module := module_of(path)) not in modules:
            continue
        read = found.read(path)
        wanted = [one for one in recorded if one.module == module]
        wanted = wanted or sample.chosen(module, read.mutations)
        gone += [one for one in wanted if one not in read.mutations]
        code, names = read.code_with(set(wanted))
        (copy / path).write_text(code)
        tried |= names
    return tried, gone


def _own_tests(module: str) -> str:
    """Return the folder that mirrors the module's package."""
    return "/".join(("tests/unit", *module.split(".")[: 2 if module.startswith("agent.") else 1]))


def _outcomes(
    copy: Path, tried: dict[Mutant, str], tests: list[str], until_s: float
) -> dict[Mutant, Outcome]:
    names, outcomes = copy / "mutants.json", copy / "outcomes.json"
    names.write_text(json.dumps(list(tried.values())))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutants.trials"]
    command += ["--mutants", str(names), str(outcomes), "--mutants-until-s", str(until_s)]
    command += ["-p", "no:cacheprovider"]
    command += ["--assert=plain", "--tb=native"]  # explaining a failure takes longer than the test
    command += ["-m", "not slow and not device and not provision", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy)}
    subprocess.run(command, cwd=copy, env=environment, stdout=subprocess.DEVNULL, check=False)
    ended = json.loads(outcomes.read_text())
    return {one: Outcome(ended.get(name, Outcome.OPEN)) for one, name in tried.items()}


def _print_table(outcomes: dict[Mutant, Outcome], took_s: float) -> None:
    rows: dict[str, Counter[Outcome]] = {}
    for one, outcome in outcomes.items():
        rows.setdefault(one.module.rpartition(".")[0], Counter())[outcome] += 1
    print(f"{'package':<16}{'mutants':>9}" + "".join(f"{name:>11}" for name in Outcome))
    for package, ends in [*sorted(rows.items()), ("all", Counter(outcomes.values()))]:
        print(f"{package:<16}{ends.total():>9}" + "".join(f"{ends[name]:>11}" for name in Outcome))
    print(f"{took_s / 60:.1f} minutes; each mutant and its recorded end: tests/mutants/sample.tsv")


def _print_list(heading: str, mutants: list[Mutant]) -> None:
    if mutants:
        print(f"\n{heading}:")
        print("\n".join(f"  {one}" for one in mutants))


if __name__ == "__main__":
    sys.exit(main())
