"""A processor that has other work: what runs on it gets a part of its time."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NICE: Final = 10
"""The nice value that leaves the process a tenth of the processor.

Source: sched_prio_to_weight in Linux.
"""


@contextmanager
def busy(pid: int) -> Iterator[None]:
    """Have a process that was just started share one processor with more important work.

    Its later threads and children share it too, also after the block, but then with nobody.
    """
    processor = {max(os.sched_getaffinity(0))}
    os.sched_setaffinity(pid, processor)
    os.setpriority(os.PRIO_PROCESS, pid, NICE)
    work = subprocess.Popen([sys.executable, "-ISc", "while True: pass"])
    try:
        os.sched_setaffinity(work.pid, processor)
        yield
    finally:
        work.kill()
        work.wait()
