"""The mutants that mutmut makes of a module. Only this module imports mutmut."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import libcst
from mutmut.mutation.file_mutation import (
    Mutation,
    combine_mutations_to_source,
    create_mutations,
)
from mutmut.mutation.trampoline_templates import mangle_function_name

from tests.mutants.naming import Edit, Mutant, module_of, named

_SWITCH: Final = "from mutmut.mutation.trampoline import"
"""The text by which mutmut imports its own switch; `tests.mutants.switch` replaces that."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the product, and the mutants that mutmut makes of it."""

    name: str
    tree: libcst.Module
    mutations: dict[Mutant, Mutation]

    def code_with(self, wanted: Collection[Mutant]) -> tuple[str, dict[Mutant, str]]:
        """Return the source with these mutants in it, and mutmut's name of each."""
        chosen = {one: made for one, made in self.mutations.items() if one in wanted}
        combined = combine_mutations_to_source(self.tree, list(chosen.values()))
        names = self._names(list(chosen))
        assert sorted(name.rpartition(".")[2] for name in names.values()) == sorted(
            combined.mutant_names
        ), "mutmut numbers the mutants of a function in another way"
        return combined.code.replace(_SWITCH, "from tests.mutants.switch import"), names

    def _names(self, mutants: list[Mutant]) -> dict[Mutant, str]:
        number: Counter[str] = Counter()
        names = {}
        for one in mutants:
            number[one.function] += 1
            owner, _, name = one.function.rpartition(".")
            mangled = mangle_function_name(name=name, class_name=owner or None)
            names[one] = f"{self.name}.{mangled}__mutmut_{number[one.function]}"
        return names


def read(path: Path) -> Module:
    """Return the module at this path, which is relative to the current folder.

    mutmut leaves out constants and decorated functions, such as properties, fixtures and context
    managers, but it mutates static methods and class methods. Its configuration in pyproject.toml
    leaves out calls that write a log. This function leaves out texts that a log gets by a name.
    """
    tree, changes, *_ = create_mutations(str(path), path.read_text())
    functions = _functions(tree)
    kept = [
        change
        for change in changes
        if change.contained_by_top_level_function in functions and not _is_log_text(tree, change)
    ]
    edits = (
        Edit(
            functions[change.contained_by_top_level_function],
            tree.code_for_node(change.original_node),
            tree.code_for_node(change.mutated_node),
        )
        for change in kept
    )
    return Module(
        module_of(path), tree, dict(zip(named(module_of(path), edits), kept, strict=True))
    )


def _is_log_text(tree: libcst.Module, change: Mutation) -> bool:
    node = change.original_node
    if isinstance(node, libcst.Assign | libcst.AnnAssign) and node.value:
        node = node.value
    is_text = isinstance(node, libcst.SimpleString | libcst.ConcatenatedString)
    return is_text and '"event=' in tree.code_for_node(node)


def _functions(tree: libcst.Module) -> dict[libcst.CSTNode | None, str]:
    found: dict[libcst.CSTNode | None, str] = {}
    for node in tree.body:
        if isinstance(node, libcst.FunctionDef):
            found[node] = node.name.value
        elif isinstance(node, libcst.ClassDef):
            for method in node.body.body:
                if isinstance(method, libcst.FunctionDef):
                    found[method] = f"{node.name.value}.{method.name.value}"
    return found
