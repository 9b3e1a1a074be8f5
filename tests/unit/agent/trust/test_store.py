"""The files in trust/: whole or not there, read by the group, and nothing left of a manifest."""

import logging
import os
import random
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agent.errors import StorageFault
from agent.queue.paths import Layout
from agent.trust.store import TrustStore
from tests.support.card import full
from tests.support.factory import small_disk

TOKEN_CHARS = 90_000
"""A route of some 150 stops in base64: more than one extent of a file system of small blocks."""


@pytest.fixture
def trust(tmp_path: Path) -> TrustStore:
    return store_in(tmp_path)


def store_in(folder: Path) -> TrustStore:
    layout = Layout(folder / "state", folder / "run")
    layout.make()
    return TrustStore(layout)


def token(number: int) -> str:
    """Return text that no other file has, and that cannot be compressed."""
    return random.Random(number).randbytes(TOKEN_CHARS // 2).hex()


PIECES = len(range(0, TOKEN_CHARS - 24, 1000))
"""Some of each block that holds a token."""


def left_of(text: str, raw: bytes) -> int:
    """Return how many of its pieces are found."""
    starts = range(0, TOKEN_CHARS - 24, 1000)
    return sum(text[start : start + 24].encode() in raw for start in starts)


# What is there


def test_store_is_empty_at_first(trust: TrustStore) -> None:
    assert trust.fleet() == ()
    assert (trust.manifest(), trust.manifest_version(), trust.certificate("evidence")) == (
        None,
        None,
        None,
    )


def test_kept_document_is_there(trust: TrustStore, tmp_path: Path) -> None:
    trust.keep_fleet(("a.b.c", "d.e.f"))
    trust.keep_manifest("g.h.i", 7)
    trust.keep_certificate("evidence", b"-----BEGIN")
    again = store_in(tmp_path)

    assert again.fleet() == ("a.b.c", "d.e.f")
    assert (again.manifest(), again.manifest_version()) == ("g.h.i", 7)
    assert again.certificate("evidence") == b"-----BEGIN"


def test_a_fleet_version_is_of_its_fleet_key(trust: TrustStore) -> None:
    trust.keep_fleet_version("kid-1", 5)

    assert (trust.fleet_version("kid-1"), trust.fleet_version("kid-2")) == (5, None)


@pytest.mark.parametrize("text", [b"\xff", b"kid-1", b"kid-1 five", b"kid-1 5 6"])
def test_corrupt_fleet_version_is_ignored_and_reported(
    trust: TrustStore, tmp_path: Path, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state" / "trust" / "fleet.version").write_bytes(text)

    assert trust.fleet_version("kid-1") is None
    assert "event=trust_unreadable file=fleet.version" in caplog.text


def test_the_group_reads_all_but_the_manifest(trust: TrustStore, tmp_path: Path) -> None:
    """Today's doors are nobody else's business."""
    trust.keep_fleet(("a.b.c",))
    trust.keep_manifest("old", 6)
    trust.keep_manifest("g.h.i", 7)
    trust.keep_certificate("evidence", b"-----BEGIN")
    folder = tmp_path / "state" / "trust"

    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()} == {
        "fleet.jws": "0o640",
        "manifest.jws": "0o600",
        "manifest.version": "0o640",
        "evidence.pem": "0o640",
    }


def test_the_version_outlives_the_manifest(trust: TrustStore) -> None:
    trust.keep_manifest("g.h.i", 7)
    trust.wipe_manifest()
    trust.wipe_manifest()

    assert (trust.manifest(), trust.manifest_version()) == (None, 7)


def link(path: Path) -> None:
    """To a file that could be read."""
    target = path.with_name("elsewhere")
    target.write_text("a.b.c")
    path.symlink_to(target)


@pytest.mark.parametrize(
    "put", [lambda path: path.write_bytes(b"\xff\xfe\x00garbage" * 50), Path.mkdir, link]
)
def test_unreadable_file_counts_as_missing_and_is_reported_once(
    trust: TrustStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, put: Callable[[Path], None]
) -> None:
    for name in ("fleet.jws", "manifest.jws", "manifest.version", "evidence.pem"):
        put(tmp_path / "state" / "trust" / name)

    for _ in range(2):
        assert trust.fleet() == ()
        assert (trust.manifest(), trust.manifest_version()) == (None, None)
        assert trust.certificate("evidence") is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 4
    assert caplog.text.count("event=trust_unreadable") == 4


def test_empty_files_say_nothing(trust: TrustStore, tmp_path: Path) -> None:
    for name in ("fleet.jws", "manifest.version"):
        (tmp_path / "state" / "trust" / name).touch()

    assert trust.fleet() == ()
    assert trust.manifest_version() is None


# What is left of a manifest


@contextmanager
def on_card(folder: Path) -> Iterator[tuple[TrustStore, Callable[[], bytes]]]:
    """A store on an ext4 file system, and what its blocks hold when all is written."""

    def blocks() -> bytes:
        subprocess.run(["sync", "--file-system", card], check=True)
        return (folder / "disk.img").read_bytes()

    with small_disk(folder) as card:
        yield store_in(card), blocks


@pytest.mark.slow
def test_nothing_of_a_replaced_or_wiped_manifest_is_left_on_the_card(tmp_path: Path) -> None:
    with on_card(tmp_path) as (trust, blocks):
        trust.keep_manifest(token(1), 1)
        had = left_of(token(1), blocks())
        trust.keep_manifest(token(2), 2)
        replaced, in_hand = (left_of(token(number), blocks()) for number in (1, 2))
        trust.wipe_manifest()
        wiped = [left_of(token(number), blocks()) for number in (1, 2)]

    assert had == in_hand == PIECES
    assert replaced == 0
    assert wiped == [0, 0]


@pytest.mark.slow
def test_half_done_work_of_a_cut_is_wiped_at_the_next_start(tmp_path: Path) -> None:
    """An old one whose name is gone already, and a new one that has not got its name yet."""
    with on_card(tmp_path) as (trust, blocks):
        folder = tmp_path / "disk/state/trust"
        (folder / "manifest.old").write_text(token(1))
        (folder / "manifest.part").write_text(token(2))
        had = [left_of(token(number), blocks()) for number in (1, 2)]
        trust.wipe_leftovers()
        left = [left_of(token(number), blocks()) for number in (1, 2)]

        assert had == [PIECES, PIECES]
        assert left == [0, 0]
        assert list(folder.iterdir()) == []


class CutShort(TrustStore):
    """Its process ends when a new manifest has its name, before the old one is overwritten."""

    def wipe_leftovers(self) -> None:
        if self.manifest() == token(2):
            raise StorageFault("the power went")
        super().wipe_leftovers()


@pytest.mark.slow
def test_the_old_one_is_found_again_after_a_cut_between_the_two(tmp_path: Path) -> None:
    with on_card(tmp_path) as (trust, blocks):
        trust.keep_manifest(token(1), 1)
        cut_short = CutShort(Layout(tmp_path / "disk/state", tmp_path / "disk/run"))
        with pytest.raises(StorageFault):
            cut_short.keep_manifest(token(2), 2)
        had = left_of(token(1), blocks())
        trust.wipe_leftovers()

        assert had > 0
        assert left_of(token(1), blocks()) == 0
        assert trust.manifest() == token(2)


def test_a_cut_before_the_exchange_keeps_the_manifest(trust: TrustStore, tmp_path: Path) -> None:
    """Its second name goes; its blocks are in use."""
    trust.keep_manifest("in.hand.still", 1)
    folder = tmp_path / "state" / "trust"
    os.link(folder / "manifest.jws", folder / "manifest.old")
    trust.wipe_leftovers()

    assert trust.manifest() == "in.hand.still"
    assert not (folder / "manifest.old").exists()


@pytest.mark.slow
def test_a_full_card_keeps_what_it_has(tmp_path: Path) -> None:
    with on_card(tmp_path) as (trust, blocks):
        trust.keep_fleet(("a.b.c",))
        trust.keep_manifest(token(1), 1)
        with full(tmp_path / "disk"):
            with pytest.raises(StorageFault):
                trust.keep_fleet(("d" * 50_000,))
            with pytest.raises(StorageFault):
                trust.keep_manifest(token(2), 2)
            kept = trust.fleet(), trust.manifest() == token(1)
            with suppress(StorageFault):
                trust.wipe_manifest()
            left = left_of(token(1), blocks())
        trust.keep_manifest(token(3), 3)

        assert kept == (("a.b.c",), True)
        assert left == 0
        assert trust.manifest() == token(3)
