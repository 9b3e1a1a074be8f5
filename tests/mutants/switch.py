"""The switch in front of each mutated function: calls the original or the active mutant.

mutmut has a switch too. This one notes calls only in the process that the rig asks, and reads no
configuration, so that it works in a process that a test starts in any folder.
"""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

MUTANT: Final = "DOORSTEP_MUTANT"
"""Environment variable with mutmut's name of the active mutant, for the processes of a test."""

MutantDict = dict[str, Callable[..., Any]]
"""The versions of one function by mutmut's name, with the original; mutmut so calls this type."""

_ORIGINAL: Final = "_mutmut_orig"


class _Active:
    """The active mutant of this process; a call of any other function runs the original.

    Attributes:
        module: the mutant's module, empty if none is active.
        mutant: its name in there.
        called: mutmut's names of the functions that were called, if they are noted.
    """

    def __init__(self, name: str) -> None:
        self.module, _, self.mutant = name.rpartition(".")
        self.called: set[str] | None = None


_active = _Active(os.environ.get(MUTANT, ""))


def activate(name: str) -> None:
    """Make a mutant active, here and in processes started from here; none if `name` is empty."""
    os.environ[MUTANT] = name
    _active.module, _, _active.mutant = name.rpartition(".")


def note_calls() -> set[str]:
    """Return a set that gets the name of each switched function when it is called."""
    _active.called = set()
    return _active.called


def function_of(name: str) -> str:
    """Return mutmut's name of the function that a mutant changes."""
    return name.partition("__mutmut_")[0]


def wrap_in_trampoline(
    versions: MutantDict, is_classmethod: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the decorator that mutmut puts before the function with these versions."""

    def switched(function: Callable[..., Any]) -> Callable[..., Any]:
        module = function.__module__

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            version = original = versions[_ORIGINAL]
            if _active.called is not None:
                _active.called.add(f"{module}.{function_of(original.__name__)}")
            if _active.module == module:
                version = versions.get(_active.mutant, original)
            if is_classmethod:
                return getattr(args[0], version.__name__)(*args[1:], **kwargs)
            return version(*args, **kwargs)

        return call

    return switched
