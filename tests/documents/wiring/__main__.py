"""`python -m tests.documents.wiring > hardware/wiring.svg`: draws it anew after a pin changed."""

import argparse

from tests.documents.wiring.diagram import svg

if __name__ == "__main__":
    name = "python -m tests.documents.wiring"
    argparse.ArgumentParser(prog=name, description=__doc__).parse_args()
    print(svg(), end="")
