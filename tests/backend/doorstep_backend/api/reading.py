"""The reader of a document's members, which notes each fault and continues."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.models import CODE
from agent.rule.manifest import CODES_LIMIT
from doorstep_backend.api.problem import Fault, WrongDocumentError, pointer

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The pattern of an order's number, an address's and a customer's id: none needs quoting."""

AN_ID: Final = "1 to 64 letters, digits, . _ -, and not . _ - at the beginning"

_MISSING: Final = object()


class Members:
    """The members of one JSON object; a wrong one is a fault, and is read as a neutral value.

    Attributes:
        faults: all that were found; the parts of a document share them.
    """

    def __init__(
        self, given: Mapping[str, Any], faults: list[Fault], *where: str | int, names: str
    ) -> None:
        self._given = given
        self._where = where
        self.faults = faults
        known = names.split()
        for name in given:
            if name not in known:
                self.note(f"no such member, only {', '.join(known)}", name)

    def note(self, detail: str, *place: str | int) -> None:
        """Note a fault at a place in this object."""
        self.faults.append(Fault(pointer(*self._where, *place), detail))

    def id(self, name: str) -> str:
        """Read an id."""
        return self._fitting(name, lambda text: bool(ID.fullmatch(text)), AN_ID)

    def line(self, name: str, most: int) -> str:
        """Read a text of one line."""
        what = f"1 to {most} printable characters in one line, without a space at the ends"

        def fits(text: str) -> bool:
            return 0 < len(text) <= most and text.isprintable() and text == text.strip()

        return self._fitting(name, fits, what)

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """Read a number within limits; without a default, it must be there."""
        found: Any = self._given.get(name, _MISSING if default is None else default)
        if type(found) not in {int, float} or not low <= found <= high:  # True is an int too
            self.note(f"must be a number from {low:,} to {high:,}", name)
            return low
        return float(found)

    def flag(self, name: str) -> bool:
        """Read true or false; a missing one is false."""
        found = self._given.get(name, False)
        if not isinstance(found, bool):
            self.note("must be true or false", name)
        return found is True

    def texts(self, name: str, fits: re.Pattern[str], what: str, most: int) -> tuple[str, ...]:
        """Read a list of different texts; a wrong one is read as an empty text."""
        found = self._given.get(name)
        if not isinstance(found, list) or len(found) > most:
            self.note(f"must be a list of at most {most:,} texts", name)
            return ()
        read: dict[int, str] = {}
        seen = set[str]()
        for place, one in enumerate(found):
            if not isinstance(one, str) or not fits.fullmatch(one):
                self.note(f"must be {what}", name, place)
            elif one in seen:
                self.note("is in this list twice", name, place)
            else:
                seen.add(one)
                read[place] = one
        return tuple(read.get(place, "") for place in range(len(found)))

    def codes(self, name: str) -> tuple[str, ...]:
        """Read the codes of a stop, as a manifest has them."""
        what = "1 to 128 printable ASCII characters, without a space at the ends"
        return self.texts(name, CODE, what, CODES_LIMIT)

    def parsed(self, name: str, read: Callable[[str], Any], what: str) -> Any:
        """Read a text by a function that raises ValueError; None if it is wrong."""
        found = self._given.get(name)
        try:
            return read(found) if isinstance(found, str) else self.note(f"must be {what}", name)
        except ValueError:
            return self.note(f"must be {what}", name)

    def part(self, name: str, names: str) -> "Members":
        """Read an object inside."""
        found = self._given.get(name)
        if not isinstance(found, dict):
            self.note("must be an object", name)
            return Members({}, [], *self._where, name, names=names)
        return Members(found, self.faults, *self._where, name, names=names)

    def _fitting(self, name: str, fits: Callable[[str], bool], what: str) -> str:
        found = self._given.get(name)
        if not isinstance(found, str) or not fits(found):
            self.note(f"must be {what}", name)
            return ""
        return found


def check(faults: list[Fault]) -> None:
    """Raise WrongDocumentError if there are faults."""
    if faults:
        raise WrongDocumentError(faults)
