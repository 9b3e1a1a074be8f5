"""Where commands are struck: templates, cases, a backend, and the judgement of each case."""

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
from tests.faults.syscalls import oracle, struck, works
from tests.faults.syscalls.blows import Blow, Call, read_trace
from tests.faults.syscalls.works import WORKS
from tests.support.backend import Backend, running_backend
from tests.support.benchtop import Parts
from tests.support.device import Device, towards


@dataclass(frozen=True, slots=True)
class Struck:
    """One case.

    Attributes:
        missed: whether the blow came at another call than was meant.
        faults: the promises that are broken.
    """

    work: str
    blow: Blow
    missed: bool
    faults: list[str]


class Yard:
    """One worker's place.

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
        """What an unharmed run changes in the state folder, call by call."""
        with self._case(name) as van:
            ended = struck.run(partial(WORKS[name].act, van), self._folder / "trace")
            assert ended.code == WORKS[name].code, ended.said
            return read_trace(ended.trace, van.layout.state)

    def strike(self, name: str, blow: Blow) -> Struck:
        """One case, from the blow to the judgement."""
        work = WORKS[name]
        with self._case(name) as van:
            before = in_child(partial(oracle.states, van.layout))
            act = partial(work.act, van)
            ended = struck.run(act, self._folder / "trace", blow.words())
            missed = not oracle.struck(blow, ended, van.layout.state)
            faults = [] if missed else list(oracle.promised(work, blow, ended))
            judge = partial(oracle.survived, name, work, van, before, ended)
            faults += in_child(judge)
            if work.sends:
                again = struck.run(partial(main, ["sync", "--once", "--config", str(van.config)]))
                faults += oracle.sent(van, self._backend, again)
            return Struck(name, blow, missed, faults)

    @contextmanager
    def _case(self, name: str) -> Iterator[Device]:
        work, case = WORKS[name], self._folder / "case"
        if work.before is not None:
            shutil.copytree(self._templates / name / "state", case / "state")
        if work.sends:
            self._backend.set_switches(forget=True)
        keys = [str(self._backend.receipt_key_file), str(self._templates / "key.pem")]
        backend: dict[str, Any] = {**towards(self._backend), "receipt_keys": keys}
        try:
            yield works.device(work, case, backend=backend)
        finally:
            shutil.rmtree(case)


def prepare(templates: Path, names: Sequence[str]) -> None:
    """Make what was there before each work."""
    templates.mkdir()
    public = works.RECEIPT_KEY.public_key()
    (templates / "key.pem").write_bytes(signing.public_pem(public))
    for name in names:
        (templates / name).mkdir()
        in_child(partial(works.prepare, WORKS[name], templates / name))


@contextmanager
def yard(folder: Path, templates: Path) -> Iterator[Yard]:
    """A yard in `folder`, with its own backend."""
    with tempfile.TemporaryDirectory() as data, running_backend(Path(data)) as backend:
        yield Yard(folder, templates, backend)
