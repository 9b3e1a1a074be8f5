import subprocess
import sys

import pytest

from tests.backend.process import REPOSITORY

STATUS = "import agent.command.commandline, agent.command.status"
SYNC = "import agent.command.commandline, agent.command.sync"


@pytest.mark.parametrize("process", [STATUS, SYNC])
def test_a_process_without_devices_loads_neither_opencv_nor_numpy(process: str) -> None:
    """They cost 25 MB and more, and `sync` has 60 MB."""
    code = f"{process}; import sys; print([n for n in ('cv2', 'numpy') if n in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True
    )

    assert loaded.stdout == "[]\n"
