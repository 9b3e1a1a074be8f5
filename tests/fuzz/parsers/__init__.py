"""The parsers of foreign bytes, by name."""

from collections.abc import Mapping
from typing import Final

from tests.fuzz.parsers.backend import BACKEND
from tests.fuzz.parsers.certificate import CERTIFICATE
from tests.fuzz.parsers.device import DEVICE_PARSERS
from tests.fuzz.parsers.parser import Parser
from tests.fuzz.parsers.record import RECORD

PARSERS: Final[Mapping[str, Parser]] = {
    one.name: one for one in (*RECORD, *CERTIFICATE, *DEVICE_PARSERS, *BACKEND)
}
