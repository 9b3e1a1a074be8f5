"""`python -m tests.unit.documents.wiring > hardware/wiring.svg`: draw it after a pin changed."""

import argparse

from tests.unit.documents.wiring.diagram import svg

if __name__ == "__main__":
    name = "python -m tests.unit.documents.wiring"
    argparse.ArgumentParser(prog=name, description=__doc__).parse_args()
    print(svg(), end="")
