"""`python -m tests.support.faulty`: serve as the backend does, with faults that a test sets."""

import sys

from doorstep_backend.__main__ import main
from tests.support.faulty.wiring import Faulty

if __name__ == "__main__":
    sys.exit(main(Faulty().wiring()))
