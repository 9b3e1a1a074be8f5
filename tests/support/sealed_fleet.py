"""A fleet whose records are sealed and exported as evidence, for tests."""

import hashlib
from dataclasses import replace
from pathlib import Path

from agent.record import file as recordfile
from agent.record import sealing
from agent.record.verify import examine
from doorstep_backend import keys
from doorstep_backend.engines.objects import Objects
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.fleet import FleetDocuments, KeyFiles
from doorstep_backend.identity.register import Register
from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.office.worker import Worker
from doorstep_backend.seals import Seals
from doorstep_backend.wire.store import Upload
from tests.support.demo_office import NOON, DemoOffice
from tests.support.factory import Made, RecordMaker
from tests.support.faulty.intake import FaultyIntake
from tests.support.faulty.switches import switched


class SealedFleet:
    """A demo office whose van is enrolled and seals, and a terminal beside it."""

    def __init__(
        self, folder: Path, *, identity: bool = True, objects: Objects | None = None
    ) -> None:
        self.folder = folder
        folder.mkdir()
        self.demo_office = DemoOffice(folder, van=RecordMaker.begun(), objects=objects)
        ca = keys.certificates(folder / "ca")
        FleetDocuments(folder).settle()
        register = Register(folder) if identity else None
        van, public = self.demo_office.van.device_id, self.demo_office.van.key.public_key()
        if register is not None:
            authority = Authority.of(ca.folder)
            register.let_in(van)
            register.vouch(van, public, NOON, lambda: authority.evidence(van, public))
        self.key = keys.KeyInUse(KeyFiles(folder).signs)
        self.intake = FaultyIntake(
            self.demo_office.office.store, self.key, self.demo_office.office, register
        )
        self.recipients = Seals(folder).recipients()

    def sealed(self, number: str = ALLOWED, packed: bytes = b"") -> Made:
        made = self.demo_office.photo(number)
        body = sealing.seal(packed or made.content.partition(b"\n")[2], self.recipients)
        label = replace(made.label, body=recordfile.describe(body, sealing.SEALED_TYPE))
        again = Made(label, recordfile.sign(label, body, self.demo_office.van.key))
        self.demo_office.van.prev = again.label_sha256
        return again

    def begin(self, made: Made, cut: int = 0) -> Upload:
        digest, store = hashlib.sha256(made.content).hexdigest(), self.demo_office.office.store
        upload = Upload(made.label.capture_id, len(made.content), digest, "", made.label.device_id)
        store.create(upload)
        store.append(upload, 0, made.content[: len(made.content) - cut])
        return upload

    def take(self, made: Made, refuse: str | None = None) -> Made:
        with switched(refuse=refuse):
            self.intake.judge(self.begin(made))
        Worker(self.demo_office.office).step()
        return made

    def export(self, capture_id: str, *words: str) -> str:
        out = () if "--out" in words else ("--out", str(self.out))
        return self.demo_office.said("export-evidence", capture_id, *words, *out)

    @property
    def out(self) -> Path:
        return self.folder.parent / "out"

    def read(self, name: str) -> str:
        return (self.out / name).read_text()

    def names(self) -> set[str]:
        files = (path for path in self.out.rglob("*") if path.is_file())
        return {str(path.relative_to(self.out)) for path in files}

    def problems(self) -> tuple[int, str]:
        report = examine(self.out.glob("*.rec"), None, Seals(self.folder).identities())
        return report.problems, "\n".join(report.lines)
