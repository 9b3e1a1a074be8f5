"""Parts that several commands share: the queue, and the user of the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.command.shared import owner_of
from agent.errors import StorageFault
from tests.support.device import REPOSITORY
from tests.support.factory import queue
from tests.unit.agent.command.inprocess import Terminal


@pytest.mark.parametrize(("words", "code"), [(["status"], 0), (["queue"], 75), (["prune"], 75)])
def test_command_says_to_start_capture_before_it_ever_ran(
    terminal: Terminal, words: list[str], code: int
) -> None:
    """A status is an answer in any case; a list that does not exist yet is not."""
    ended = terminal.run(*words)

    assert ended.code == code
    assert "`doorstep capture` first" in ended.out + ended.err  # a long path shortens the rest
    assert not terminal.device.layout.state.exists()


BECOME_OWNER = """
import os, sys
from pathlib import Path
from agent.command.shared import become, owner_of
become(owner_of(*map(Path, sys.argv[1:])))
print(os.geteuid(), os.getegid(), os.getgroups())
"""


def becomes(folder: Path, state: Path) -> str:
    """Return the user of root's process after it, in another process: there is no way back."""
    if os.geteuid() != 0:
        pytest.fail("only root can become somebody else; run this test as root")
    words: list[str | Path] = [sys.executable, "-c", BECOME_OWNER, folder, state]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_command_runs_as_the_owner_of_its_place_if_root_starts_it(tmp_path: Path) -> None:
    """Otherwise files of root's get into the state, and the capture process stumbles over them."""
    layout, database, _ = queue(tmp_path)
    database.close()
    capture, sync = 54_321, 54_322  # nobody's, as on a card of another machine
    for folder in (layout.state, layout.queue):
        os.chown(folder, capture, capture)
    os.chown(layout.sync_keys, sync, capture)

    assert becomes(layout.queue, layout.state) == f"{capture} {capture} [{capture}]"
    assert becomes(layout.sync_keys, layout.state) == f"{sync} {capture} [{capture}]"


@pytest.mark.slow
def test_a_link_is_not_followed_to_its_owner(tmp_path: Path) -> None:
    """A link is another user's claim about the owner."""
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 54_321, 54_321)
    (tmp_path / "link").symlink_to(tmp_path / "theirs")

    with pytest.raises(StorageFault, match="link: not a folder"):
        owner_of(tmp_path / "link", tmp_path)


def test_root_stays_root_if_it_owns_the_queue(tmp_path: Path) -> None:
    layout, database, _ = queue(tmp_path)
    database.close()

    assert owner_of(layout.queue, layout.state) is None
    assert owner_of(layout.state / "gone", layout.state) is None
    assert owner_of(tmp_path / "nowhere" / "queue", tmp_path / "nowhere") is None
