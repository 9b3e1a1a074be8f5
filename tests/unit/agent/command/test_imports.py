import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.backend import REPOSITORY
from tests.support.device import Device

STATUS = "import agent.command.commandline, agent.command.status"
SYNC = "import agent.command.commandline, agent.command.sync"
SERVE = "import agent.command.commandline, agent.command.serve"
LOADED = """
import re, sys
from pathlib import Path
from agent.config import load
load(Path(sys.argv[1]))
theirs = "cv2|numpy|c2pa|hardware[.](drivers|simulated)[.].*"
print([name for name in sys.modules if re.fullmatch(theirs, name)])
"""


@pytest.mark.parametrize("process", [STATUS, SYNC, SERVE])
def test_a_process_without_devices_loads_nothing_that_is_theirs(
    tmp_path: Path, process: str
) -> None:
    """OpenCV, numpy and c2pa cost 20 MB and more each, and `sync` has 60 MB."""
    loaded = subprocess.run(
        [sys.executable, "-c", process + LOADED, str(Device(tmp_path).config)],
        cwd=REPOSITORY,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )

    assert loaded.stdout == "[]\n"


FIRST_LIGHT = """
import sys
from agent.command import capture, commandline
import hardware.drivers.indicator_gpio

def first_light(_part, _settings):
    print(sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[1].split())))
    sys.exit()

capture.open_part = first_light
commandline.run(commandline.parse(["capture", "--config", sys.argv[2]]))
"""


def test_the_first_light_waits_for_nothing_that_is_slow_to_load(tmp_path: Path) -> None:
    """A driver must not take a device that starts for one that serves presses."""
    slow = "c2pa cv2 numpy zxingcpp piexif cryptography jwt sqlite3 ssl http picamera2"

    loaded = subprocess.run(
        [sys.executable, "-c", FIRST_LIGHT, slow, str(Device(tmp_path).config)],
        cwd=REPOSITORY,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )

    assert loaded.stdout == "[]\n"
