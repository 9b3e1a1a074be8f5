"""Scenarios of a fleet's device: sealed photos, its enrolment, the renewal of its certificates."""

import random
import subprocess
import sys
from contextlib import closing, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Final

from agent.__main__ import main
from agent.command.capture_process import answer
from agent.config import Config, load
from agent.identity import capture_part
from agent.identity.capture_certificates import ServeCertificate
from agent.identity.device_key import device_key
from agent.identity.est import EstClient
from agent.identity.renewal import Renewal
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.models import Reason, RecordKind
from agent.process.control import Line
from agent.queue.disk import sync_folder, write_durably
from agent.record import certificates, signing
from agent.record.signing import PrivateKey
from agent.trust.store import TrustStore
from agent.wire import tls
from tests.faults.powercut import files, office
from tests.faults.powercut.before import grow
from tests.faults.powercut.office import AUTHORITY, CA, DEVICE, FLEET, SERVED
from tests.faults.powercut.scenario import pictures
from tests.faults.powercut.stage import Stage
from tests.support.authority import YEAR
from tests.support.benchtop import Bench
from tests.support.device import REPOSITORY, Device
from tests.support.sending import QUICK

OLD: Final = timedelta(days=300)
"""Age of certificates that are due for renewal: more than two thirds of a year and the spread."""


def sealed(stage: Stage) -> None:
    """Take photos with Content Credentials; the second fleet document changes their recipients."""
    office.join(stage)
    enrol_by_hand(stage, timedelta(minutes=1))
    with stage.open() as device, files.noted(stage):
        grow(stage, device)
        stage.begin()
        for picture in (0, 1, 2):
            stage.parts.camera.pictures = [pictures()[picture]]
            photo(stage, device)
        device.hold_scan(after_s=1.0)
        stage.promise()
        answer = device.loop.documents.answer({"offer": "fleet", "text": office.SECOND})
        assert answer == {"taken": True}, answer
        photo(stage, device)
        photo(stage, device)


def enrolment(stage: Stage) -> None:
    """Press without certificates, which makes no photo; then enrol, and take photos."""
    with office.opened(stage), files.noted(stage):
        write_durably(stage.disk / CA, AUTHORITY.pem)
        with stage.open() as device:
            device.press()
            stage.promise()
            assert device.replies[-1]["record"]["reason"] == Reason.NOT_ENROLLED
        (stage.disk / CA).unlink()
        sync_folder(stage.disk)
        stage.begin()
        code, said = enrol(stage)
        assert code == 0, said
        with stage.open() as device:
            photo(stage, device)
            photo(stage, device)


def renewal(stage: Stage) -> None:
    """Let sync and capture replace all three certificates between presses."""
    with office.opened(stage), files.noted(stage):
        enrol_by_hand(stage, OLD)
        with stage.open() as device:
            photo(stage, device)
            stage.begin()
            photo(stage, device)
            assert (trouble := renew(device)) is None, trouble
            photo(stage, device)


def photo(stage: Stage, device: Bench) -> None:
    """Press, and check that this leaves a record with a photo."""
    stage.photo(device)
    assert device.replies[-1]["label"]["kind"] == RecordKind.PHOTO, device.replies[-1]


def enrol_by_hand(stage: Stage, age: timedelta, own: PrivateKey | None = None) -> None:
    """Write all files of an enrolment, with certificates of this age; `own` is the key for TLS."""
    layout, starts = stage.layout, datetime.now(UTC) - age
    layout.make()
    write_durably(Path(stage.tables["identity"]["ca"]), AUTHORITY.pem)
    config = settings(stage)
    trust, own = TrustStore(layout), own or signing.new_key()
    leaf = AUTHORITY.issue(own.public_key(), DEVICE, starts=starts)
    IdentityStore(layout).install(TlsIdentity(own, (leaf,)))
    signs = device_key(layout)[0].public_key()
    evidence = AUTHORITY.issue(signs, DEVICE, starts=starts, life=YEAR, evidence=True)
    trust.keep_certificate("evidence", certificates.pem([evidence]))
    trust.keep_fleet_version(signing.thumbprint(FLEET.key.public_key()), 1)
    trust.keep_fleet((office.FIRST,))
    asked = ServeCertificate(config).ask_with(capture_part.request_as_serve(config))
    key = certificates.read_request(asked).key
    serve = AUTHORITY.issue(key, DEVICE, starts=starts, server=True, names=[SERVED])
    trust.keep_certificate("serve", certificates.pem([serve]))
    files.note(stage, layout.keys, layout.trust)


def settings(stage: Stage) -> Config:
    """Return the device's settings as its commands read them."""
    return load(device(stage).config)


def device(stage: Stage) -> Device:
    """Return the device as a technician sees it."""
    return Device(stage.folder, "", state=stage.state, **stage.tables)


def enrol(stage: Stage, *, is_real: bool = False) -> tuple[int, str]:
    """Run `doorstep enrol` with the token; return exit code and output."""
    pin = certificates.key_sha256(AUTHORITY.certificate)
    url, token = stage.tables["backend"]["url"], str(office.token_file(stage))
    words = ("enrol", url, "--token", token, "--ca-sha256", pin)
    return said(*words, config=device(stage).config, is_real=is_real)


def said(*words: str, config: Path, is_real: bool = False) -> tuple[int, str]:
    """Run a command of the product, in this process or in its own; return exit code and output."""
    words = (*words, "--config", str(config))
    if is_real:
        command = [sys.executable, "-m", "agent", *words]
        ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout + ended.stderr
    with redirect_stdout(StringIO()) as out, redirect_stderr(out):
        code = main(list(words))
    return code, out.getvalue()


def renew(device: Bench) -> str | None:
    """Run sync's renewal once while capture works; return what is wrong with the certificates."""
    config = device.config
    with closing(EstClient(config.est, tls.for_est(config), QUICK)) as est:
        made = Renewal(config, est, random.Random(1), partial(_ask, device))
        made.tick(1000.0)
        trouble = made.status()["identity_trouble"]
    return None if trouble is None else str(trouble)


def _ask(device: Bench, line: Line) -> Line:
    return answer(device.loop, line, "sync")
