"""`python -m doorstep_backend.monitoring`: prints alerts.yml."""

import argparse

from doorstep_backend.monitoring.alerts import RULES, written

if __name__ == "__main__":
    name = "python -m doorstep_backend.monitoring"
    argparse.ArgumentParser(prog=name, description=__doc__).parse_args()
    print(written(RULES), end="")
