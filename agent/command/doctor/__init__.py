"""Checks a device from its configuration to its backend, and says what to do about each finding."""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from agent.capture import photo_credentials
from agent.command.config import check
from agent.command.doctor import (
    device_check,
    disk_check,
    groups_check,
    permissions,
    pins_check,
    serve_check,
)
from agent.command.doctor.clock_words import clock_result, keepers
from agent.command.doctor.finding import Finding, Level
from agent.command.doctor.network_check import NOT_ENROLLED, findings
from agent.command.owners import run_as
from agent.command.shared import become, owner_of
from agent.command.state_access import open_queue
from agent.config import Config, IdentityMode, Seal, load, path_of
from agent.errors import ConfigError, DoorstepError, ExitCode, NotNow, StorageFault
from agent.models import RecordState, printable
from agent.queue import disk
from agent.queue.labels import read_labels
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import credentials
from agent.record.credentials import OUTSIDE, NoLibrary
from agent.record.signing import UNKNOWN_SIGNER
from agent.status import kept, reading
from agent.status.document import torn
from agent.status.reading import CaptureReport
from agent.status.values import CapturePart
from agent.trust.keys import current_fleet_document, current_recipients
from hardware.clock import BUILT, ClockSource
from hardware.clock_system import SystemClock
from hardware.driver import SIMULATED
from hardware.errors import ScriptError
from hardware.firmware import CONFIG as FIRMWARE_CONFIG

_REMEDIES: Final = {
    photo_credentials.NO_CERTIFICATE: "see `identity`",
    OUTSIDE: "look at the clock, and at the certificate's dates below `identity`",
}
_OFFICE: Final = "tell the office, and quote this"


def examine(path: Path, *, looks: bool = False) -> list[Finding]:
    """Run every check; without a valid configuration there is only that one.

    `looks` has the camera look at a test card.
    """
    try:
        config = load(path, drivers=True)
        check(config)
    except (DoorstepError, ScriptError) as error:
        return [Finding("configuration", Level.FAILED, str(error))]
    valid = Finding("configuration", Level.OK, f"{path} is valid")
    layout = Layout.of(config.state)
    if closed := groups_check.of_the_state(config):  # all else would look like a fault
        return [valid, *(Finding("groups", Level.FAILED, words) for words in closed)]
    over_tls = _as_sync(config, layout)  # before this process is another's for good
    try:
        become(owner_of(layout.queue, layout.state))
    except StorageFault as error:  # the rest would be asked as root
        return [valid, Finding("permissions", Level.FAILED, str(error)), *over_tls]
    running = reading.ask_capture(layout)
    told_by_capture = running.part if isinstance(running, CaptureReport) else CapturePart()
    findings = [
        valid,
        *device_check.findings(config, running, looks=looks),
        *(Finding("pins", *found) for found in pins_check.findings(config, FIRMWARE_CONFIG)),
        *_manifest(told_by_capture),
        *_fleet(config, over_tls, told_by_capture),
        *(Finding("disk", *found) for found in disk_check.findings(config)),
        *(Finding("permissions", Level.FAILED, words) for words in permissions.wrong(layout)),
        *_queue(config),
        _clock(config, told_by_capture, runs=running is not None),
        *over_tls,
        *(Finding("serve", *found) for found in serve_check.findings(config)),
        _sealing(config),
        _credentials(config, told_by_capture),
    ]
    kept.keep_doctor(layout, (one.check for one in findings if one.level is Level.FAILED))
    return findings


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """Return 0, 70 if a check failed, 75 if only backend or camera must be asked later."""
    levels = {finding.level for finding in findings}
    if Level.FAILED in levels:
        return ExitCode.FAULT
    return ExitCode.LATER if Level.LATER in levels else ExitCode.DONE


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a line per finding."""
    for finding in findings:
        first, *rest = map(printable, finding.words.splitlines() or [""])
        yield f"{finding.level:<6}  {finding.check:<13}  {first}"
        yield from (f"{'':<23}{line}" for line in rest)


def _fleet(config: Config, over_tls: Iterable[Finding], running: CapturePart) -> Iterator[Finding]:
    """Check the fleet document that capture uses, or that is stored for it."""
    if config.identity.mode is IdentityMode.OFF:
        return
    try:
        version = running.fleet or current_fleet_document(config).version
    except NotNow:
        has_none = any(one.words.startswith(NOT_ENROLLED) for one in over_tls)
        command = "enrol" if has_none else "sync"
        words = f"no fleet document yet: presses are refused; `doorstep {command}` fetches it"
        yield Finding("fleet", Level.FAILED, words)
    except ConfigError as error:
        yield Finding("fleet", Level.FAILED, str(error))
    else:
        yield Finding("fleet", Level.OK, f"version {version}")
    if refused := running.fleet_refused:
        words = f"one was refused; the last valid one, if there is one, stays: {refused}"
        remedy = "; check identity.fleet_key: ask the office for the fleet key in use"
        yield Finding("fleet", Level.FAILED, words + remedy * (UNKNOWN_SIGNER in refused))


def _sealing(config: Config) -> Finding:
    """Check the recipients; a missing fleet document is reported by its own check."""
    if config.policy.seal is Seal.OFF:
        words = "policy.seal is off: photos are readable on the card: not for the road"
        return Finding("sealing", Level.NOTE, words)
    try:
        recipients = current_recipients(config)
    except (NotNow, ConfigError) as error:
        return Finding("sealing", Level.NOTE, f"nobody to seal to is known yet: {error}")
    if recipients is None:
        words = "the fleet document names no recipients: presses are refused until one does"
        return Finding("sealing", Level.FAILED, f"{words}; in the office: `fleet publish`")
    words = f"to {len(recipients.names)} recipients, each opens alone"
    layout = Layout.of(config.state)
    plain = sum(one.is_plain_photo for one in read_labels(layout)) if layout.records.exists() else 0
    if plain:
        words += f"; {plain} photos of before are readable on the card until they are pruned"
        return Finding("sealing", Level.NOTE, words)
    return Finding("sealing", Level.OK, words)


def _credentials(config: Config, running: CapturePart) -> Finding:
    """Check the credentials of the last photo; another check covers the next one's certificate."""
    if off := photo_credentials.why_off(config):
        words = f"{off}: photos carry no Content Credentials, records are signed all the same"
        return Finding("credentials", Level.NOTE, words)
    if missing := running.no_credentials:
        words = f"the last photo was kept without: {missing}; {_REMEDIES.get(missing, _OFFICE)}"
        return Finding("credentials", Level.FAILED, words)
    try:
        credentials.load()
    except NoLibrary as error:
        return Finding("credentials", Level.FAILED, f"photos are kept without: {error}")
    return Finding("credentials", Level.OK, "on: photos carry a C2PA manifest")


