"""The playbook's decisions: a configuration that the agent reads, and who must not be touched."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from agent.config import IdentityMode, load
from tests.system.machines.answers import BAD, SHALLOW, nested
from tests.system.machines.playbooks import PROVISIONING, plugin

TEMPLATE = PROVISIONING / "roles" / "doorstep_agent" / "templates" / "config.toml.j2"


filters = plugin("filter_plugins/doorstep")

SIMULATED = {
    name: {"kind": "simulated"} for name in ("camera", "buttons", "indicator", "lamp", "position")
}

INVENTORIES: dict[str, dict[str, Any]] = {
    "the least": {},
    "certificates from elsewhere": {"doorstep_est_url": "https://est.example.com:8443"},
    "asked for its status": {
        "doorstep_serve_names": ["van-0042.example.com", "192.0.2.42"],
        "doorstep_serve_clients": ["dispatch"],
        "doorstep_config": {"serve": {"listen": "192.0.2.42:8443"}},
    },
    "numbers, flags and one pin": {
        "doorstep_config": {
            "camera": {"mains_hz": 60},
            "indicator": {"common_anode": True, "vibration_pin": 24},
            "policy": {"eph_factor": 2.45, "scanning": False},
        }
    },
    "a bench": {"doorstep_config": SIMULATED | {"device": {"bench_mode": True}}},
    "an id that YAML takes for a number": {"doorstep_id": 42},
}


def _rendered(**set_here: Any) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters |= filters.FilterModule().filters()
    defaults: dict[str, Any] = {
        "doorstep_id": "van-0042",
        "doorstep_backend_url": "https://pod.example.com/doorstep",
        "doorstep_est_url": "",
        "doorstep_serve_names": [],
        "doorstep_serve_clients": [],
        "doorstep_config": {},
    }
    return environment.from_string(TEMPLATE.read_text()).render(defaults | set_here)


@pytest.mark.parametrize("name", INVENTORIES)
def test_agent_reads_what_is_rendered(tmp_path: Path, name: str) -> None:
    settings = INVENTORIES[name]
    file = tmp_path / "config.toml"
    file.write_text(_rendered(**settings))

    config = load(file)

    assert config.device.id == str(settings.get("doorstep_id", "van-0042"))
    assert config.identity.mode is IdentityMode.REQUIRED
    assert config.identity.fleet_key == tmp_path / "fleet-key.pem"
    assert config.est == (settings.get("doorstep_est_url") or "https://pod.example.com")
    assert list(config.serve.names) == settings.get("doorstep_serve_names", [])
    for table, wanted in settings.get("doorstep_config", {}).items():
        for setting, value in wanted.items():
            assert getattr(getattr(config, table), setting) == value


def test_text_of_an_inventory_stays_text(tmp_path: Path) -> None:
    """Quotes, line ends and other scripts do not end a string of the file."""
    odd = 'a "b" \\ c\nd = 1\x7f ü \U0001f4e6'
    file = tmp_path / "config.toml"
    file.write_text(_rendered(doorstep_config={"quality": {"version": odd}}), encoding="utf-8")

    assert load(file).quality.version == odd


@pytest.mark.parametrize(
    ("capture", "more", "refused"),
    [
        ({"manifest": "none", "quiet": True}, {}, ""),
        ({"manifest": "off", "quiet": True}, {}, ""),
        ({"manifest": 17, "manifest_until": "20:00", "quiet": True}, {}, "a route is in hand"),
        ({"manifest": "none", "quiet": False}, {"capture_s": "900"}, "a button was pressed"),
        ({"manifest": "none", "quiet": False}, {"own_start": "yes", "capture_s": "30"}, ""),
        ({"manifest": 17, "quiet": False}, {"own_start": "yes", "capture_s": "30"}, "a route"),
        (
            {"manifest": "none", "quiet": False},
            {"own_start": "yes", "capture_s": "700"},
            "a button was pressed",
        ),
        ({"error": "no answer"}, {}, "cannot be told"),
    ],
)
def test_device_in_use_is_not_touched(
    capture: dict[str, Any], more: dict[str, str], refused: str
) -> None:
    found = {"capture": "active", "status": json.dumps({"capture": capture}), **more}

    said = filters.on_the_road(found)

    assert refused in said
    assert bool(said) == bool(refused)


@pytest.mark.parametrize(
    ("found", "camera", "refused"),
    [
        ({"pi": "yes", "kernel": "6.12.48+deb13-arm64"}, "picamera2", True),
        ({"pi": "yes", "kernel": ""}, "picamera2", True),
        ({"pi": "yes", "kernel": "6.12.47+rpt-rpi-v8"}, "picamera2", False),
        ({"pi": "yes", "kernel": "6.12.47+rpt-rpi-2712"}, "picamera2", False),
        ({"pi": "yes", "kernel": "6.12.48+deb13-arm64"}, "v4l2", False),
        ({"kernel": "6.12.48+deb13-amd64"}, "picamera2", False),
    ],
)
def test_kernel_without_the_parts_drivers_is_refused_on_a_pi(
    found: dict[str, str], camera: str, *, refused: bool
) -> None:
    """Debian's own kernel boots a Pi, and then finds neither camera nor gauge."""
    reason = filters.foreign_kernel(found, camera)

    assert bool(reason) == refused
    assert not refused or "write Raspberry Pi OS (64-bit" in reason


