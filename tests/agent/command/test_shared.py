"""What several commands share: the queue, and whose process it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.command.shared import become_owner, open_queue
from agent.config import load
from agent.errors import NotNow
from agent.queue.paths import Layout
from tests.agent.command.inprocess import run
from tests.support.device import REPOSITORY, Device
from tests.support.factory import queue


@pytest.mark.parametrize(("words", "code"), [(["status"], 0), (["queue"], 75), (["prune"], 75)])
def test_before_capture_ever_ran_a_command_says_to_start_it(
    device: Device, capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    """A status is an answer in any case; a list that does not exist yet is none."""
    assert run(device, *words) == code
    told = capsys.readouterr()
    assert "start `doorstep capture` first" in told.out + told.err
    assert not device.layout.state.exists()


def test_other_processes_wait_for_the_queue_that_capture_makes(tmp_path: Path) -> None:
    config = load(Device(tmp_path).config)

    with (
        open_queue(config) as outbox,
        pytest.raises(NotNow, match="start `doorstep capture`"),
    ):
        outbox.counts()


BECOME_OWNER = """
import os, sys
from pathlib import Path
from agent.command.shared import become_owner
from agent.queue.paths import Layout
become_owner(Layout(Path(sys.argv[1]), Path(sys.argv[2])))
print(os.geteuid(), os.getegid(), os.getgroups())
"""


@pytest.mark.slow
def test_as_root_a_command_goes_on_as_the_owner_of_the_queue(tmp_path: Path) -> None:
    """Else files of root's get into the state, and the capture process stumbles over them."""
    if os.geteuid() != 0:
        pytest.fail("only root can become somebody else; run this test as root")
    layout, database, _ = queue(tmp_path)
    database.close()
    owner = 54_321  # nobody's, as on a card of another machine
    os.chown(layout.database, owner, owner)

    told = subprocess.run(
        [sys.executable, "-c", BECOME_OWNER, layout.state, layout.run],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == f"{owner} {owner} [{owner}]\n"


def test_where_root_owns_the_queue_root_stays_root(tmp_path: Path) -> None:
    layout, database, _ = queue(tmp_path)
    database.close()
    before = os.geteuid()

    become_owner(layout)
    become_owner(Layout(tmp_path / "nowhere", tmp_path / "run"))

    assert os.geteuid() == before
