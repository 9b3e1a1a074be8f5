"""The two instances that a round sends requests to, over one folder and one PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from doorstep_backend.engines.postgres import close_pools
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.store import Store
from tests.faults.races.play import engines
from tests.support.backend import Backend


@dataclass(frozen=True)
class Pair:
    """Two instances, and the office beside them."""

    one: Backend
    two: Backend
    office: Office


@contextmanager
def running_pair(objects: str = "folder") -> Iterator[Pair]:
    """Run both instances over a new folder, and stop them with the block.

    Args:
        objects: where records are, `folder` or `s3`.
    """
    with engines("postgresql", objects), TemporaryDirectory() as folder:
        data = Path(folder) / "backend"
        instances = [Backend(data, switches=True) for _ in range(2)]
        try:
            for one in instances:
                one.start()
            office = open_office(Store(data))
            demo.settle(office)
            yield Pair(instances[0], instances[1], office)
        finally:
            for one in instances:
                one.kill()
            close_pools()


def at_once(*acts: Callable[[], object]) -> None:
    """Run all of these, each in a thread of its own; raise any error that one raised."""
    with ThreadPoolExecutor(len(acts)) as pool:
        for begun in [pool.submit(act) for act in acts]:
            begun.result()