def test_probe_reports_the_running_kernel() -> None:
    """The check of the kernel reads the output of this probe."""
    probe = PROVISIONING / "roles/doorstep_preflight/files/look-as-root.sh"

    assert _probed(probe.read_text())["kernel"] == os.uname().release


@pytest.mark.parametrize("status", ["", "not JSON", "[]", "null", '{"v": 1}'])
def test_capture_that_runs_silently_is_not_touched(status: str) -> None:
    assert filters.on_the_road({"capture": "active", "status": status})


def test_capture_that_starts_is_not_touched_with_two_exceptions() -> None:
    starting = {"capture": "activating", "restarts": "0"}

    assert "cannot be told" in filters.on_the_road(starting)
    assert not filters.on_the_road(starting | {"own_start": "yes"})
    assert not filters.on_the_road(starting | {"restarts": "3"})


def test_device_that_was_just_switched_on_is_reported_as_such() -> None:
    status = json.dumps({"capture": {"manifest": "none", "quiet": False}})
    found = {"capture": "active", "status": status, "capture_s": "30"}

    assert "switched on" in filters.on_the_road(found)


def test_device_without_capture_is_not_on_the_road() -> None:
    assert not filters.on_the_road({})


def test_newest_token_of_a_device_counts() -> None:
    tokens = "van-1 old\nvan-10 other\n\nnonsense\nvan-1 new\n"

    assert filters.token(tokens, "van-1") == "new"
    assert not filters.token(tokens, "van-2")


@pytest.mark.parametrize(
    ("found", "tokens", "refused"),
    [
        ({}, "van-1 one\n", False),
        ({}, "van-2 other\n", True),
        ({}, "", True),
        ({"enrolled": "yes"}, "", False),
    ],
)
def test_device_that_cannot_be_enrolled_is_refused(
    found: dict[str, str], tokens: str, *, refused: bool
) -> None:
    said = filters.tokenless(found, tokens, "van-1", "lists/tokens.txt")

    sentence = "van-1 is not enrolled and has no token in lists/tokens.txt: "
    sentence += "in the office `devices add van-1 --tokens tokens.txt` makes one"
    assert said == (sentence if refused else "")


def test_device_with_a_certificate_says_that_it_is_enrolled(tmp_path: Path) -> None:
    probe = PROVISIONING / "roles/doorstep_preflight/files/look-as-root.sh"
    script = probe.read_text().replace("state=/var/lib/doorstep", f"state={tmp_path}")
    certificate = tmp_path / "keys" / "sync" / "tls.pem"
    certificate.parent.mkdir(parents=True)

    before = _probed(script)
    certificate.write_text("here")

    assert "enrolled" not in before
    assert _probed(script)["enrolled"] == "yes"


