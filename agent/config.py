"""The configuration file: TOML to frozen settings, every problem at once, in the operator's words.

The settings of the devices are in `hardware/settings.py`; this module adds the agent's own.

Only what depends on the camera, the board or the fleet is a setting. To add one, add a field to a
dataclass here, or to a part's in `hardware/settings.py`: its docstring, its range, and a default
that suits every device. Add a check to `_contradictions` if it can contradict another setting, and
its line to `systemd/config.toml`, commented out; then generate the pages' tables.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from agent.errors import ConfigError
from agent.models import DEVICE_ID, has_host
from hardware.firmware import BUILD_PINS
from hardware.settings import (
    BoardSettings,
    ButtonSettings,
    CameraSettings,
    ClockSettings,
    IndicatorSettings,
    LampSettings,
    Match,
    MotionSettings,
    PositionSettings,
    PowerSettings,
    Range,
    SimulatedSettings,
)
from hardware.settings_toml import TableReader, read_document

_Percent = Annotated[float, Range(0, 100, "a percentage")]
_Score = Annotated[float, Range(0, 1_000_000, "a score")]
_Name = Annotated[str, Match(DEVICE_ID.pattern, "letters, digits, . _ -")]

DEFAULT_PATH: Final = Path("/etc/doorstep/config.toml")
"""Configuration of a provisioned device: /etc is for files of one host.

Source: Filesystem Hierarchy Standard 3.0 section 3.7.
"""


class ManifestPolicy(StrEnum):
    """Source of the stops; every record and the status say if it is OFF.

    REQUIRED: without a valid manifest there is no photo.
    """

    OFF = "off"
    REQUIRED = "required"


class Seal(StrEnum):
    """Encryption of bodies on the card; the status shows OFF.

    REQUIRED: while no recipient is known, no press makes a photo.
    """

    OFF = "off"
    REQUIRED = "required"


class ContentCredentials(StrEnum):
    """Content Credentials (C2PA) in photos; they cost capture about 20 MB of memory.

    AUTO: on, if identity is required.
    """

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """`[device]`."""

    id: _Name
    """Name of this device; in every record, and the common name of its certificates."""
    bench_mode: bool = False
    """True if presses may come through the socket on a real board; shown in the status."""


@dataclass(frozen=True, slots=True)
class StateSettings:
    """`[state]`: the folder that must survive a power cut, and the folder of the sockets."""

    dir: Path = Path("/var/lib/doorstep")
    """Folder of queue, records and keys; must survive a power cut."""
    run_dir: Path = Path("/run/doorstep")
    """Folder of the sockets, which a restart of the device may empty."""
    reserve_mb: Annotated[int, Range(1, 1_000_000, "a size in megabytes")] = 64
    """Free space that photos leave alone, so that the queue can go on working."""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """`[policy]`."""

    manifest: ManifestPolicy
    seal: Seal = Seal.REQUIRED
    credentials: ContentCredentials = ContentCredentials.AUTO
    scanning: bool = True
    """True if labels are read: by the scan button, and after a refusal that a label can settle."""
    eph_factor: Annotated[float, Range(0.5, 10, "a factor")] = 1.0
    """Factor from the receiver's error estimate to a 95 % one; 2.45 if it means one sigma."""


HttpsAddress = Annotated[str, Match(r"https://[^\s/?#]+(/[^\s?#]*)?", "an https:// address")]


class IdentityMode(StrEnum):
    """The device's identity in the fleet; OFF is for the bench, and is shown.

    REQUIRED: mutual TLS, and keys from the fleet document; without one no press makes a photo.
    """

    OFF = "off"
    REQUIRED = "required"


class CertificateSource(StrEnum):
    """The source of the device's certificates.

    EST: the device asks a server, and renews the certificates by itself.
    FILES: a person carries requests and certificates; `doorstep enrol --csr` and `--certificate`.
    """

    EST = "est"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """`[identity]`: the identity of this device, and what it trusts."""

    mode: IdentityMode
    ca: Path | None = None
    """The fleet's certificate authority, PEM; put there by root, or by `doorstep enrol`."""
    fleet_key: Path | None = None
    """The public key that signs the fleet document, PEM; root puts it there."""
    est: HttpsAddress | None = None
    """Address of the EST server; by default the origin of `backend.url`."""
    certificates: CertificateSource = CertificateSource.EST
    """Source of the certificates: an EST server, or files that a person carries."""


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """`[backend]`."""

    url: HttpsAddress
    """Address of the backend; the requests of the wire are below it."""
    receipt_keys: tuple[Path, ...] = ()
    """Public keys that sign receipts; with `identity.mode = "off"` only."""
    ca: Path | None = None
    """Trusted certificates in place of `identity.ca`, or else of the system's."""
    recipients: tuple[str, ...] = ()
    """Public keys (`age1...`) that bodies are sealed to; with `identity.mode = "off"` only."""


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """`[sync]`."""

    batch_minutes: Annotated[int, Range(0, 60, "a number of minutes")] = 0
    """Longest time between two uses of the network, except in the cradle; 0 for no batches.
    An opt-out or a changed route arrives up to so much later."""


