"""Finds where the product parses: each use of a parsing function, by the function around it.

A use counts by its last name, whatever the name before the dot is: a parser that is handed on, or
called by another name, is found too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[3]

_NAMES: Final = frozenset(
    """
    loads read_json raw_decode literal_eval eval exec
    b64decode urlsafe_b64decode standard_b64decode b32decode b16decode a85decode b85decode
    decodebytes unhexlify fromhex unpack unpack_from iter_unpack from_bytes
    imdecode imread frombuf ZipFile TarFile decompress decompressobj
    decrypt from_str get_unverified_header from_jwk decode_complete try_create from_stream
    read_barcode read_barcodes HTTPResponse parse_headers parse_request BaseHTTPRequestHandler
    message_from_bytes message_from_string parsedate parsedate_tz parsedate_to_datetime
    urlsplit urlparse urljoin parse_qs parse_qsl unquote unquote_plus unquote_to_bytes
    fromisoformat strptime ip_address ip_network ip_interface IPv4Address IPv6Address UUID
    fromstring iterparse safe_load SimpleCookie
    """.split()  # noqa: SIM905 - a line for each name would hide them
)
"""Last names of functions that turn text or bytes into something else."""

_DOTTED: Final = frozenset(
    """
    tarfile.open Image.open sqlite3.connect shlex.split _jws.decode np.load json.load tomllib.load
    pickle.load
    """.split()  # noqa: SIM905 - as above
)
"""Full names of such functions, if the last name alone is ambiguous."""

_BEGINNINGS: Final = ("load_pem_", "load_der_", "load_pkcs", "load_ssh_")

_MODULES: Final = frozenset(
    """
    pickle marshal shelve dbm xml plistlib csv configparser gzip bz2 lzma zlib html email yaml
    cbor2 lxml PIL msgpack zipfile asn1crypto pyasn1 quopri binhex wave
    """.split()  # noqa: SIM905 - as above
)
"""Modules that parse in more ways than the names above: each import counts."""


PACKAGES: Final = tuple(
    REPOSITORY / name for name in ("agent", "hardware", "tests/backend/doorstep_backend")
)


def places(source: str, name: str) -> set[str]:
    """Return the places in one module, as `agent/config.py:Config.check`."""
    return {f"{name}:{place}" for place in _places(ast.parse(source), ())}


def all_places() -> set[str]:
    """Return the places in all of these modules."""
    found: set[str] = set()
    for folder in PACKAGES:
        for path in folder.rglob("*.py"):
            found |= places(path.read_text(), str(path.relative_to(folder.parent)))
    return found


def _places(node: ast.AST, inside: tuple[str, ...]) -> Iterator[str]:
    aliases = {
        one.asname
        for each in ast.walk(node)
        if isinstance(each, ast.ImportFrom)
        for one in each.names
        if one.asname and _is_parsing(one.name, "")
    }
    yield from _uses(node, inside, aliases)


def _uses(node: ast.AST, inside: tuple[str, ...], aliases: set[str]) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for outside in (*node.decorator_list, *getattr(node, "bases", [])):
            yield from _uses(outside, inside, aliases)
        inside = (*inside, node.name)
    for module in _imported(node):
        if module.partition(".")[0] in _MODULES:
            yield f"import {module}"
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        last = node.id if isinstance(node, ast.Name) else node.attr
        if last in aliases or _is_parsing(last, ast.unparse(node)):
            yield ".".join(inside) or "<module>"
    for child in ast.iter_child_nodes(node):
        if not (inside and isinstance(node, ast.ClassDef) and child in node.bases):
            yield from _uses(child, inside, aliases)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def _is_parsing(last: str, dotted: str) -> bool:
    begins = last.startswith(_BEGINNINGS)
    return begins or last in _NAMES or ".".join(dotted.split(".")[-2:]) in _DOTTED
