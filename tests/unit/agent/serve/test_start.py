"""`doorstep serve` names each missing or wrong thing before it serves."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.served import prepared
from tests.unit.agent.command.inprocess import run

pytestmark = pytest.mark.slow

OFF: Final[Mapping[str, Any]] = {
    "identity": {"mode": "off"},
    "backend": {"receipt_keys": ["receipt-key.pem"]},
}


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (OFF, "identity.mode: off; serve knows its clients by the fleet's authority"),
        ({"serve": {"names": []}}, "serve.names: empty; its certificate is for"),
        ({"serve": {"clients": []}}, "serve.clients: empty; name the clients that may ask"),
        ({"serve": {"clients": ["a b"]}}, 'serve.clients: ["a b"] is not '),
        *(
            ({"serve": {"listen": listen}}, f'serve.listen: "{listen}" is not ADDRESS:PORT')
            for listen in ("8443", "localhost:8443", "127.0.0.1:65536", "127.0.0.300:1", ":8443")
        ),
        ({"serve": {"listen": "[::1::1]:8443"}}, 'serve.listen: "[::1::1]:8443" is not'),
    ],
)
def test_a_wrong_setting_ends_it_with_2_and_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tables: Mapping[str, Any], said: str
) -> None:
    van = prepared(tmp_path / "van", **tables)

    assert run(van.device, "serve") == 2
    assert said in capsys.readouterr().err


NONE_YET: Final = "doorstep: serve has no certificate yet; `doorstep enrol` gets one\n"


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("state/trust/serve.pem", None, (75, NONE_YET)),
        ("state/keys/serve/key.pem", None, (75, NONE_YET)),
        ("fleet-ca.pem", None, (75, "`doorstep enrol URL --ca-sha256 HEX` puts it there")),
        ("state/trust/serve.pem", "", (75, "not a certificate and its key")),
        ("state/keys/serve/key.pem", "words", (75, "not a certificate and its key")),
        ("fleet-ca.pem", "words", (2, "identity.ca")),
    ],
)
def test_missing_or_corrupt_file_is_reported_with_the_remedy(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    text: str | None,
    told: tuple[int, str],
) -> None:
    van = prepared(tmp_path / "van")
    path = van.device.folder / file
    path.unlink() if text is None else path.write_text(text)

    assert run(van.device, "serve") == told[0]
    assert told[1] in capsys.readouterr().err


def test_port_in_use_is_reported_plainly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        van = prepared(tmp_path / "van", serve={"listen": listen})

        assert run(van.device, "serve") == 75
    assert f"serve.listen: {listen}: Address already in use" in capsys.readouterr().err


def test_serve_listens_on_ipv6_too(tmp_path: Path) -> None:
    van = prepared(tmp_path / "van", serve={"listen": "[::1]:0"})
    try:
        van.device.start("serve", ready=False)
        van.device.await_that(lambda: "event=serving listen=[::1]:" in van.log())
    finally:
        van.device.stop_all()
