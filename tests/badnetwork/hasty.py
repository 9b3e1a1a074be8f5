"""`python -m tests.badnetwork.hasty`: the `doorstep` command with a tenth of its patience.

A line that falls silent is then found out after 3 s in place of 30.
"""

import sys
from typing import Final

from agent.__main__ import main
from agent.sync.http import Backend, Limits

HASTY: Final = Limits(connect_s=5.0, read_s=3.0, progress_s=6.0, attempt_s=54.0)
"""A tenth of the product's; a third for connecting, which takes its time on a busy machine."""

if __name__ == "__main__":
    _, *others = Backend.__init__.__defaults__ or ()
    Backend.__init__.__defaults__ = (HASTY, *others)
    sys.exit(main())
