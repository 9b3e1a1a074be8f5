"""The watch of the machine's memory: what it writes, and what is read from it."""

import subprocess
from pathlib import Path

from tests.support.waiting import until
from tests.system.qemu.memory import Worst, extremes

WATCHES = Path(__file__).with_name("watch-memory.sh")


def test_extremes_are_the_last_of_each_kind() -> None:
    told = (
        "available 31.10 229376\n"
        "pss 31.50 40960 capture=40960\n"
        "available 70.00 65536\n"
        "pss 82.25 153600 capture=102400 sync=51200\n"
        "available 90.00 61440\n"
    )

    assert extremes(told) == Worst(61440, 90.0, 153600, 82.25, ("capture 100", "sync 50"))


def test_watch_reports_the_available_memory(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    watching = subprocess.Popen(["sh", str(WATCHES), str(seen)])
    until(seen.exists)
    watching.kill()
    watching.wait()

    kind, uptime_s, available_kb = seen.read_text().splitlines()[0].split()
    total_kb = Path("/proc/meminfo").read_text().split()[1]
    assert kind == "available"
    assert float(uptime_s) > 0
    assert 0 < int(available_kb) < int(total_kb)
