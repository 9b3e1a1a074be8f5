"""The configuration: everything that is wrong at once, in words an operator can act on."""

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import Config, load, path_of
from agent.errors import ConfigError
from hardware.driver import KINDS, Driver
from hardware.settings import CameraSettings
from tests.support.sealed import NAMES

GOOD: dict[str, dict[str, str]] = {
    "device": {"id": '"van-7"'},
    "identity": {"mode": '"off"'},
    "policy": {"manifest": '"off"'},
    "backend": {
        "url": '"https://backend.example/v1"',
        "receipt_keys": '["receipt.pem"]',
        "recipients": json.dumps(NAMES),
    },
    "camera": {"kind": '"simulated"'},
    "buttons": {"kind": '"gpio"'},
    "indicator": {"kind": '"gpio"'},
    "lamp": {"kind": '"gpio"'},
    "position": {"kind": '"gpsd"'},
}
"""The least that is complete; values as TOML."""


def good(**changes: str) -> str:
    """The good configuration with settings replaced or added: `lamp__pin="17"`."""
    tables = {name: dict(settings) for name, settings in GOOD.items()}
    for setting, value in changes.items():
        table, name = setting.split("__")
        tables.setdefault(table, {})[name] = value
    return "\n".join(
        f"[{table}]\n" + "\n".join(f"{name} = {value}" for name, value in settings.items())
        for table, settings in tables.items()
    )


def problems(tmp_path: Path, text: str, *, drivers: bool = False) -> list[str]:
    """The complaints about a file, without its name in front; [] when there are none."""
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    try:
        load(path, drivers=drivers)
    except ConfigError as error:
        lines = str(error).splitlines()
        assert all(line.startswith(f"{path}: ") for line in lines)
        return [line.removeprefix(f"{path}: ") for line in lines]
    return []


def changed(setting: str, value: str) -> str:
    return good(**{setting.replace(".", "__"): value})


def test_a_good_configuration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(good())
    read = load(path)

    assert read.device.id == "van-7"
    assert read.position.kind == "gpsd"
    assert read.board.buttons.photo_pin == 17
    assert read.retention.file_hours == 72
    assert read.state.dir == Path("/var/lib/doorstep")


def test_relative_paths_are_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to where the command was typed."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "config.toml").write_text(good(state__dir='"state"', state__run_dir='"/run/x"'))
    monkeypatch.chdir(tmp_path)
    read = load(Path("etc/config.toml"))

    assert read.state.dir == folder / "state"
    assert read.state.run_dir == Path("/run/x")
    assert read.backend.receipt_keys == (folder / "receipt.pem",)


def test_which_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command's, else the environment's, else the provisioned device's."""
    monkeypatch.delenv("DOORSTEP_CONFIG", raising=False)
    assert path_of(None) == Path("/etc/doorstep/config.toml")
    monkeypatch.setenv("DOORSTEP_CONFIG", str(tmp_path / "a.toml"))
    assert path_of(None) == tmp_path / "a.toml"
    assert path_of(tmp_path / "b.toml") == tmp_path / "b.toml"


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("buttons.photo_pin", "40", "40 is not a BCM pin number (0 to 27)"),
        ("buttons.photo_pin", "true", "true is not a BCM pin number (0 to 27)"),
        ("buttons.photo_pin", '"17"', '"17" is not a BCM pin number (0 to 27)'),
        ("indicator.common_anode", "1", "1 is not true or false"),
        ("device.bench_mode", '"yes"', '"yes" is not true or false'),
        ("device.id", '""', '"" is not letters, digits, . _ -'),
        ("device.id", '"van 7"', '"van 7" is not letters, digits, . _ -'),
        ("state.reserve_mb", "0", "0 is not a size in megabytes (1 to 1000000)"),
        ("state.dir", '""', '"" is not a path'),
        ("state.dir", '"a\\u0000b"', '"a\\u0000b" is not a path'),
        ("position.lat_deg", "nan", "NaN is not a latitude in degrees (-90 to 90)"),
        ("position.lat_deg", "true", "true is not a latitude in degrees (-90 to 90)"),
        ("position.lat_deg", "90.1", "90.1 is not a latitude in degrees (-90 to 90)"),
        ("position.gpsd", '"localhost"', '"localhost" is not HOST:PORT or unix:PATH'),
        ("position.gpsd", '"h:65536"', '"h:65536" is not HOST:PORT or unix:PATH'),
        ("position.gpsd", '"h:٣"', '"h:٣" is not HOST:PORT or unix:PATH'),
        ("lamp.kind", '"gpoi"', '"gpoi" is not one of: gpio, none, simulated; did you mean gpio?'),
        ("policy.manifest", '"on"', '"on" is not one of: off, required'),
        ("backend.url", '"http://x"', '"http://x" is not an https:// address'),
        ("backend.url", '"https://x/?a=b"', '"https://x/?a=b" is not an https:// address'),
        ("backend.url", '"https://"', '"https://" is not an https:// address'),
        (
            "backend.receipt_keys",
            '"receipt.pem"',
            '"receipt.pem" is not a list where each item is a path',
        ),
        ("camera.width_px", "641", "641 is not an even width in pixels (320 to 4608)"),
        ("camera.height_px", "481", "481 is not an even height in pixels (240 to 2592)"),
        ("camera.mains_hz", "37", "37 is not 0 (no lamps), 50 or 60"),
        ("retention.file_hours", "2026-12-01", '"2026-12-01" is not a number of hours (0 to 8760)'),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    tmp_path: Path, setting: str, value: str, message: str
) -> None:
    assert problems(tmp_path, changed(setting, value)) == [f"{setting}: {message}"]


