"""`doorstep prune`: what it tells."""

from agent.trust.certain import Agreement
from agent.trust.store import KeptTime, TrustStore
from hardware.clock import BUILT
from hardware.clock_system import boot_id
from tests.support.device import empty_queue
from tests.unit.agent.command.inprocess import Ended, Terminal


def test_prune_says_whether_the_time_is_certain(terminal: Terminal) -> None:
    """An uncertain time is no fault."""
    empty_queue(terminal.device.folder)

    before = terminal.run("prune")
    known = KeptTime(BUILT, Agreement(boot_id(), BUILT, 0.0))
    TrustStore(terminal.device.layout).keep_time(known)

    assert before.code == 0
    assert before.out.startswith("0 records and 0 record labels deleted\n")
    assert "no receipt of this boot has agreed with the clock yet" in before.out
    assert terminal.run("prune") == Ended(0, "0 records and 0 record labels deleted\n")
