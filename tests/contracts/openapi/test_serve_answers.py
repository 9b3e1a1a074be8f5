"""Every answer in serve's document is given by the real one, and is as the document says."""

from pathlib import Path
from typing import Final

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from tests.contracts.openapi.documents import SERVE, Held, allowed, answers
from tests.contracts.openapi.queued import queued
from tests.support.served import ServingDevice, served

pytestmark = pytest.mark.slow

WITHIN_S: Final = 10.0


def test_every_answer_in_the_document_is_given(tmp_path: Path) -> None:
    """Also of a device whose capture and sync run and say something of themselves."""
    held = Held(SERVE)
    with served(tmp_path) as device, session(device, held, None) as stranger:
        for path in held.document["paths"]:
            stranger.get(device.url + path, timeout=WITHIN_S)
        with session(device, held, device.client_file) as client:
            client.get(f"{device.url}/v1/captures", timeout=WITHIN_S)  # 503
            with queued(device.device.layout.state.parent):
                page = client.get(f"{device.url}/v1/captures?limit=2", timeout=WITHIN_S).json()
                client.get(f"{device.url}/v1/captures?after={page['next']}", timeout=WITHIN_S)
                ask_all(client, device)
            device.device.start("capture")
            device.device.start("sync")
            ask_all(client, device)
            status = client.get(f"{device.url}/v1/status", timeout=WITHIN_S).json()

    assert status["capture"]
    assert status["sync"]
    assert answers(held.document) - held.seen == set(), "in the document, and never given here"


def test_forbidden_method_is_405_and_names_the_allowed_ones(tmp_path: Path) -> None:
    held = Held(SERVE)
    with served(tmp_path) as device:
        for path in held.document["paths"]:
            for method in ("TRACE", "POST", "OPTIONS"):
                answer = device.ask(path, method=method)

                assert answer.status == 405
                assert set(answer.headers["Allow"].split(", ")) == allowed(held.document, path)


def ask_all(client: requests.Session, device: ServingDevice) -> None:
    """With the parameters that there are, and with one that there is not."""
    for path in Held(SERVE).document["paths"]:
        client.get(device.url + path, timeout=WITHIN_S)
        client.get(f"{device.url}{path}?other=1", timeout=WITHIN_S)


def session(device: ServingDevice, held: Held, client_file: Path | None) -> requests.Session:
    """Trusts the device's authority and nothing that the environment says."""
    made = requests.Session()
    made.trust_env = False
    made.verify = str(device.ca_file)
    made.cert = None if client_file is None else str(client_file)
    made.hooks["response"].append(held.hold)
    return made
