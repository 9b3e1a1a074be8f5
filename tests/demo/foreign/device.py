"""The simulated device that delivers to a foreign backend: settings, network and identity."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from agent.config import (
    BackendSettings,
    Config,
    IdentityMode,
    IdentitySettings,
    ManifestPolicy,
    PolicySettings,
    load,
    read_toml,
    wrong_address,
)
from agent.errors import ConfigError
from hardware.settings_toml import TableReader
from tests.demo.receiver import Receiver
from tests.demo.round import WIDTH_PX
from tests.support.device import Device
from tests.support.network import FaultProxy

DEVICE: Final = "demo-01"


@dataclass(frozen=True, slots=True)
class Given:
    """The tables that the owner of the backend writes, as in the configuration of a device."""

    backend: BackendSettings
    identity: IdentitySettings
    policy: PolicySettings


def given(url: str, file: Path) -> Given:
    """Read the tables from `file`, for the backend at `url`.

    Raises:
        ConfigError: names every wrong setting.
    """
    tables = read_toml(file)
    backend = tables.get("backend", {})
    if isinstance(backend, dict):
        tables["backend"] = {"url": url} | backend
    reader = TableReader(file.parent.resolve())
    found = reader.table(Given, tables, "")
    problems = reader.problems
    if found is not None:
        problems += [*wrong_address("backend.url", url), *_misfits(found, url)]
    if found is None or problems:
        raise ConfigError("\n".join(f"{file}: {problem}" for problem in problems))
    return found


def _misfits(found: Given, url: str) -> Iterator[str]:
    """Yield the settings with which the round cannot be played."""
    if found.backend.url.rstrip("/") != url.rstrip("/"):
        yield f"backend.url: {found.backend.url} differs from --backend {url}"
    if found.policy.manifest is not ManifestPolicy.REQUIRED:
        words = 'the round has doors that take no photo; set it to "required"'
        yield f"policy.manifest: {found.policy.manifest}; {words}"


def target(url: str) -> tuple[str, int]:
    """Return host and port of an https:// address."""
    parts = urlsplit(url)
    return str(parts.hostname), parts.port or 443


class ProxiedDevice(Device):
    """A device whose connections to its backend go through a proxy.

    Args:
        folder: of the device; one that is there keeps its keys and its records.
        world: the world script, from the first press on.
        settings: of its owner.
        network: the proxy.
        receiver: the GPS receiver.
    """

    def __init__(
        self, folder: Path, world: str, settings: Given, network: FaultProxy, receiver: Receiver
    ) -> None:
        self._network = network
        (folder / "run" / "world.json").unlink(missing_ok=True)  # of an earlier round
        own = {name: _toml_values(table) for name, table in asdict(settings).items()}
        super().__init__(
            folder,
            world,
            device={"id": DEVICE},
            camera={"width_px": WIDTH_PX, "height_px": WIDTH_PX * 9 // 16},
            position={"kind": "gpsd", "gpsd": f"127.0.0.1:{receiver.port}"},
            **own,
        )

    def words(self, *words: str) -> list[str]:
        """Return the command line of `doorstep WORDS`, led through the proxy."""
        host, port = self._network.target
        way = [host, str(port), str(self._network.port)]
        command = [sys.executable, "-m", "tests.demo.foreign.detour", *way]
        return [*command, *words, "--config", str(self.config)]

    def settings(self, file: Path) -> Config:
        """Return the settings; errors name `file`. Raises ConfigError."""
        try:
            return load(self.config)
        except ConfigError as error:
            raise ConfigError(str(error).replace(str(self.config), str(file))) from error

    def enrol(self, config: Config, token: Path | None) -> None:
        """Get certificates and the fleet document, if identity is required.

        Exits if a person must carry the requests to an authority first.
        """
        if config.identity.mode is IdentityMode.OFF:
            return
        if not config.uses_certificate_files:
            self._enrol(config.est, *([] if token is None else ["--token", str(token.resolve())]))
            return
        requests, answers = self.folder / "requests", self.folder / "certificates"
        answers.mkdir(exist_ok=True)
        if files := sorted(map(str, answers.glob("*.pem"))):
            self._enrol("--certificate", *files)
            return
        self._enrol("--csr", str(requests), prints=False)  # it names the next command of a device
        remedy = f"put them into {answers} as *.pem, and start this command again"
        sys.exit(f"{DEVICE} needs certificates: have them made of {requests}/*.csr, {remedy}")

    def _enrol(self, *words: str, prints: bool = True) -> None:
        ended = self.run("enrol", *words, stdin=subprocess.DEVNULL)
        if prints:
            print("".join(f"   {line}\n" for line in ended.stdout.splitlines()), end="", flush=True)
        if ended.returncode != 0:
            sys.exit(f"{DEVICE}: `doorstep enrol` failed: {ended.stderr.strip()}")


def _toml_values(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a table that are set, as TOML has them."""
    return {name: _plain(value) for name, value in table.items() if value is not None}


def _plain(value: Any) -> Any:
    match value:
        case Path():
            return os.fspath(value)
        case tuple():
            return [_plain(one) for one in value]
    return value
