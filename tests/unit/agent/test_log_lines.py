"""Our own lines are found in a journal that others fill: `journalctl -u ... -g event=`."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.device import REPOSITORY

LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
LOGGERS = {"_log", "log"}


def strays(tree: ast.AST) -> Iterator[str]:
    """Return a module's log calls without `event=`; a name counts by the values given to it."""
    given = {
        target.id: one.value
        for one in ast.walk(tree)
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(tree):
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=[said, *_]
            ) if name in LOGGERS and attr in LEVELS:
                line = given.get(said.id, said) if isinstance(said, ast.Name) else said
                text = line.value if isinstance(line, ast.Constant) else None
                if not (isinstance(text, str) and text.startswith("event=")):
                    yield ast.unparse(call)


def test_every_line_of_ours_begins_with_its_event() -> None:
    modules = (path for room in ("agent", "hardware") for path in (REPOSITORY / room).rglob("*.py"))
    found = {path: list(strays(ast.parse(path.read_text()))) for path in modules}

    assert len(found) > 100
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("line", "is_stray"),
    [
        ('_log.info("event=ready")', False),
        ('line = "event=ready a=%s"\nlog.error(line, 1)', False),
        ('_log.info("ready")', True),
        ('line = "ready"\nlog.error(line, 1)', True),
        ("_log.warning(error)", True),
        ('_log.info(f"event={name}")', True),
    ],
)
def test_the_look_through_the_source_sees_what_does_not(line: str, is_stray: bool) -> None:
    assert bool(list(strays(ast.parse(line)))) is is_stray
