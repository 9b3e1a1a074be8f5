"""Every place where the product parses is fuzzed, or excused with its reason."""

import re
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType

import pytest

from tests.faults.fuzz.calls import PACKAGES, REPOSITORY, all_places, places
from tests.faults.fuzz.child import mutator
from tests.faults.fuzz.parsers import PARSERS
from tests.faults.fuzz.places import EXCUSED, FUZZED


def test_list_has_every_place_that_parses() -> None:
    """A new place needs a parser in `tests/faults/fuzz/parsers`, or an excuse."""
    assert all_places() - {*FUZZED, *EXCUSED} == set()


def test_list_has_no_place_that_is_gone() -> None:
    assert {*FUZZED, *EXCUSED} - all_places() == set()
    assert FUZZED.keys() & EXCUSED.keys() == set()


def test_list_names_parsers_of_the_rig() -> None:
    assert {*FUZZED.values()} <= {*PARSERS}


def test_json_is_read_by_one_function_alone() -> None:
    """`json.loads` of bytes takes half a character, UTF-16 and UTF-32 too."""
    sources = (
        one for folder in PACKAGES for one in folder.rglob("*.py") if "docs" not in one.parts
    )
    named = re.compile(r"\bjson\.loads?\b|\bfrom json\b|\bjson as\b|JSONDecoder\b")

    found = {one.name for one in sources if named.search(one.read_text())}
    assert found == {"foreign.py"}


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("import json\njson.loads('')", "<module>"),
        ("import json as j\ndef a(): return map(j.loads, [])", "a"),
        ("from json import loads as read\nclass A:\n  def b(self): read('')", "A.b"),
        ("from x import y\ndef a():\n  def b(): y.z.load_pem_x509_csr(b'')", "a.b"),
        ("def a():\n  import pickle", "import pickle"),
        ("import xml.etree.ElementTree", "import xml.etree.ElementTree"),
        ("from http.server import BaseHTTPRequestHandler as B\nclass A(B): ...", "<module>"),
        ("import tarfile\nasync def a(): tarfile.open(fileobj=None)", "a"),
        ("a = lambda self: self._jws.decode('')", "<module>"),
    ],
)
def test_new_place_is_found_however_it_is_written(source: str, place: str) -> None:
    assert places(source, "agent/new.py") == {f"agent/new.py:{place}"}


@pytest.mark.parametrize("source", ["import json\njson.dumps({})", "a.open('x')", "'json.loads'"])
def test_other_calls_are_no_places(source: str) -> None:
    assert places(source, "agent/new.py") == set()


@pytest.mark.parametrize("parser", sorted({*FUZZED.values()}))
def test_parser_runs_the_function_that_it_stands_for(parser: str) -> None:
    """The samples of a place's parser reach that place, even without mutation."""
    listed = {place for place, name in FUZZED.items() if name == parser}

    assert listed <= _run_by(parser)


def _run_by(name: str) -> set[str]:
    parser, seen = PARSERS[name], set[CodeType]()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    for sample in mutator(parser).samples:
        _under(note, parser.parse, sample, parser.documented)
    return {_place(code) for code in seen}


def _under(
    note: Callable[[FrameType, str, object], None],
    parse: Callable[[bytes], object],
    sample: bytes,
    documented: tuple[type[Exception], ...],
) -> None:
    before = sys.getprofile()
    sys.setprofile(note)
    threading.setprofile(note)
    try:
        parse(sample)
    except documented:
        pass
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def _place(code: CodeType) -> str:
    inside = code.co_qualname.replace(".<locals>", "")
    return (
        f"{code.co_filename.removeprefix(f'{REPOSITORY}/').removeprefix('tests/backend/')}:{inside}"
    )
