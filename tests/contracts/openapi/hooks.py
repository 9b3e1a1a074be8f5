"""Inputs that schemathesis cannot make: uploads that fit together, and certificate requests.

It imports this by its name in schemathesis.toml. In its environment `DOORSTEP_DEVICE` is the
device that asks, and `DOORSTEP_KEY` a file with the device's signing key.
"""

import os
from pathlib import Path
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st

from agent.record import signing
from tests.support.enrolment import asked
from tests.support.wire import announce

RECEIVED: Final = "71c344a4-afa0-4039-9d15-c737886a3e43"
"""Id of a record that the backend has, or that is in the device's queue."""

BEGUN: Final = "0c7a5a0e-7f0f-4d27-8d8c-3f2f6b0f6a11"
"""Id of an upload of CONTENT that has no byte yet, or of the queue's second record."""

CONTENT: Final = b"no record"


def register() -> None:
    """Once more does no harm."""
    ids = st.one_of(st.sampled_from([RECEIVED, BEGUN]), st.uuids().map(str))
    contents = st.sampled_from([b"", CONTENT])
    schemathesis.openapi.format("doorstep-upload-metadata", st.builds(_metadata, ids, contents))
    schemathesis.openapi.format("doorstep-cursor", st.sampled_from([RECEIVED, BEGUN]))
    schemathesis.openapi.media_type(
        "application/offset+octet-stream", st.sampled_from([b"", b"no", CONTENT])
    )
    schemathesis.openapi.media_type("application/pkcs10", st.builds(_request))
    schemathesis.deserializer("application/jose", "application/pkcs7-mime")(_text)


def own_name(device: str) -> str:
    """Return the name of a device's own server, if the office gave it that name."""
    return f"{device}.example"


def _metadata(capture_id: str, content: bytes) -> str:
    return announce(capture_id, content)["Upload-Metadata"]


def _request() -> bytes:
    device, key_file = os.environ["DOORSTEP_DEVICE"], Path(os.environ["DOORSTEP_KEY"])
    return asked(device, signing.read_private_key(key_file), [own_name(device)])


def _text(_context: Any, response: Any) -> str:
    text: str = response.content.decode("ascii")
    return text


register()
