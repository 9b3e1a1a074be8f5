"""Runs the machine over a backend and a network."""

import gc
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Final

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.sequences.machine import Machine
from tests.support.backend import running_backend
from tests.support.device import environment
from tests.support.faketime import following, put_ahead
from tests.support.network import FaultProxy

KEEPS: Final = "[retention]\nphoto_days = 3650\nvoid_days = 3650\ntest_days = 3650\n"
"""The backend erases nothing: weeks pass in each order."""

PER_SEED: Final = 10
"""Orders from one seed. Hypothesis repeats itself more, the more it makes of one."""


def run(folder: Path, *, examples: int, steps: int, seed: int) -> Counter[str]:
    """Try `examples` orders of up to `steps` rules; the same ones each time for one seed.

    Returns what they came to, and how often.
    Raises what the first broken promise raised, with the shortest order that breaks it.
    """
    chosen = settings(
        max_examples=min(examples, PER_SEED),
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    Machine.seen.clear()
    for number in range(seed, seed + ceil(examples / PER_SEED)):
        with _world(folder / str(number)), _quiet():
            run_state_machine_as_test(hypothesis.seed(number)(Machine), settings=chosen)
    return Machine.seen


@contextmanager
def _world(folder: Path) -> Iterator[None]:
    """A backend, new for each seed: its fleet document has room for so many keys only."""
    data, ahead = folder / "backend", folder / "ahead"
    data.mkdir(parents=True)
    (data / "backend.toml").write_text(KEEPS)
    put_ahead(ahead, 0.0)
    with (
        environment(**following(ahead)),
        running_backend(data, identity=True) as backend,
        FaultProxy(("127.0.0.1", backend.port)) as proxy,
    ):
        Machine.server, Machine.proxy = backend, proxy
        Machine.folder, Machine.ahead = folder, ahead
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """A thousand devices tell of their misfortunes.

    And urllib3 drops the socket of a connection that was reset before its handshake, unclosed.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed <ssl.SSLSocket", ResourceWarning)
        try:
            yield
        finally:
            gc.collect()
            logging.disable(before)
