"""A fleet's peak: two intake instances and an office over PostgreSQL and S3, behind nginx.

50 devices send through a minute's peak; S3 answers nothing for some seconds, and an instance is
killed. Then a table says what came of it. `scripts/bench peak` and `kills` play other peaks.

- Each device is the product's sync with its own queue and certificates; 4 processes run all of them
  as threads. Capture is played: each record is made, sealed and signed when it is due, with a
  picture of 296 KB. Queues are in /dev/shm if it has 2 GB free, because a device's card is not the
  servers' disk.
- PostgreSQL and nginx are Debian's, with fsync; SeaweedFS has its defaults.
- A record is lost if a device has its receipt, and no row or no object of the engines has its
  digest.
- Times are by the device's clock, from the start of a record's first attempt, with all waits.
- CPU per record is user and system time, with filing, without enrolment and starts, and without the
  last hundredth of a second of a killed instance. Devices, servers and engines share the cores, so
  compare CPU per record, and not records a second.
- A new misfortune is a function in misfortunes.py that ends soon after `told.ended`; see once that
  the table shows it, because a fault that changes no figure proves nothing.
"""

import os
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.demo.peak import dispatch, misfortunes, plan, report, servers
from tests.demo.peak.dispatch import Looks
from tests.demo.peak.options import read_options
from tests.demo.peak.play import Outcome, play
from tests.support import needs

INTAKES: Final = 2


def main() -> int:
    """Play the peak; 0 only when each record has its receipt, and none is lost or double."""
    options = read_options()
    needs.check(*servers.NEEDS)
    signal.signal(signal.SIGTERM, lambda _kind, _frame: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="doorstep-") as folder:
        outcome, looks = _play(Path(folder), options)
    print()
    print("\n".join(report.lines(outcome, looks)))
    for one in outcome.others[:10]:
        print(f"  WRONG: {one}")
    print("\nComplete." if outcome.is_good else "\nINCOMPLETE.")
    return 0 if outcome.is_good else 1


def _play(folder: Path, options: Any) -> tuple[Outcome, Looks]:
    began_s = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began_s:5.0f} s  {words}", flush=True)

    say("PostgreSQL and S3 are started ...")
    with servers.engines(folder) as engines:
        say(f"{INTAKES} intake instances, one office, and nginx before them ...")
        with servers.spread(folder / "fleet", engines, INTAKES, offices=1) as spread:
            say(f"{options.devices} devices enrol ...")
            presses = plan.morning(options.devices, options.records, options.seconds)
            happens = partial(
                misfortunes.morning,
                stall_s=options.seconds / 4,
                kill_s=options.seconds * 3 / 5,
            )
            with dispatch.looking(spread) as looks:
                return play(spread, presses, happens, say), looks


if __name__ == "__main__":
    os.environ.pop("DOORSTEP_CONFIG", None)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