def _probed(script: str) -> dict[str, str]:
    ran = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    found: dict[str, str] = filters.pairs(ran.stdout)
    return found


def test_two_hosts_with_one_id_are_found() -> None:
    hosts: dict[str, dict[str, Any]] = {
        "van-1": {},
        "van-2": {"doorstep_device_id": "van-1"},
        "van-3": {},
    }

    assert filters.twins(["van-2", "van-3"], hosts, "van-1") == ["van-2"]
    assert filters.twins(["van-1", "van-2"], hosts, "van-3") == []


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.168.10.7", True),
        ("::ffff:192.168.10.7", True),
        ("192.168.11.7", False),
        ("fe80::1%eth0", True),
        ("2001:db8::1", False),
    ],
)
def test_address_that_the_firewall_would_lock_out_is_reported(address: str, inside: bool) -> None:
    assert filters.within(address, ["192.168.10.0/24", "fe80::/10"]) is inside


def test_faults_of_an_inventory_are_reported_at_once(tmp_path: Path) -> None:
    ours = tmp_path / "fleet-key.pem"
    ours.touch()
    wrong = filters.wrong(
        {
            "device": "van 1",
            "host_key": "ssh-ed25519",
            "backend_url": "http://pod",
            "est_url": "",
            "identity": "required",
            "ca_file": str(tmp_path / "ca.pem"),
            "fleet_key_file": str(tmp_path),
            "config_files": [str(ours)],
            "places": ["/home/me/my fleet"],
            "timezone": "../localtime",
            "office_networks": ["10.0.0.0/99"],
            "update_time": "9000",
            "listen": "pod:1",
        }
    )

    names = ("device_id", "backend_url", "/ca.pem", "office_networks", "update_time", "listen")
    for name in (*names, "host_key", "config_files", "my fleet", "timezone"):
        assert sum(name in one for one in wrong) == 1, name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"doorstep_timezon": "UTC"}, "no such setting; did you mean doorstep_timezone?"),
        ({"doorstep_nonsense_altogether": 1}, "no such setting"),
        ({"doorstep_state_mb": "lots"}, '"lots" must be a whole number'),
        ({"doorstep_state_mb": True}, "must be a whole number"),
        ({"doorstep_backend_url": None}, "missing"),
        ({"doorstep_office_networks": "192.0.2.0/24"}, "must be a list, as [192.0.2.0/24]"),
        ({"doorstep_ca_file": 42}, "must be a text"),
        ({"doorstep_even_on_the_road": "perhaps"}, "must be true or false"),
        ({"doorstep_config": "nonsense"}, "must be tables"),
        ({"doorstep_config": {"camera": 1}}, "camera must be a table"),
    ],
)
def test_variable_that_sets_nothing_is_reported(given: dict[str, Any], words: str) -> None:
    defaults = yaml.safe_load((PROVISIONING / "roles/doorstep/defaults/main.yml").read_text())

    (said,) = filters.unfit(given, defaults)

    assert said.startswith(next(iter(given)))
    assert words in said


def test_variables_of_an_inventory_and_an_option_are_accepted() -> None:
    """The example's variables, a number as an id, and texts from -e are all accepted."""
    defaults = yaml.safe_load((PROVISIONING / "roles/doorstep/defaults/main.yml").read_text())
    example = yaml.safe_load((PROVISIONING / "fleet.example.yml").read_text())
    given = example["all"]["vars"] | {"doorstep_device_id": 42, "doorstep_state_mb": "512"}

    assert filters.unfit(given | {"doorstep_even_on_the_road": "true"}, defaults) == []
    assert filters.unfit(defaults, defaults) == []


def test_configuration_is_read_before_a_device_is_reached() -> None:
    repository = str(PROVISIONING.parents[1])
    camera = {"kind": "polaroid", "mainz_hz": 50}

    said = filters.misread(_rendered(doorstep_config={"camera": camera}), repository)

    assert [one.partition(":")[0] for one in said] == ["camera.mainz_hz", "camera.kind"]
    assert filters.misread(_rendered(), repository) == []


