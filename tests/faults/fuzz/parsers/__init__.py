"""The parsers of foreign bytes, by name."""

from collections.abc import Mapping
from typing import Final

from tests.faults.fuzz.parsers.backend import BACKEND
from tests.faults.fuzz.parsers.certificate import CERTIFICATE
from tests.faults.fuzz.parsers.device import DEVICE_PARSERS
from tests.faults.fuzz.parsers.parser import Parser
from tests.faults.fuzz.parsers.record import RECORD

PARSERS: Final[Mapping[str, Parser]] = {
    one.name: one for one in (*RECORD, *CERTIFICATE, *DEVICE_PARSERS, *BACKEND)
}
