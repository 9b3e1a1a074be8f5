"""The harness of the rig: templates, cases, a backend, and the judgement of each case."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agent.__main__ import main
from agent.record import signing
from tests.faults.powercut.forked import in_child
from tests.faults.syscalls import oracle, scenarios, traced
from tests.faults.syscalls.injections import Call, Injection, read_trace
from tests.faults.syscalls.scenarios import SCENARIOS
from tests.support.backend import Backend, running_backend
from tests.support.benchtop import Parts
from tests.support.device import Device, towards


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a case.

    Attributes:
        missed: whether the injection came at another call than was meant.
        faults: the promises that are broken.
    """

    work: str
    injection: Injection
    missed: bool
    faults: list[str]


class Harness:
    """The place of a worker.

    Args:
        folder: cases are made and deleted in it.
        templates: what was there before each work, as `prepare` made it.
        backend: takes in what is sent; forgets it before each case.
    """

    def __init__(self, folder: Path, templates: Path, backend: Backend) -> None:
        self._folder = folder
        self._templates = templates
        self._backend = backend
        folder.mkdir()
        Parts()  # draws the picture of the bench, once for all children

    def calls(self, name: str) -> list[Call]:
        """Return each call by which an unharmed run changes the state folder."""
        with self._case(name) as van:
            ended = traced.run(partial(SCENARIOS[name].act, van), self._folder / "trace")
            assert ended.code == SCENARIOS[name].code, ended.said
            return read_trace(ended.trace, van.layout.state)

    def inject(self, name: str, injection: Injection) -> Outcome:
        """Run one case, from the injection to the judgement."""
        work = SCENARIOS[name]
        with self._case(name) as van:
            before = in_child(partial(oracle.states, van.layout))
            act = partial(work.act, van)
            ended = traced.run(act, self._folder / "trace", injection.words())
            missed = not oracle.was_hit(injection, ended, van.layout.state)
            faults = [] if missed else list(oracle.promised(work, injection, ended))
            judge = partial(oracle.survived, name, work, van, before, ended)
            faults += in_child(judge)
            if work.sends:
                again = traced.run(partial(main, ["sync", "--once", "--config", str(van.config)]))
                faults += oracle.sent(van, self._backend, again)
            return Outcome(name, injection, missed, faults)

    @contextmanager
    def _case(self, name: str) -> Iterator[Device]:
        work, case = SCENARIOS[name], self._folder / "case"
        if work.before is not None:
            shutil.copytree(self._templates / name / "state", case / "state")
        if work.sends:
            self._backend.set_switches(forget=True)
        keys = [str(self._backend.receipt_key_file), str(self._templates / "key.pem")]
        backend: dict[str, Any] = {**towards(self._backend), "receipt_keys": keys}
        try:
            yield scenarios.device(work, case, backend=backend)
        finally:
            shutil.rmtree(case)


def prepare(templates: Path, names: Sequence[str]) -> None:
    """Make what was there before each work."""
    templates.mkdir()
    public = scenarios.RECEIPT_KEY.public_key()
    (templates / "key.pem").write_bytes(signing.public_pem(public))
    for name in names:
        (templates / name).mkdir()
        in_child(partial(scenarios.prepare, SCENARIOS[name], templates / name))


@contextmanager
def harness(folder: Path, templates: Path) -> Iterator[Harness]:
    """Yield a harness in `folder`, with its own backend."""
    with tempfile.TemporaryDirectory() as data, running_backend(Path(data)) as backend:
        yield Harness(folder, templates, backend)