@pytest.mark.parametrize(
    "url",
    [
        "https://:443",
        "https://h:99999",
        "https://h:x",
        "https://[::1",
        "https://u:p@h",
        "https://h:0",
    ],
)
def test_an_address_that_leads_nowhere_or_holds_a_password_is_refused(
    tmp_path: Path, url: str
) -> None:
    assert problems(tmp_path, changed("backend.url", f'"{url}"')) == [
        f'backend.url: "{url}" is not https://HOST, with a right :PORT or none, and no user name'
    ]


@pytest.mark.parametrize("url", ["https://h", "https://h:8443/a/b/", "https://[::1]:8443"])
def test_other_addresses_are_fine(tmp_path: Path, url: str) -> None:
    assert problems(tmp_path, changed("backend.url", f'"{url}"')) == []


def test_a_whole_number_does_for_a_number(tmp_path: Path) -> None:
    assert problems(tmp_path, changed("position.lat_deg", "52")) == []
    assert len(problems(tmp_path, changed("position.lat_deg", "9" * 400))) == 1


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, changed("device.id", f'"{"x" * 5000}"'))

    assert len(message) < 300


def test_unknown_names_are_errors_with_a_suggestion(tmp_path: Path) -> None:
    """A misspelt setting would otherwise quietly be its default."""
    text = changed("buttons.foto_pin", "4") + "\n[lapm]\nkind = 'gpio'\n[zzz]\n"

    assert problems(tmp_path, text) == [
        "lapm: unknown setting; did you mean lamp?",
        "zzz: unknown setting",
        "buttons.foto_pin: unknown setting; did you mean photo_pin?",
    ]


def test_missing_settings_are_listed_one_by_one(tmp_path: Path) -> None:
    """An empty file is a list of what to write into it."""
    found = problems(tmp_path, "")

    assert "device.id: missing; set it to letters, digits, . _ -" in found
    assert "policy.manifest: missing; set it to one of: off, required" in found
    assert f"camera.kind: missing; set it to one of: {', '.join(KINDS['camera'])}" in found
    assert "identity.mode: missing; set it to one of: off, required" in found
    assert len(found) == 9


