"""A day of presses on the memory of a Zero 2 W: what our processes take, and what is left."""

import json
from pathlib import Path
from typing import Any, Final

from tests.system.qemu import memory
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Kept, device

PRESSES: Final = 150
"""A day's stops of one driver, as in tests/bench/route.py."""

AT_ONCE: Final = 25
"""Presses between two runs of `doctor`."""

EVERY_S: Final = 2.0

FILL_JOURNAL: Final = "head -c 40000000 /dev/urandom | base64 -w 40000 | systemd-cat -p debug"
"""The journal is in memory, up to 16 MB (`doorstep_journal_mb`): a device that was not switched off
for weeks has it full. Few long lines, because journald drops many short ones.
"""

DELIVERED_WITHIN_S: Final = 1800.0
"""Until the last of them is sent: emulated, sync needs some seconds for each."""


def run(image: Image, kept: Kept, report: Report) -> None:
    """Press, and let `doctor` run between, as a technician does."""
    with device(image, kept, BUILD / "day") as found:
        found.machine.run(FILL_JOURNAL, 600.0)
        answers = []
        for _ in range(PRESSES // AT_ONCE):
            answers += [told["answer"] for told in found.rounds(AT_ONCE, EVERY_S)]
            found.doctor()
        green = answers.count("green")
        report.check(f"{PRESSES} presses are green", green == PRESSES, f"{green}")
        memory.check(found.machine, report)
        left_mb = memory.worst(found.machine).available_kb // 1024
        report.figure("memory left while doctor runs too", f"{left_mb} MB")
        found.await_delivered(DELIVERED_WITHIN_S)
        records = [_photo(path) for path in (found.backend.data / "records").glob("*.json")]
        signed = sum(photo is not None and photo["credentials"] for photo in records)
        seen = f"{signed} of {len(records)} records"
        report.check("each has a photo with Content Credentials", signed == PRESSES, seen)
        report.figure("journal", found.machine.run("journalctl --disk-usage").strip())


def _photo(path: Path) -> Any:
    """Return what a record says of its photo; None if it has none."""
    return json.loads(path.read_text())["record"].get("photo")
