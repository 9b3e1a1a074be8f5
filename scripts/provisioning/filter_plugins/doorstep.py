"""Filters of the playbook: small decisions that are easier to read, and to test, in Python."""

import difflib
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HTTPS_PORT = 443

ITS_OWN_START_S = 600
"""A capture that provisioning itself started calls itself quiet only after so long; see
QUIET_AFTER_S in agent/capture/duties.py."""

COMES_NOT_UP = 3
"""Restarts in a row after which a run may repair a device: nobody can press on it."""


LONGEST_ANSWER = 1_000_000
"""Most characters; a status has some thousand, doctor's findings some ten thousand."""


def heard(answer: object) -> Any:
    """Return the JSON that a device answered; None if it is invalid, too long or too deep."""
    if not isinstance(answer, str) or len(answer) > LONGEST_ANSWER:
        return None
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None


def plain(text: object) -> str:
    """Make a device's words one line that a terminal shows and does not obey."""
    return "".join(one if one.isprintable() else " " for one in str(text))


def pairs(text: str) -> dict[str, str]:
    """Read lines `key=value`, as the probes print them, without a terminal's carriage returns."""
    lines = (plain(line.rstrip("\r")).partition("=") for line in text.splitlines())
    return {key: value for key, equals, value in lines if equals}


def beside(path: str, folder: str) -> str:
    """Resolve a path of the inventory: relative ones are relative to the inventory's folder."""
    return str(Path(folder or ".") / Path(path).expanduser())


def origin(url: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def ports(urls: Iterable[str]) -> list[int]:
    """Return the TCP ports of these addresses."""
    return sorted({urlsplit(url).port or HTTPS_PORT for url in urls if url})


def is_loopback(listen: str) -> bool:
    """Return True if `ADDRESS:PORT` is reached from the device itself only."""
    return ip_address(listen.rpartition(":")[0].strip("[]")).is_loopback


def within(address: str, networks: Iterable[str]) -> bool:
    """Return True if an address is in one of the networks; an IPv6 zone is ignored."""
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in ip_network(one, strict=False) for one in networks)


def of_version(networks: Iterable[str], version: int) -> list[str]:
    """Return the networks of IPv4, or of IPv6."""
    found = (ip_network(one, strict=False) for one in networks)
    return [str(one) for one in found if one.version == version]


def twins(
    others: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], device: str
) -> list[str]:
    """Return other hosts of the inventory that have this device id too."""
    return [one for one in others if str(hostvars[one].get("doorstep_device_id", one)) == device]


OURS = ("config.toml", "fleet-ca.pem", "fleet-key.pem")
"""Files that a run itself puts into /etc/doorstep."""

ZONE = r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*"
"""A name below /usr/share/zoneinfo; whether the device has it is asked there."""


NUMBERS_TOO = ("doorstep_device_id", "doorstep_update_time")
"""Texts that YAML may take for a number."""

TRUTH = ("true", "false", "yes", "no", "on", "off", "1", "0")
"""Values of a flag as text, which `-e` gives."""