@pytest.mark.parametrize("text", ["camera = 7", "[[camera]]", "camera = []", 'camera = "x"'])
def test_invalid_table_is_reported(tmp_path: Path, text: str) -> None:
    assert any(
        line.startswith("camera: ") and line.endswith(" is not a table")
        for line in problems(tmp_path, text)
    )


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Those between settings too: nobody starts it five times."""
    text = good(
        device__id="7",
        backend__receipt_keys="[]",
        lamp__pin="17",
        lamp__colour='"red"',
        position__kind='"fixed"',
        position__lat_deg="52.5",
        indicator__red_pin="17",
    )

    assert problems(tmp_path, text) == [
        "device.id: 7 is not letters, digits, . _ -",
        "lamp.colour: unknown setting",
        "position.lon_deg: missing; kind fixed needs it",
        "backend.receipt_keys: empty; with identity.mode off no receipt can be verified without",
        "buttons.photo_pin and indicator.red_pin: share pin 17",
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"feedback": "[]"}, "empty, so no answer would reach the driver; name one of: light, "),
        ({"feedback": '["vibration"]'}, '["vibration"] reaches nobody: sound needs volume_pct '),
        ({"feedback": '["sound"]', "volume_pct": "0"}, '["sound"] reaches nobody: sound needs '),
        ({"feedback": '["light", "sond"]'}, '["light", "sond"] is not a list where each item is '),
        ({"feedback": '"light"'}, '"light" is not a list where each item is one of: light, sound'),
        ({"feedback": '["vibration"]', "vibration_pin": "24"}, None),
        ({"feedback": '["sound", "sound"]'}, None),
        ({"volume_pct": "0"}, None),
    ],
)
def test_feedback_that_reaches_no_driver_is_refused(
    tmp_path: Path, changes: dict[str, str], problem: str | None
) -> None:
    text = good(**{f"indicator__{name}": value for name, value in changes.items()})

    found = problems(tmp_path, text)

    assert len(found) == (problem is not None)
    assert all(line.startswith(f"indicator.feedback: {problem}") for line in found)


def test_sealing_needs_recipients_if_identity_is_off(tmp_path: Path) -> None:
    without = good(backend__recipients="[]")
    on_a_bench = good(backend__recipients="[]", policy__seal='"off"')
    given = good(
        identity__mode='"required"',
        identity__ca='"a"',
        identity__fleet_key='"b"',
        backend__receipt_keys="[]",
        backend__recipients='["age1"]',
    )

    assert problems(tmp_path, without) == [
        (
            "backend.recipients: empty; with identity.mode off nobody could open a record; or "
            'policy.seal = "off"'
        )
    ]
    assert problems(tmp_path, on_a_bench) == []
    assert problems(tmp_path, given) == [
        "backend.recipients: for identity.mode off only; the fleet document has them"
    ]


def test_credentials_need_an_identity_to_be_signed_by(tmp_path: Path) -> None:
    words = '"on" needs identity.mode "required": else no certificate is there to sign with'

    assert problems(tmp_path, good(policy__credentials='"on"')) == [f"policy.credentials: {words}"]
    assert problems(tmp_path, good(policy__credentials='"auto"')) == []
    assert problems(tmp_path, good(policy__credentials='"off"')) == []


def test_an_identity_needs_what_it_trusts_and_no_keys_of_its_own(tmp_path: Path) -> None:
    """The fleet document has them; a key in a file would go on counting after it was revoked."""
    assert problems(tmp_path, good(identity__mode='"required"')) == [
        "identity.ca: missing; identity.mode required needs it",
        "identity.fleet_key: missing; identity.mode required needs it",
        "backend.receipt_keys: for identity.mode off only; the fleet document has them",
        "backend.recipients: for identity.mode off only; the fleet document has them",
    ]
    (told,) = problems(tmp_path, changed("identity.est", '"https://h:0"'))
    assert told.startswith('identity.est: "https://h:0" is not https://HOST')


def test_simulated_parts_use_no_pins(tmp_path: Path) -> None:
    text = good(lamp__pin="17", buttons__kind='"simulated"')

    assert problems(tmp_path, text) == []


def test_settings_of_one_driver_are_in_its_own_table(tmp_path: Path, trial: Driver) -> None:
    path = tmp_path / "config.toml"
    path.write_text(good(camera__kind='"v4l2"', camera__device="2", camera__v4l2='{port="usb:1"}'))

    read = load(path, drivers=True).camera
    without = trial.own(CameraSettings("v4l2", device=2))

    assert trial.own(read) is read
    assert (read.device, read.port) == (2, "usb:1")
    assert (without.device, without.port) == (2, "usb:")


@pytest.mark.usefixtures("trial")
def test_errors_in_a_drivers_table_come_with_all_the_rest(tmp_path: Path) -> None:
    text = good(
        camera__kind='"v4l2"',
        camera__width_px="641",
        camera__v4l2="{port = 7, prot = 1}",
        camera__v4l3="{}",
    )

    assert problems(tmp_path, text, drivers=True) == [
        "camera.v4l3: unknown setting; did you mean v4l2?",
        "camera.width_px: 641 is not an even width in pixels (320 to 4608)",
        "camera.v4l2.prot: unknown setting; did you mean port?",
        "camera.v4l2.port: 7 is not usb:PORT",
    ]


def test_a_process_without_devices_imports_no_driver_for_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does any process import one that is not configured."""
    monkeypatch.setitem(sys.modules, "hardware.drivers.camera_v4l2", None)
    configured = good(camera__kind='"v4l2"', camera__v4l2='{port = "usb:1"}')
    another = good(camera__v4l2='{port = "usb:1"}')

    assert problems(tmp_path, configured) == []
    assert problems(tmp_path, another, drivers=True) == []


@pytest.mark.parametrize(
    "content",
    [b"[device", b"\xff\xfe", b"a = 1\na = 2", b"a = " + b"[" * 100_000, b"a = " + b"9" * 5000],
    ids=["cut", "not UTF-8", "twice", "deep", "long"],
)
def test_invalid_toml_is_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match="not valid TOML"):
        load(path)


def test_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot read .*: No such file"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)


values = st.recursive(
    st.sampled_from(["true", "0", "-1", "99999999999999999999", "nan", "-inf", "1.5", "1979-05-27",
                     "07:32:00", "1979-05-27T07:32:00Z", '""', '"x"', '"\\u0000"', '"../x"']),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.dictionaries(st.sampled_from(["a", "kind", "b"]), inner, max_size=2).map(
        lambda items: "{" + ", ".join(f"{name} = {value}" for name, value in items.items()) + "}"
    ),
    max_leaves=4,
)  # fmt: skip


SETTINGS = [
    f"{table}.{setting.name}"
    for table, hint in get_type_hints(Config).items()
    for setting in fields(hint)
]


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(setting=st.sampled_from(SETTINGS), value=values)
def test_any_value_of_any_setting_is_read_or_told_in_one_line(
    tmp_path: Path, setting: str, value: str
) -> None:
    """Every setting with every type: never another error."""
    for line in problems(tmp_path, changed(setting, value)):
        assert line.startswith(
            (f"{setting}: ", f"{setting}.", "position.", "buttons.", "indicator.")
        )
