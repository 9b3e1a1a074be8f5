"""`scripts/test --fresh` on a machine that cannot build a fresh one, and when it is interrupted."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.waiting import until
from tests.unit.documents.pages import REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as building"),
]

SLEEPS: Final = "#!/bin/sh\necho $$ >$STARTED\nsleep 60\n"
BUILDS: Final = """#!/bin/sh
echo >>$STARTED
for one; do root=$before before=$one; done
sleep 1
mkdir $root
"""
"""An empty system, in which the next step fails. The root is the last word but one."""

FAILS: Final = "#!/bin/sh\necho 'E: the mirror does not answer' >&2\nexit 1\n"


def fresh(folder: Path, mmdebstrap: str, *before: str) -> subprocess.Popen[str]:
    """Start it with this mmdebstrap, and with `folder` for all that it makes and keeps."""
    programs, made = folder / "bin", folder / "made"
    programs.mkdir(exist_ok=True)
    made.mkdir(exist_ok=True)
    (programs / "mmdebstrap").write_text(mmdebstrap)
    (programs / "mmdebstrap").chmod(0o755)
    own = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TMPDIR": str(made),
        "FRESH_BASE": str(folder / "base"),
        "STARTED": str(folder / "pid"),
    }
    return subprocess.Popen(
        [*before, REPOSITORY / "scripts/test", "--fresh"],
        env=os.environ | own,
        stderr=subprocess.PIPE,
        text=True,
    )


def left(folder: Path) -> list[Path]:
    return list((folder / "made").iterdir())


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_fresh_leaves_nothing_behind_when_interrupted(tmp_path: Path, kind: signal.Signals) -> None:
    """`--fresh` ends at once, also while it builds, and takes what it started with it."""
    started = tmp_path / "pid"
    with fresh(tmp_path, SLEEPS, "env", "--default-signal=INT,HUP") as running:
        until(lambda: started.exists() and started.read_text() != "")
        building = Path(f"/proc/{started.read_text().strip()}")
        assert left(tmp_path)
        running.send_signal(kind)

        assert running.wait(timeout=20) == 128 + kind
        assert left(tmp_path) == []
        until(lambda: not building.exists())


def test_fresh_names_the_mirror_when_building_fails(tmp_path: Path) -> None:
    with fresh(tmp_path, FAILS) as running:
        assert running.stderr is not None
        told = running.stderr.read()

    assert running.returncode == 2
    assert "E: the mirror does not answer" in told
    assert "missing: a mirror of Debian" in told
    assert left(tmp_path) == []


def test_system_is_built_once_by_two_runs_at_the_same_time(tmp_path: Path) -> None:
    """The second run waits for the first one, and takes its system."""
    with fresh(tmp_path, BUILDS) as one, fresh(tmp_path, BUILDS) as other:
        one.communicate(timeout=20)
        other.communicate(timeout=20)

    assert (tmp_path / "pid").read_text() == "\n"
    assert (tmp_path / "base/trixie").is_dir()


def test_fresh_names_the_right_that_is_missing_before_it_builds(tmp_path: Path) -> None:
    """As in a container that may not mount."""
    without = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all")
    with fresh(tmp_path, SLEEPS, *without) as running:
        assert running.stderr is not None
        told = running.stderr.read()

    assert running.returncode == 2
    assert "missing: the right to make namespaces" in told
    assert left(tmp_path) == []
