import subprocess
import sys
from pathlib import Path

import pytest

from tests.backend.process import REPOSITORY
from tests.support.device import Device

STATUS = "import agent.command.commandline, agent.command.status"
SYNC = "import agent.command.commandline, agent.command.sync"


@pytest.mark.parametrize("process", [STATUS, SYNC])
def test_a_process_without_devices_loads_nothing_that_is_theirs(process: str) -> None:
    """OpenCV, numpy and c2pa cost 20 MB and more each, and `sync` has 60 MB."""
    code = f"{process}; import sys; print(sorted({{'cv2', 'numpy', 'c2pa'}} & sys.modules.keys()))"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True
    )

    assert loaded.stdout == "[]\n"


FIRST_LIGHT = """
import sys
from agent.command import capture, commandline
import hardware.drivers.indicator_gpio

def first_light(_settings):
    print(sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[1].split())))
    sys.exit()

capture.open_indicator = first_light
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
