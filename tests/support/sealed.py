"""Whom the records of tests are sealed to, and what opens them; known to everybody."""

from typing import Final

from agent.record import file as recordfile
from agent.record import sealing
from agent.record.sealing import Recipients

OFFICE: Final = "AGE-SECRET-KEY-1DA8QC09ZERZ3XNKVXRDMEEWPSS02SM2SQHWCU2MWQYVT5FU600RQC0QWD7"
ESCROW: Final = "AGE-SECRET-KEY-1L8UWFGYCVFXGH8YJW4DNQA3U0MG85WNMMJTS68NYGVFWXGDJM60QWQQXPG"

IDENTITY_FILE: Final = f"# of tests: sealed to these is sealed to nobody\n{OFFICE}\n{ESCROW}\n"

IDENTITIES: Final = sealing.read_identities(IDENTITY_FILE)

NAMES: Final = [one.recipient for one in IDENTITIES]

RECIPIENTS: Final = Recipients.of(NAMES)


def left_plain(body: bytes, _has_photo: bool) -> tuple[bytes, str]:
    """Seal nothing: everybody who has the card may read it."""
    return body, recordfile.BODY_TYPE


def unpack(content: bytes) -> recordfile.RecordFile:
    """Open a record of a test's device, sealed or not; raises as `recordfile.unpack`."""
    return recordfile.unpack(content, IDENTITIES)
