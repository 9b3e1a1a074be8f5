"""`python -m tests.unit.documents.prose [PATH]...` finds sentences that break the writing rules.

CONTRIBUTING.md has the rules. Prose is Markdown without code, headings and link targets;
templates and catalogues; comments, messages and values of shell, TOML, YAML and units; and of
Python the first line of each docstring, argparse's texts, messages of the product, names of tests.
A question may begin with any word.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.unit.documents.pages import REPOSITORY, files

OPENERS: Final = re.compile(r"(Who|Whose|Whoever|What|Whatever|Of(?! (the |these |all )?\d))\b")
"""Words that may not begin a sentence: the reader cannot know which thing is meant."""

PAGE_OPENERS: Final = re.compile(r"Where\b")
"""A word that may not begin a sentence of a page."""

DOCSTRING_OPENERS: Final = re.compile(
    r"(Unless|Else|But for|So|The same|It|One|Whether|How|This|That)\b"
)
"""Words that may not begin a docstring: they continue the function's name."""

PHRASES: Final = re.compile(
    r"\b(?:told (?:of|in words|in a sentence)|is told|(?:stands?|stood) (?:in|on|there)|lies? in"
    r"|mend(?:s|ed|ing)?|anew|but for|besides|reckon\w*|spoilt|(?:go|goes) by|(?-i:[Ww]here not)"
    r"|(?:is|are) away|is (?-i:none)|(?:is|are) so(?=[.!;:]|$)|whoever|seams?)\b",
    re.IGNORECASE,
)
"""Phrases of no clear meaning; CONTRIBUTING.md names what to write in place of each."""

VERBS: Final = frozenset((REPOSITORY / "scripts" / "verbs.txt").read_text().split())
"""Words that may begin the docstring of a function, and a commit subject."""

NAME_OPENERS: Final = re.compile(
    r"(?:who|whose|whoever|what|whatever|whether|how|where|when|while|until|unless|if|of|in|on|at|by"
    r"|for|from|with|without|to|into|after|before|between|under|during|through|as|it|one|else|so"
    r"|(?!(?:\w*str|noth|everyth|sett|wir|timekeep|miss|exist|fail|read|spell|seal|dripp)ing\b)[a-z]+ing)\b"
)
"""Words that may not begin the name of a test, whose subject comes first; participles too."""

SUFFIXES: Final = (
    *(".conf", ".html", ".j2", ".md", ".po", ".polkit", ".py", ".service", ".sh", ".sysusers"),
    *(".timer", ".tmpfiles", ".toml", ".txt", ".udev", ".yaml", ".yml"),
)
"""Ends of the names of files that hold prose; the commands in scripts/ hold it too."""

_DOCUMENTED_TESTS: Final = ("tests/backend/", "tests/support/")
"""Folders below tests/ with docstrings for everybody; elsewhere only help texts are checked."""

_BACKEND: Final = "tests/backend/doorstep_backend/"

_HELP: Final = frozenset({"help", "description", "epilog"})

_OBJECT: Final = re.compile(r"(the|a|an|all|each|every|its|whether)\b")

_CODE: Final = re.compile(r"^( *)(```|~~~).*?^\1\2|<[^>]*>", re.MULTILINE | re.DOTALL)
_MARKS: Final = re.compile(r"^[ >]*(?:[-*+] |\d+\. )?|(?<=\|) *", re.MULTILINE)
_TAG: Final = re.compile(r"</?[a-z][^>]*>|\{[{%#].*?[}%#]\}", re.DOTALL)
_COMMENT: Final = re.compile(r"^\s*(?:[#;]+|- |msg(?:id|str) )?\s*")
_SENTENCE: Final = re.compile(r"(?:(?<=[.!?:;])|(?<=[.!?][\"')*]))\s+|\|")

_Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def of_page(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number of the line and the words of each sentence that breaks a rule."""
    text = _CODE.sub(lambda found: "\n" * found[0].count("\n"), text)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("#"):
            plain = re.sub(r"`[^`]*`", "`", re.sub(r"\]\([^)]*\)", "", line)).replace("[", "")
            for sentence in _sentences(_MARKS.sub("", plain)):
                if _breaks(sentence, OPENERS, PAGE_OPENERS):
                    yield number, sentence


def of_code(text: str, *, all_docstrings: bool) -> Iterator[tuple[int, str]]:
    """Yield the same of a Python file; without `all_docstrings` only of its help texts."""
    if not all_docstrings and not any(f"{one}=" in text for one in _HELP):
        return
    nodes = list(ast.walk(ast.parse(text)))
    for node in nodes:
        if isinstance(node, ast.keyword) and node.arg in _HELP:
            words = "".join(_texts(node.value))
            if any(_breaks(one, OPENERS) for one in _sentences(words)):
                yield node.value.lineno, words
    for number, line, is_right in _docstrings(nodes) if all_docstrings else ():
        sentences = list(_sentences(re.sub(r"`[^`]*`", "`", line)))
        if (
            not is_right
            or DOCSTRING_OPENERS.match(line)
            or any(_breaks(one, OPENERS) for one in sentences)
        ):
            yield number, line


def of_tests(text: str) -> Iterator[tuple[int, str]]:
    """Yield the same for the docstrings of any test file, and for the names of its tests."""
    nodes = list(ast.walk(ast.parse(text)))
    for number, line, _ in _docstrings(nodes):
        sentences = _sentences(re.sub(r"`[^`]*`", "`", line))
        if DOCSTRING_OPENERS.match(line) or any(_breaks(one, OPENERS) for one in sentences):
            yield number, line
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            words = node.name.removeprefix("test_").replace("_", " ")
            if NAME_OPENERS.match(words) or PHRASES.search(words):
                yield node.lineno, node.name


def of_messages(text: str) -> Iterator[tuple[int, str]]:
    """Yield the same for the texts of several words in a Python file, except docstrings."""
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(ast.Constant() as docstring):
                skipped.add(id(docstring))
            case ast.JoinedStr(values=values):
                skipped.update(map(id, values))
                words = "".join(
                    str(one.value) if isinstance(one, ast.Constant) else "`" for one in values
                )
                yield from _of_message(node.lineno, words)
            case ast.Constant(str(words)) if id(node) not in skipped:
                yield from _of_message(node.lineno, words)


def _of_message(number: int, words: str) -> Iterator[tuple[int, str]]:
    plain = re.sub(r"`[^`]*`", "`", " ".join(words.split()))
    if plain.count(" ") > 1 and any(_breaks(one, OPENERS) for one in _full(plain)):
        yield number, plain


def _full(text: str) -> Iterator[str]:
    """Yield the sentences, without the opening word of those that are a label: it may be any."""
    for one in _sentences(text):
        yield one if one.endswith((".", ";", ":")) else one[:1].lower() + one[1:]


def of_text(text: str) -> Iterator[tuple[int, str]]:
    """Yield the same for any other file: each line without the marks of comments and of HTML."""
    text = _TAG.sub(lambda found: "|" + "\n" * found[0].count("\n"), text)
    for number, line in enumerate(text.splitlines(), 1):
        plain = re.sub(r"`[^`]*`", "`", _COMMENT.sub("", line))
        for sentence in _full(plain):
            if _breaks(sentence, OPENERS):
                yield number, sentence


def _sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCE.split(text):
        if (plain := sentence.strip(" *_\"'(")) and not plain.endswith("?"):
            yield plain


def _breaks(sentence: str, *openers: re.Pattern[str]) -> bool:
    return any(one.match(sentence) for one in openers) or bool(PHRASES.search(sentence))


def _texts(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def _docstrings(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str, bool]]:
    """Yield each one's line number, its first line, and whether that suits what it describes."""
    for node in nodes:
        if isinstance(node, _Documented) and (text := ast.get_docstring(node)):
            first = text.splitlines()[0]
            yield node.body[0].lineno, first, _suits(node, first)
        if isinstance(node, ast.Module | ast.ClassDef):
            yield from _of_assignments(node)


def _of_assignments(node: ast.Module | ast.ClassDef) -> Iterator[tuple[int, str, bool]]:
    """Yield the same for the docstrings of constants and attributes."""
    for before, after in pairwise(node.body):
        match before, after:
            case ast.Assign() | ast.AnnAssign(), ast.Expr(ast.Constant(str(text))):
                yield after.lineno, text.splitlines()[0], True


def _suits(node: _Documented, first: str) -> bool:
    verb, _, rest = first.partition(" ")
    is_verb = verb.strip(".,:").lower() in VERBS
    if isinstance(node, ast.ClassDef) or _is_property(node):
        return not (is_verb and _OBJECT.match(rest))  # "Exit codes" is a noun
    return isinstance(node, ast.Module) or is_verb


def _is_property(node: _Documented) -> bool:
    decorators = [] if isinstance(node, ast.Module) else node.decorator_list
    return any("property" in ast.unparse(one) for one in decorators)


def name(path: Path) -> str:
    """Return a file's path from the top of the repository."""
    return path.relative_to(REPOSITORY).as_posix()


def findings(paths: list[Path]) -> list[str]:
    """Return a line for each sentence that breaks a rule, with file and line."""
    return [f"{name(path)}:{number}: {words}" for path in paths for number, words in _broken(path)]


def _broken(path: Path) -> list[tuple[int, str]]:
    text, place = path.read_text(encoding="utf-8"), name(path)
    is_product = not place.startswith("tests/") or place.startswith(_BACKEND)
    if path.suffix == ".md":
        return list(of_page(text))
    if path.suffix != ".py":
        return list(of_text(text))
    is_test = path.name.startswith("test_") or path.name == "conftest.py"
    has_rules = is_product or place.startswith(_DOCUMENTED_TESTS)
    found = set(of_code(text, all_docstrings=has_rules and not is_test))
    return sorted(found | set(of_messages(text) if is_product else of_tests(text)))


def prose_files() -> list[Path]:
    """Return each file that holds prose."""
    return sorted(
        {*files(*SUFFIXES), *(one for one in files() if one.parent == REPOSITORY / "scripts")}
    )


def main() -> None:
    """Print the findings in these files and folders; in all, if there are none."""
    parser = argparse.ArgumentParser(description="Find sentences that break the writing rules.")
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders (default: all)")
    asked = [one.resolve() for one in parser.parse_args().paths]
    paths = [
        path
        for path in prose_files()
        if not asked or any(path == one or one in path.parents for one in asked)
    ]
    found = findings(paths)
    sys.stdout.write("\n".join([*found, f"{len(found)} findings\n"]))


if __name__ == "__main__":
    main()
