"""`python -m tests.faulty`: the backend with its usual options, and faults that a test sets."""

import sys

from doorstep_backend.__main__ import main
from tests.faulty.wiring import Faulty

if __name__ == "__main__":
    sys.exit(main(Faulty().wiring()))
