"""The samples in `corpus/`: genuine inputs that the product made, and inputs of former findings."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("corpus")


def samples(parser: str) -> list[bytes]:
    """Return the samples of one parser in the order of their names; none for an unknown parser."""
    return [path.read_bytes() for path in sorted((FOLDER / parser).glob("*"))]
