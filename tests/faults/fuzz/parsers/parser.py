"""A parser of foreign bytes, as the rig calls it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.faults.fuzz.shapes import Shape

_NO_PICTURE: Final = 0.0, 0.0


def no_picture(_content: bytes) -> tuple[float, float]:
    """Return the time and memory of a parser that decodes no picture."""
    return _NO_PICTURE


@dataclass(frozen=True, slots=True)
class Parser:
    """A parser of foreign bytes in the product.

    Attributes:
        name: of its folder in `corpus/`, too.
        parse: calls the product's own function, the same one that the product calls.
        documented: what that function may raise.
        shape: what its samples are built of.
        most_bytes: the longest input that the product gives it, or 1 MB if nothing limits it.
        picture: seconds and megabytes that decoding the picture in an input may take besides.
    """

    name: str
    parse: Callable[[bytes], object]
    documented: tuple[type[Exception], ...] = ()
    shape: Shape = Shape.BYTES
    most_bytes: int = 1_000_000
    picture: Callable[[bytes], tuple[float, float]] = no_picture
