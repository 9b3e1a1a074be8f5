"""Plays races on the engines that were chosen."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from doorstep_backend import keys
from doorstep_backend.engines import chosen, opening
from doorstep_backend.identity.commands import IdentityCommands
from tests.faults.races.pair import Pair, pair
from tests.faults.races.races import RACES, Site
from tests.support.demo_office import DemoOffice
from tests.support.device import environment
from tests.support.postgres import running_postgres

LATE_S: Final = 0.01
"""Largest head start of one process: a command of a few statements takes about as long."""


@dataclass(frozen=True)
class Tally:
    """The results of one race's rounds.

    Attributes:
        refused: rounds in which one of both was refused, in words.
        wrong: wrong ends, by what is wrong.
    """

    race: str
    rounds: int
    refused: int
    wrong: Counter[str]


@contextmanager
def engines(database: str, objects: str) -> Iterator[None]:
    """Start the chosen engines, and name them in the environment, which other processes inherit."""
    with ExitStack() as servers:
        named = {}
        if database == "postgresql":
            url = servers.enter_context(running_postgres(fsync=False)).url
            named = {opening.URL: url, opening.PER_FOLDER: "1"}
        if objects == "s3":
            from tests.support.s3 import s3_engine  # noqa: PLC0415 - boto3 loads for 0.3 s

            folder = Path(servers.enter_context(TemporaryDirectory(prefix="doorstep-s3-")))
            engine = servers.enter_context(s3_engine(folder / "engine", makes_buckets=True))
            named[chosen.PER_FOLDER] = engine.endpoint
        servers.enter_context(environment(**named))
        yield


def play(
    folder: Path, names: list[str], rounds: int, seed: int, *, locks: bool = True
) -> Iterator[Tally]:
    """Play each race so many times over a new backend in this folder."""
    demo_office = DemoOffice(folder)
    keys.certificates(folder / "ca")
    site = Site(demo_office, IdentityCommands.of(folder, demo_office.office))
    site.commands.documents.settle()
    with pair(folder, locks=locks) as both:
        for name in names:
            yield _tally(name, site, both, rounds, random.Random(seed))


def _tally(name: str, site: Site, both: Pair, rounds: int, rng: random.Random) -> Tally:
    refused, wrong = 0, Counter[str]()
    for number in range(rounds):
        deeds, judge = RACES[name](site, number)
        said = both.act(deeds, rng.uniform(-LATE_S, LATE_S))
        refused += not all(one.done for one in said)
        broke = next((f"it broke: {one.why}" for one in said if one.broke), "")
        if what := broke or judge(*said):
            wrong[what] += 1
    return Tally(name, rounds, refused, wrong)
