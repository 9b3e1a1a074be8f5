"""Answers that come before the whole request did; after each the record lies where it must."""

from collections.abc import Iterator

import pytest

from tests.faults.network.box import Ending, Fault
from tests.faults.network.rig import Exchange, Rig, in_memory, rig
from tests.support.rawserver import head

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def one() -> Iterator[Rig]:
    with in_memory() as folder, rig(folder) as made:
        yield made


WORDS = {
    "413": head(413, Content_Length=0),
    "401": head(401, Content_Length=0),
    "503": head(503, Content_Length=0, Retry_After=7),
    "200 of a portal": head(200, Content_Length=6) + b"<html>",
    "201 of nothing": head(201, Upload_Offset=0, Content_Length=0),
    "201 of a part": head(201, Upload_Offset=1000, Content_Length=0),
    "201 of it all": head(201, Upload_Offset=10**6, Content_Length=0),
    "409": head(409, Content_Length=0),
    "half an answer": b"HTTP/1.1 201 Created\r\nUpload-Off",
    "nothing": b"",
}


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("ending", [Ending.CLOSE, Ending.CUT])
def test_early_answer_and_the_end_of_the_line_delivers_nothing(
    one: Rig, words: str, ending: Ending
) -> None:
    """Before the request, after its head, in the body, and once it was read to its end."""
    extent = one.extent(Exchange.FIRST, 300_000)
    whole = extent.passed["up"]
    for after_bytes in (1, extent.head_bytes, extent.head_bytes + 100_000, whole):
        said = WORDS[words].replace(b"1000000", b"%d" % extent.item.bytes)
        fault = Fault("up", after_bytes, ending, said)

        assert one.harmed(fault, Exchange.FIRST, 300_000) == [], after_bytes