_Endpoint = Annotated[
    str, Match(r"([0-9.]{7,15}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}", "ADDRESS:PORT")
]
_LAST_PORT: Final = 65_535

_HostName = Annotated[str, Match(r"[A-Za-z0-9.:-]{1,253}", "a host name or an address")]


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """`[serve]`: the clients that may ask this device for its status, and the address."""

    listen: _Endpoint = "127.0.0.1:8443"
    """Loopback by default: then it is reached through SSH."""
    names: tuple[_HostName, ...] = ()
    """Names in its certificate; the office must have given this device each of them."""
    clients: tuple[_Name, ...] = ()
    """Common names of the fleet's certificates that may ask. Every device holds a certificate."""

    @property
    def address(self) -> tuple[str, int]:
        """`listen` in two."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`[quality]`: thresholds from scores to a verdict; they depend on camera and processor.

    The defaults come from rendered doors (hardware/simulated/scenes.py) and photographs exposed by
    a sensor's model (tests/bench/quality) of November 2026, not from the device's camera.
    """

    version: str = "2026.12.1"
    """Goes into every record; change it with any of the others."""
    dark_below_pct: _Percent = 11.0
    """Mean luma, % of full scale."""
    clipped_above_pct: _Percent = 20.0
    """Share of clipped pixels, %."""
    covered_below_pct: _Percent = 0.5
    """Spread of a thumbnail without its gradients, % of full scale."""
    noisy_above: _Score = 10.0
    """Standard deviation of the noise in a view of half the size, grey levels of 255."""
    blurred_below: _Score = 52.0
    """Sharpness; a perfect edge has 100. The sharp photographs by which it was chosen had 54 or
    more by day; of 63 others, three had less than 52."""


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """`[retention]`: the time for which the device keeps records that have a receipt."""

    file_hours: Annotated[int, Range(0, 8_760, "a number of hours")] = 72
    """Time for which the record's file stays after its receipt."""
    row_days: Annotated[int, Range(1, 365, "a number of days")] = 14
    """Time for which the row in the queue stays after that receipt."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set; one table of the file per field."""

    device: DeviceSettings
    identity: IdentitySettings
    policy: PolicySettings
    backend: BackendSettings
    camera: CameraSettings
    buttons: ButtonSettings
    indicator: IndicatorSettings
    lamp: LampSettings
    position: PositionSettings
    state: StateSettings = field(default_factory=StateSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    quality: Thresholds = field(default_factory=Thresholds)
    motion: MotionSettings = field(default_factory=MotionSettings)
    power: PowerSettings = field(default_factory=PowerSettings)
    clock: ClockSettings = field(default_factory=ClockSettings)
    sync: SyncSettings = field(default_factory=SyncSettings)
    serve: ServeSettings = field(default_factory=ServeSettings)
    simulated: SimulatedSettings = field(default_factory=SimulatedSettings)

    @property
    def est(self) -> str:
        """Address of the EST server: `identity.est`, or the origin of `backend.url`."""
        if self.identity.est is not None:
            return self.identity.est.rstrip("/")
        parts = urlsplit(self.backend.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def uses_certificate_files(self) -> bool:
        """True if a person carries the certificates, and no EST server is asked."""
        return self.identity.certificates is CertificateSource.FILES

    @property
    def board(self) -> BoardSettings:
        """The devices' settings."""
        names = (setting.name for setting in fields(BoardSettings))
        return BoardSettings(**{name: getattr(self, name) for name in names})


def path_of(argument: Path | None) -> Path:
    """Return the file to read: `argument`, or else `$DOORSTEP_CONFIG`, or else DEFAULT_PATH."""
    return argument or Path(os.environ.get("DOORSTEP_CONFIG") or DEFAULT_PATH)


def load(path: Path, *, drivers: bool = False) -> Config:
    """Read and check the configuration; relative paths in it are relative to the file.

    Args:
        path: of the file.
        drivers: whether to import the configured drivers that have a table of their own, such as
            `[camera.v4l2]`, and to check these too: a process that opens or examines parts does.

    Raises:
        ConfigError: names every problem, one per line, with the value and what is allowed.
    """
    table = read_toml(path)
    reader = TableReader(path.parent.resolve(), drivers=drivers)
    config = reader.table(Config, table, "")
    reader.problems.extend(_contradictions(reader.sections))
    if config is None or reader.problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in reader.problems))
    return config


