"""Memory of several processes together."""

import mmap
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.bench.device import together_mb

SIZE = 32 * 2**20

MAPS = """
import mmap, sys
with open(sys.argv[1], "rb") as file:
    whole = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
sum(whole[::4096])
print(flush=True)
sys.stdin.read()
"""


def test_file_of_two_processes_counts_once(tmp_path: Path) -> None:
    """Unlike their own memory, and also if a third program shares the file."""
    large = tmp_path / "large"
    large.write_bytes(b"\1" * SIZE)
    with ExitStack() as running, large.open("rb") as file:
        third = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
        sum(third[::4096])
        pids = []
        for _ in range(2):
            words = [sys.executable, "-c", MAPS, str(large)]
            one = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            running.enter_context(one)
            assert one.stdout is not None
            one.stdout.readline()
            pids.append(one.pid)
        alone_mb, both_mb = together_mb(pids[:1]), together_mb(pids)
        third.close()

    assert alone_mb > SIZE / 1e6
    assert 0 < both_mb - alone_mb < SIZE / 2e6