def _manifest(running: CapturePart) -> Iterator[Finding]:
    if running.manifest == "none":
        words = "none is valid now, so presses are refused; sync asks for one every minute"
        yield Finding("manifest", Level.NOTE, words)
    if refused := running.manifest_refused:
        words = f"one was refused; the last valid one, if there is one, stays: {refused}"
        yield Finding("manifest", Level.FAILED, words)


def _queue(config: Config) -> Iterator[Finding]:
    layout = Layout.of(config.state)
    try:
        with open_queue(config) as outbox:
            yield from _stuck(layout, outbox)
            yield from _alarms(outbox)
    except NotNow as error:
        yield Finding("queue", Level.NOTE, str(error))
    except StorageFault as error:
        yield Finding("queue", Level.FAILED, str(error))
    try:
        yield from _left_over(layout)
    except PermissionError as error:
        words = f"{error.filename}: {error.strerror}; {disk_check.AS_WHOM}"
        yield Finding("queue", Level.FAILED, words)


def _stuck(layout: Layout, outbox: Outbox) -> Iterator[Finding]:
    """Report records that have no row; capture queues or moves all that it can."""
    with disk.disk_errors(f"cannot read {layout.records}"):
        files = {path.stem for path in layout.records.glob("*.rec")}
    if stuck := files - outbox.states().keys():
        words = (
            f"{len(stuck)} files in {layout.records} are neither queued nor in torn/; "
            "`journalctl -u doorstep-capture -g event=stuck` says why, and each start tries again"
        )
        yield Finding("queue", Level.FAILED, words)


def _left_over(layout: Layout) -> Iterator[Finding]:
    """Report files that broken queues and power cuts left."""
    if aside := [path.name for path in layout.quarantined()]:
        words = (
            f"{', '.join(aside)} in {layout.state}: the queue was broken, and set aside; capture "
            "deletes it when all is queued again, so something in records/ or in it is in the way"
        )
        yield Finding("queue", Level.NOTE, words)
    if layout.rebuild_mark.exists():
        words = "a process found the queue broken; `doorstep capture` makes it again when it runs"
        yield Finding("queue", Level.FAILED, words)
    if files := torn(layout):
        words = f"{files} files in {layout.torn} did not verify; keep them, tell the office"
        yield Finding("torn files", Level.NOTE, words)


def _alarms(outbox: Outbox) -> Iterator[Finding]:
    counts = outbox.counts()
    for number, what, advice in (
        (
            counts.damaged,
            "damaged",
            "their files are gone or altered; keep the card, tell the office",
        ),
        (counts.refused, "refused by the backend", "`doorstep queue --state REFUSED` says why"),
        (counts.suspected, "suspect", "something on the way answers for the backend; see status"),
    ):
        if number:
            yield Finding("queue", Level.FAILED, f"{number} {what}: {advice}")
    if not (counts.damaged or counts.refused or counts.suspected):
        yield Finding("queue", Level.OK, f"{counts.waiting} waiting, no alarm")
    for oldest in outbox.items(RecordState.PENDING, 0, 1):
        if oldest.answer:
            tries = "once" if oldest.attempts == 1 else f"{oldest.attempts} times"
            words = f"the oldest was tried {tries}; last answer: {oldest.answer}"
            yield Finding("queue", Level.NOTE, words)


def _clock(config: Config, running: CapturePart, *, runs: bool) -> Finding:
    known = [source for source in ClockSource if source == running.clock]
    source = known[0] if known else SystemClock(BUILT).now().source
    if config.board.clock.kind == SIMULATED and runs:
        return Finding("clock", Level.OK, f"simulated: {source}")
    by, receiver = keepers(), config.board.position.kind
    if source is ClockSource.GNSS and receiver == SIMULATED and by.chronyd is None:
        return Finding("clock", Level.OK, "by GNSS: what the simulated receiver says")
    is_well, words = clock_result(source, by)
    level = Level.NOTE if source is ClockSource.UNSYNCED else Level.OK
    return Finding("clock", level if is_well else Level.FAILED, words)


def _as_sync(config: Config, layout: Layout) -> list[Finding]:
    """Run checks as the owner of sync's keys."""
    try:
        owner = owner_of(layout.sync_keys, layout.state)
        told = run_as(owner, lambda: {"found": findings(config)})
    except DoorstepError as error:
        return [Finding("identity", Level.FAILED, str(error))]
    return [Finding(check, Level[level], words) for check, level, words in told["found"]]


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep doctor [--json] [--camera]`."""
    findings = examine(path_of(arguments.config), looks=arguments.camera)
    if arguments.json:
        print(json.dumps([finding.payload() for finding in findings]))
    else:
        print("\n".join(lines(findings)))
    return exit_code(findings)
