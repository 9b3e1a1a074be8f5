"""`python -m tests.backend.monitoring`: prints alerts.yml."""

import argparse

from tests.backend.monitoring.alerts import RULES, written

if __name__ == "__main__":
    name = "python -m tests.backend.monitoring"
    argparse.ArgumentParser(prog=name, description=__doc__).parse_args()
    print(written(RULES), end="")