def test_pin_of_the_recommended_build_is_refused_at_once() -> None:
    """The device's own `config --check` would refuse it, but only after the packages."""
    wired = {"indicator": {"vibration_pin": 26}}

    said = filters.misread(_rendered(doorstep_config=wired), str(PROVISIONING.parents[1]))

    assert [one.partition(";")[0] for one in said] == [
        "indicator.vibration_pin: pin 26 has another use in the recommended build (power off)"
    ]


def _finding(check: str, level: str, words: str = "so") -> dict[str, str]:
    return {"check": check, "level": level, "words": words}


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([_finding("clock", "ok"), _finding("sealing", "note")], "ready"),
        ([_finding("position", "note", "no fix yet")], "ready, no fix"),
        ([_finding("position", "FAILED")], "FAILED"),
        ([_finding("backend", "later"), _finding("position", "note")], "no backend"),
        ([_finding("backend", "later"), _finding("disk", "FAILED")], "FAILED"),
    ],
)
def test_verdict_is_doctors(findings: list[dict[str, str]], verdict: str) -> None:
    assert filters.verdict(json.dumps(findings), "", [])["verdict"] == verdict


@pytest.mark.parametrize("answer", ["", "null", "[]", "{}", "[1]", "Traceback"])
def test_doctor_that_gives_no_answer_is_a_fault(answer: str) -> None:
    assert filters.verdict(answer, "cannot", [])["verdict"] == "FAILED"


def test_device_that_is_not_enrolled_is_not_ready() -> None:
    well = json.dumps([_finding("clock", "ok"), _finding("fleet", "FAILED", "follows")])

    told = filters.verdict(well, "", [], "it is not enrolled: why")

    assert told == {"verdict": "FAILED", "todo": "it is not enrolled: why"}


def test_messages_have_no_token() -> None:
    assert filters.without("token s3cret was used", "s3cret") == "token (the token) was used"


@pytest.mark.parametrize(("clock", "after"), [("02:30", "02:50"), ("23:50", "00:10")])
def test_time_of_day_wraps_at_midnight(clock: str, after: str) -> None:
    assert filters.later(clock, 20) == after


@pytest.mark.parametrize("name", BAD)
def test_bad_answer_is_a_fault_of_this_device_alone(name: str) -> None:
    """An exception would leave the device out of the table."""
    told = filters.verdict(BAD[name], "it ended", [])
    in_use = filters.on_the_road({"capture": "active", "status": BAD[name]})

    assert told == {"verdict": "FAILED", "todo": "doctor gave no answer: it ended"}
    assert in_use == "whether it is in use cannot be told: `doorstep status` gave no answer"


def test_answer_at_any_depth_is_read_or_refused() -> None:
    for depth in SHALLOW:
        status = f'{{"capture": {{"error": {nested(depth)}, "manifest": 1}}}}'

        assert filters.on_the_road({"capture": "active", "status": status})
        assert filters.verdict(
            f'[{{"check": "a", "level": "ok", "words": {nested(depth)}}}]', "", []
        )


def test_endless_answer_counts_as_none() -> None:
    finding = json.dumps(_finding("clock", "ok", "so" * 600_000))

    assert filters.verdict(f"[{finding}]", "", [])["verdict"] == "FAILED"


@pytest.mark.parametrize("told", ["", "soon", "-1", "1e9", "9" * 5_000, "\u0663"])
def test_invalid_count_lets_no_device_be_touched(told: str) -> None:
    pressed = json.dumps({"capture": {"quiet": False}})

    assert filters.on_the_road({"capture": "activating", "restarts": told})
    assert filters.on_the_road({"capture": "active", "capture_s": told, "status": pressed})


def test_terminal_does_not_obey_what_a_status_says() -> None:
    for name, value in (("error", "\x1b[2Jso"), ("manifest_until", "\x1b[2J20:00")):
        status = json.dumps({"capture": {"manifest": 1, name: value}})

        assert "\x1b" not in filters.on_the_road({"capture": "active", "status": status})
