"""`python -m tests.documents.wiring > hardware/wiring.svg`: draws it anew after a pin changed."""

from tests.documents.wiring.diagram import svg

if __name__ == "__main__":
    print(svg(), end="")