def unfit(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Return an error for each variable that is unknown, or of another kind than the default."""
    found = []
    for name in sorted(one for one in given if one.startswith("doorstep_")):
        if name not in defaults:
            near = difflib.get_close_matches(name, defaults, n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            found.append(f"{name}: there is no such setting{guess}")
        elif given[name] is None:
            found.append(f"{name}: missing; set it, or take the line out")
        elif wanted := _other_kind(name, given[name], defaults[name]):
            found.append(f"{name}: {_value(given[name])} must be {wanted}")
    tables = given.get("doorstep_config")
    odd = tables.items() if isinstance(tables, Mapping) else ()
    return found + [
        f"doorstep_config: {name} must be a table, as {name}: {{SETTING: VALUE}}"
        for name, table in odd
        if not isinstance(table, Mapping)
    ]


def _other_kind(name: str, value: Any, default: Any) -> str:
    """Return the kind that a value must have, if it has another kind than the default; else ""."""
    text = str(value)
    match default:
        case bool():
            return "" if text.lower() in TRUTH else "true or false"
        case int():
            return "" if re.fullmatch(r"\d+", text) else "a whole number"
        case list():
            return "" if isinstance(value, list | tuple) else f"a list, as [{text}]"
        case dict():
            return "" if isinstance(value, Mapping) else "tables, as {camera: {mains_hz: 50}}"
    number = isinstance(value, int | float) and name in NUMBERS_TOO
    return "" if isinstance(value, str) or number else "a text, in quotes"


def misread(text: str, repository: str) -> list[str]:
    """Return the errors in a `config.toml`, by this release's reader, as later on the device."""
    if repository not in sys.path:
        sys.path.append(repository)
    from agent.config import load, pins_of_the_build  # noqa: PLC0415 - known only now
    from agent.errors import ConfigError  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text(text, encoding="utf-8")
        try:
            return pins_of_the_build(load(file))
        except ConfigError as error:
            return str(error).replace(f"{file}: ", "").splitlines()


def wrong(settings: Mapping[str, Any]) -> list[str]:
    """Return the errors in a device's settings in the inventory."""
    found = []
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", settings["device"]):
        found.append(f'doorstep_device_id: "{settings["device"]}" is not letters, digits, . _ -')
    if not re.fullmatch(r"(SHA256:[A-Za-z0-9+/]{43})?", settings["host_key"]):
        found.append(f'doorstep_host_key: "{settings["host_key"]}" is not SHA256:, 43 letters')
    found += _odd_addresses(settings)
    needed = settings["config_files"]
    if settings["identity"] != "off":
        needed = [settings["ca_file"], settings["fleet_key_file"], *needed]
    found += [f"{path}: there is no such file" for path in needed if not Path(path).is_file()]
    found += _odd_names(settings)
    if not settings["office_networks"]:
        found.append("doorstep_office_networks: missing; it says from where SSH is let in")
    for one in settings["office_networks"]:
        try:
            ip_network(one, strict=False)
        except ValueError as error:
            found.append(f"doorstep_office_networks: {error}")
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", settings["update_time"]):
        found.append(f'doorstep_update_time: "{settings["update_time"]}" is not "HH:MM", in quotes')
    try:
        is_loopback(settings["listen"])
    except ValueError:
        found.append(f'serve.listen: "{settings["listen"]}" is not ADDRESS:PORT')
    return found


def _odd_addresses(settings: Mapping[str, Any]) -> list[str]:
    """Return the errors in a device's addresses; without est_url it is the backend."""
    if not settings["backend_url"]:
        return ["doorstep_backend_url: missing; it says where the records go"]
    urls = {name: settings[name] for name in ("backend_url", "est_url")}
    return [
        f'doorstep_{name}: "{url}" is not an https:// address'
        for name, url in urls.items()
        if url and not url.startswith("https://")
    ]


def _odd_names(settings: Mapping[str, Any]) -> list[str]:
    """Return the errors in names and paths, which go into commands."""
    taken = [path for path in settings["config_files"] if Path(path).name in OURS]
    found = [
        f"doorstep_config_files: {path} has the name of a file that a run makes" for path in taken
    ]
    blank = [path for path in settings["places"] if re.search(r"\s", path)]
    found += [f'"{path}" has a blank in it, and ssh takes it for two: move it' for path in blank]
    if not re.fullmatch(ZONE, settings["timezone"]):
        found.append(f'doorstep_timezone: "{settings["timezone"]}" is not as Europe/Vienna')
    return found


def token(text: str, device: str) -> str:
    """Return the newest token of a device in a list of lines `ID TOKEN`; empty without one."""
    for line in reversed(text.splitlines()):
        match line.split():
            case [name, found, *_] if name == device:
                return found
    return ""


def tokenless(found: Mapping[str, str], tokens: str, device: str, file: str) -> str:
    """Return why a device cannot be enrolled, or ""; an enrolled one needs no token."""
    if found.get("enrolled") or token(tokens, device):
        return ""
    name = Path(file).name
    return (
        f"{device} is not enrolled and has no token in {file}: "
        f"in the office `devices add {device} --tokens {name}` makes one"
    )


def later(clock: str, minutes: int) -> str:
    """Return a time of day `HH:MM`, so many minutes later."""
    hour, minute = clock.split(":")
    at = (int(hour) * 60 + int(minute) + minutes) % 1440
    return f"{at // 60:02}:{at % 60:02}"


PI_KERNEL = "+rpt-rpi-"
"""In `uname -r` of Raspberry Pi OS, as in 6.12.47+rpt-rpi-v8. Source: its linux-image packages."""


def foreign_kernel(found: Mapping[str, str], camera: str) -> str:
    """Return why a Raspberry Pi's kernel cannot drive the parts, or nothing.

    Args:
        found: what the probe printed as root.
        camera: `camera.kind` of the device.
    """
    kernel = found.get("kernel", "")
    if camera != "picamera2" or "pi" not in found or PI_KERNEL in kernel:
        return ""
    return (
        f"the kernel {kernel} is not Raspberry Pi OS's: Debian's kernel has no drivers for the "
        "Pi's camera, the battery gauge and the power-off line; write Raspberry Pi OS (64-bit, "
        "based on Debian 13) onto its card, or set doorstep_allow_kernel: true if your own kernel "
        "has these drivers"
    )


def on_the_road(found: Mapping[str, str]) -> str:
    """Return why a device must not be touched now, or ""; by the probe's findings as root.

    If a running capture gives no status, its device is not touched.
    """
    state = found.get("capture", "")
    if state == "activating":
        ours = found.get("own_start") == "yes"
        in_vain = _number(found.get("restarts")) >= COMES_NOT_UP
        return "" if ours or in_vain else "whether it is in use cannot be told: it is just starting"
    return _in_use(found) if state in {"active", "reloading"} else ""


def _in_use(found: Mapping[str, str]) -> str:
    """Return why a device whose capture runs must not be touched now, or ""; by its status."""
    status = heard(found.get("status", ""))
    capture = status.get("capture", 0) if isinstance(status, dict) else 0
    capture = {} if capture is None else capture
    if not isinstance(capture, dict):
        capture = {"error": "`doorstep status` gave no answer"}
    if error := capture.get("error"):
        return f"whether it is in use cannot be told: {_words(error)}"
    if isinstance(capture.get("manifest"), int):
        return f"a route is in hand, until {_words(capture.get('manifest_until') or 'its end')}"
    just_started = _number(found.get("capture_s")) < ITS_OWN_START_S
    if capture.get("quiet") is not False or (found.get("own_start") == "yes" and just_started):
        return ""
    if just_started:
        return "it was switched on less than ten minutes ago, and nobody knows whether it is used"
    return "a button was pressed less than ten minutes ago"


def _number(text: str | None) -> int:
    """Return a count or seconds that a device sent; 0 if it sent something else."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,9}", text) else 0


def _words(said: object) -> str:
    """Return a text from a device's JSON on one line, shortened."""
    return " ".join(plain(said).split())[:400] if isinstance(said, str) else "(no words)"


def configuration(
    device: str,
    backend: str,
    *,
    est: str = "",
    serve_names: Iterable[str] = (),
    serve_clients: Iterable[str] = (),
    more: Mapping[str, Any] | None = None,
) -> str:
    """Make a device's `config.toml`; `more` are tables of the inventory, which win."""
    more = more or {}
    identity: dict[str, Any] = {"mode": "required"}
    if more.get("identity", {}).get("mode") != "off":
        identity |= {"ca": "fleet-ca.pem", "fleet_key": "fleet-key.pem"}
        identity |= {"est": est} if est else {}
    tables: dict[str, dict[str, Any]] = {
        "device": {"id": str(device)},
        "identity": identity,
        "policy": {"manifest": "required"},
        "backend": {"url": backend},
        "camera": {"kind": "picamera2"},
        "buttons": {"kind": "gpio"},
        "indicator": {"kind": "gpio"},
        "lamp": {"kind": "gpio"},
        "position": {"kind": "gpsd"},
        "serve": {"names": list(serve_names), "clients": list(serve_clients)},
    }
    for name, table in more.items():
        tables[name] = tables.get(name, {}) | dict(table)
    return toml({name: table for name, table in tables.items() if any_set(table)})


def any_set(table: Mapping[str, Any]) -> bool:
    """Return True if a table sets anything: an empty list is the default."""
    return any(value != [] for value in table.values())


def toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Write tables of strings, numbers, flags and lists of them as TOML."""
    parts = []
    for name, table in tables.items():
        lines = [f"{_key(key)} = {_value(value)}" for key, value in table.items()]
        parts.append("\n".join([f"[{_key(name)}]", *lines]))
    return "\n\n".join(parts) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(str(name))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def without(text: str, secret: str) -> str:
    """Remove a secret from a text."""
    return text.replace(secret, "(the token)") if secret else text


def sentence(stderr: str, stdout: str = "") -> str:
    """Return the last message of a command of the product, in one line."""
    lines = [line.strip() for line in [*stdout.splitlines(), *stderr.splitlines()]]
    said = [line for line in lines if line]
    return plain(said[-1]).removeprefix("doorstep: ") if said else "it said nothing"


def enrolment_words(said: tuple[str, str]) -> str:
    """Return the message of `doorstep enrol` on a failure: its error, or the step that failed."""
    stdout, stderr = said
    last = sentence(stderr)
    if "see above" not in last:
        return last if stderr.strip() else sentence(stdout)
    return sentence(stdout)


def contents(paths: Iterable[str]) -> list[dict[str, str]]:
    """Return name and text of files on this computer."""
    return [{"name": Path(one).name, "text": Path(one).read_text("utf-8")} for one in paths]


def same(looked: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the files on the device that have the right text, and root's mode 0644."""
    found = []
    for one in looked:
        stat, wanted = one["stat"], hashlib.sha1(one["item"]["text"].encode())  # noqa: S324
        if stat.get("checksum") == wanted.hexdigest() and stat["mode"] == "0644":
            found.append(one["item"]["name"])
    return found


def verdict(answer: str, said: str, notes: Iterable[str], enrolment: str = "") -> dict[str, str]:
    """Return the device's verdict and remedy for the table, by `doorstep doctor --json`."""
    findings = _findings(answer)
    if not findings:
        return {"verdict": "FAILED", "todo": f"doctor gave no answer: {sentence(said)}"}
    if enrolment:  # what follows from it is not told again
        findings = [one for one in findings if one[0] not in {"fleet", "identity", "backend"}]
    failed = [f"{check}: {words}" for check, level, words in findings if level == "FAILED"]
    later_ones = [f"{check}: {words}" for check, level, words in findings if level == "later"]
    no_fix = [words for check, level, words in findings if (check, level) == ("position", "note")]
    failed = [enrolment, *failed] if enrolment else failed
    todo = [*failed, *later_ones, *no_fix, *notes]
    if failed:
        name = "FAILED"
    elif later_ones:
        name = "no backend"
    else:
        name = "ready, no fix" if no_fix else "ready"
    return {"verdict": name, "todo": "; ".join(" ".join(plain(one).split()) for one in todo)}


def _findings(answer: str) -> list[tuple[str, str, str]]:
    """Return check, level and words of each finding; nothing if any entry is not a finding."""
    told = heard(answer)
    found = []
    for one in told if isinstance(told, list) else []:
        match one:
            case {"check": str(check), "level": str(level), "words": str(words)}:
                found.append((check, level, words))
            case _:
                return []
    return found


class FilterModule:
    """The class that Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names in the playbook."""
        found = (
            twins,
            unfit,
            misread,
            wrong,
            pairs,
            beside,
            origin,
            ports,
            is_loopback,
            within,
            of_version,
            token,
            tokenless,
            foreign_kernel,
            later,
        )
        found += (
            contents,
            same,
            enrolment_words,
            on_the_road,
            configuration,
            without,
            sentence,
            verdict,
        )
        return {f"doorstep_{one.__name__}": one for one in found}
