"""Sealed records at the office: opened by any of its identities, and kept when by none."""

from pathlib import Path

import pyrage  # noqa: TID251 - makes identities, which no device does
import pytest

from agent.record.sealing import Recipients
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office import claims
from doorstep_backend.office.corrections import CannotBindError
from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.office.model import open_office
from doorstep_backend.seals import Seals
from doorstep_backend.settings import WrongSettingError
from doorstep_backend.wire.store import Store
from tests.backend.office.interrupted import Interrupted
from tests.support.demo_office import NOON, RECEIVED, WHO, DemoOffice
from tests.support.engines import has


@pytest.fixture
def demo_office(tmp_path: Path) -> DemoOffice:
    """Make an office whose van seals to the office's own recipients."""
    demo_office = DemoOffice(tmp_path)
    demo_office.van.sealed_to = Seals(tmp_path).recipients()
    return demo_office


def escrow(folder: Path) -> Path:
    (file,) = folder.glob("escrow-*.txt")
    return file


def test_bodies_sealed_before_and_after_a_rotation_both_open(demo_office: DemoOffice) -> None:
    first, seals = demo_office.van.sealed_to, Seals(demo_office.folder)
    before = demo_office.receive(demo_office.photo(ALLOWED))
    seals.rotate()
    demo_office.van.sealed_to = seals.recipients()
    after = demo_office.receive(demo_office.photo(ALLOWED))
    store = Store(demo_office.folder)

    assert first is not None
    assert first.names[0] not in demo_office.van.sealed_to.names
    assert first.names[1] == demo_office.van.sealed_to.names[1]
    assert demo_office.shown(ALLOWED) == [before, after]
    for one in (before, after):
        assert store.open(store.received(one)).photo


def test_another_office_identity_takes_nobody_elses_place(demo_office: DemoOffice) -> None:
    """The new identity replaces neither escrow's, which may be here, nor a second office's."""
    seals = Seals(demo_office.folder)
    escrow(demo_office.folder).rename(demo_office.folder / "keys" / "identities" / "escrow.txt")
    first, last = seals.recipients().names
    seals.rotate()
    second, kept = seals.recipients().names
    seals.rotate()

    assert kept == last
    assert first != second
    assert seals.recipients().names[1] == last


def test_a_file_that_is_no_identity_harms_no_record(
    demo_office: DemoOffice, caplog: pytest.LogCaptureFixture
) -> None:
    for name, content in {"note.txt": b"to be moved", "odd.txt": b"\xff\xfe"}.items():
        (demo_office.folder / "keys" / "identities" / name).write_bytes(content)

    for _ in range(2):
        demo_office.receive(demo_office.photo(ALLOWED))

    assert len(demo_office.shown(ALLOWED)) == 2
    assert caplog.text.count("identities=passed_over file=note.txt") == 1


def test_recipients_that_cannot_be_are_told_with_their_file(tmp_path: Path) -> None:
    (tmp_path / "recipients.txt").write_text("age1xx\n")

    with pytest.raises(WrongSettingError, match=r"recipients\.txt: recipient 1: 'age1xx' is not"):
        Seals(tmp_path).recipients()


def test_no_identity_is_ever_written_over(demo_office: DemoOffice) -> None:
    """If the list of recipients is lost, new ones are made; earlier sealed bodies still open."""
    seals = Seals(demo_office.folder)
    before = {file.name: file.read_text() for file in demo_office.folder.rglob("*.txt")}
    (demo_office.folder / "recipients.txt").unlink()
    seals.recipients()
    seals.rotate()
    after = {file.name: file.read_text() for file in demo_office.folder.rglob("*.txt")}

    kept = {name: text for name, text in before.items() if name != "recipients.txt"}
    assert len(kept) == 2
    assert kept.items() <= after.items()
    assert len(seals.identities()) == 3


def test_unopened_body_is_kept_as_received_and_waits_for_dispatch(
    demo_office: DemoOffice,
) -> None:
    """A body that cannot be opened may be of any door, so no customer sees the record."""
    stranger = [str(pyrage.x25519.Identity.generate().to_public()) for _ in range(2)]
    demo_office.van.sealed_to = Recipients.of(stranger)
    made = demo_office.photo(ALLOWED)
    capture_id = demo_office.receive(made)

    (waits,) = demo_office.office.filing.waiting()
    assert (waits.capture_id, waits.bound_by) == (capture_id, "unopened")
    assert demo_office.office.store.received(capture_id) == made.content
    assert not has(demo_office.office.store.photo, capture_id)
    assert (demo_office.shown(ALLOWED), demo_office.office.filing.candidates(capture_id)) == (
        [],
        [],
    )
    with pytest.raises(CannotBindError):
        demo_office.bind(capture_id, ALLOWED)


def test_second_start_keeps_what_dispatch_decided_meanwhile(
    demo_office: DemoOffice, tmp_path: Path
) -> None:
    """Photos are filed once their identity has come; the office's own is lost here.

    The second instance read the list of what cannot be opened before the first filed it again.
    """
    for file in (tmp_path / "keys" / "identities").iterdir():
        file.unlink()
    made = [demo_office.stray(), demo_office.stray()]
    bound, discarded = map(demo_office.receive, made)
    escrow(tmp_path).rename(tmp_path / "keys" / "identities" / "escrow.txt")
    first, second = (open_office(Store(tmp_path)) for _ in range(2))
    said = [claims.read(second.store.open(one.content)) for one in made]
    first.open_anew()
    first.corrections.bind(bound, ALLOWED, WHO, NOON)
    first.corrections.discard(discarded, WHO, NOON)

    for one in said:
        second.filing.refile(one, RECEIVED)

    assert demo_office.shown(ALLOWED) == [bound]
    assert has(second.store.photo, bound)
    assert second.filing.is_erased(discarded)


def test_record_deleted_unopened_stays_deleted_if_its_identity_comes(
    tmp_path: Path, interrupted: Interrupted
) -> None:
    """The object could not be erased; once opened, the body names an order that would show it."""
    demo_office = DemoOffice(tmp_path, objects=interrupted)
    demo_office.van.sealed_to = Seals(tmp_path).recipients()
    for file in (tmp_path / "keys" / "identities").iterdir():
        file.unlink()
    deleted = demo_office.receive(demo_office.photo(ALLOWED))
    interrupted.lost = [deleted]
    with pytest.raises(Unavailable):
        demo_office.office.corrections.discard(deleted, WHO, NOON)
    interrupted.lost = ()
    escrow(tmp_path).rename(tmp_path / "keys" / "identities" / "escrow.txt")

    open_office(Store(tmp_path)).open_anew()

    assert demo_office.shown(ALLOWED) == []
    assert demo_office.office.filing.is_erased(deleted)
