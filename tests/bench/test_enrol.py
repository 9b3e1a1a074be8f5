from pathlib import Path

import pytest

from tests.backend.identity.register import Register
from tests.bench import enrol, machine
from tests.bench.drain import requests_for_records
from tests.bench.rig import Rig
from tests.support.backend import Counted, running_backend


@pytest.mark.slow
@pytest.mark.alone
def test_each_contender_gets_its_two_certificates_each_time(tmp_path: Path) -> None:
    """A run that was refused halfway would be quick."""
    with running_backend(tmp_path / "backend", identity=True) as backend:
        rig = Rig(tmp_path, backend, is_quick=True)

        rows = enrol.measure(rig)

        asked = backend.counts()
        devices = Register(backend.data).devices()
    assert [len(row.samples) for row in rows] == [rig.enrolments] * 3
    assert rows[0].at_most == 5.0
    assert len(devices) == 2 * rig.enrolments
    assert {len(one.certificates) for one in devices} == {2}
    assert asked.est_requests == 2 * len(devices)
    assert asked.by_method == {"GET /fleet": len(devices)}


@pytest.mark.slow
@pytest.mark.alone
def test_new_connections_are_measured_with_a_certificate_and_resumed(tmp_path: Path) -> None:
    """As many of each kind; one that was to be resumed and was not ends the run."""
    with running_backend(tmp_path / "backend", identity=True) as backend:
        rows = machine.measure(Rig(tmp_path, backend, is_quick=True))

    found = {row.name: len(row.samples) for row in rows if row.name.startswith("new connection, ")}
    names = ("no certificate", *machine.SHOWN_ONES)
    assert found == {f"new connection, {name}": machine.HANDSHAKES for name in names}


def test_requests_for_documents_are_none_of_a_records() -> None:
    """They go by the clock: a drain of ten records asks for the fleet document as often as one."""
    by_method = {"POST /files": 10, "GET /fleet": 2, "GET /manifest": 1}
    counts = Counted(13, 1, 0, by_method, est_requests=3)

    assert requests_for_records(counts) == 10