def read_toml(path: Path) -> dict[str, Any]:
    """Read a configuration file. Raises ConfigError."""
    try:
        return read_document(path)
    except OSError as error:
        reason = error.strerror or str(error)
        words = (
            f"cannot read the configuration: {reason}; --config or $DOORSTEP_CONFIG names another"
        )
        raise ConfigError(f"{path}: {words}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _contradictions(sections: Mapping[str, Any]) -> list[str]:
    """Find contradictions between settings, in those `sections` that are valid by themselves."""
    found = []
    camera, position = sections.get("camera"), sections.get("position")
    if camera and camera.mains_hz not in {0, 50, 60}:
        found.append(f"camera.mains_hz: {camera.mains_hz} is not 0 (no lamps), 50 or 60")
    if position and position.kind == "fixed":
        missing = [name for name in ("lat_deg", "lon_deg") if getattr(position, name) is None]
        found += [f"position.{name}: missing; kind fixed needs it" for name in missing]
    backend, identity = sections.get("backend"), sections.get("identity")
    found += wrong_address("backend.url", backend and backend.url)
    found += wrong_address("identity.est", identity and identity.est)
    policy = sections.get("policy")
    if backend and identity and policy:
        found += _misfits(backend, identity, policy)
    serve = sections.get("serve")
    if serve and not _is_endpoint(*serve.address):
        found.append(f"serve.listen: {json.dumps(serve.listen)} is not ADDRESS:PORT")
    return found + _mute(sections.get("indicator")) + _shared_pins(sections)


def _mute(indicator: IndicatorSettings | None) -> list[str]:
    """Find settings by which no answer would reach the driver."""
    if indicator is None or indicator.senses:
        return []
    if not indicator.feedback:
        words = "empty, so no answer would reach the driver; name one of: light, sound, vibration"
    else:
        words = (
            f"{json.dumps(indicator.feedback)} reaches nobody: "
            "sound needs volume_pct above 0, vibration needs vibration_pin"
        )
    return [f"indicator.feedback: {words}"]


def _misfits(
    backend: BackendSettings, identity: IdentitySettings, policy: PolicySettings
) -> list[str]:
    """Find settings that are missing for the mode of identity, and settings that it rules out."""
    if identity.mode is IdentityMode.OFF:
        found = []
        if not backend.receipt_keys:
            words = "empty; with identity.mode off no receipt can be verified without"
            found.append(f"backend.receipt_keys: {words}")
        if not backend.recipients and policy.seal is Seal.REQUIRED:
            words = (
                'empty; with identity.mode off nobody could open a record; or policy.seal = "off"'
            )
            found.append(f"backend.recipients: {words}")
        if policy.credentials is ContentCredentials.ON:
            words = '"on" needs identity.mode "required": else no certificate is there to sign with'
            found.append(f"policy.credentials: {words}")
        return found
    missing = [name for name in ("ca", "fleet_key") if getattr(identity, name) is None]
    found = [f"identity.{name}: missing; identity.mode required needs it" for name in missing]
    if identity.est is not None and identity.certificates is CertificateSource.FILES:
        words = 'for identity.certificates "est" only; with "files" the device asks no server'
        found.append(f"identity.est: {words}")
    for name in ("receipt_keys", "recipients"):
        if getattr(backend, name):
            words = "for identity.mode off only; the fleet document has them"
            found.append(f"backend.{name}: {words}")
    return found


def wrong_address(name: str, url: str | None) -> list[str]:
    """Find errors in the address in the setting `name`, beyond its shape."""
    if not url or has_host(url):
        return []
    allowed = "https://HOST, with a right :PORT or none, and no user name"
    return [f"{name}: {json.dumps(url)} is not {allowed}"]


def _is_endpoint(host: str, port: int) -> bool:
    with suppress(ValueError):
        ip_address(host)
        return port <= _LAST_PORT
    return False


def configured_pins(config: Config) -> list[tuple[str, int]]:
    """Return each setting of a pin that is in use, and its BCM number."""
    return list(_pins({table.name: getattr(config, table.name) for table in fields(config)}))


def pins_of_the_build(config: Config) -> list[str]:
    """Return what is wrong with pins that the recommended build has for another part.

    A device with such a pin keeps running: only a check of the configuration reports it.
    """
    return [
        f"{name}: pin {pin} has another use in the recommended build ({BUILD_PINS[pin]}); "
        "choose one that is free there: hardware/README.md, Wiring"
        for name, pin in configured_pins(config)
        if pin in BUILD_PINS
    ]


def _pins(sections: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for table in ("buttons", "indicator", "lamp"):
        settings = sections.get(table)
        if settings is None or settings.kind != "gpio":
            continue
        for setting in fields(settings):
            pin = getattr(settings, setting.name)
            if setting.name.endswith("pin") and pin is not None:
                yield f"{table}.{setting.name}", pin


def _shared_pins(sections: Mapping[str, Any]) -> list[str]:
    users: dict[int, list[str]] = {}
    for name, pin in _pins(sections):
        users.setdefault(pin, []).append(name)
    return [f"{' and '.join(names)}: share pin {pin}" for pin, names in users.items() if names[1:]]
