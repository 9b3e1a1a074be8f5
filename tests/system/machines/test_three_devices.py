"""Three machines set up in one command: one fails, and the second run finishes it."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.record import signing
from doorstep_backend.office.model import open_office
from doorstep_backend.office.orders import Address, Order
from doorstep_backend.wire.store import Store
from tests.support.enrolment import ask, asked
from tests.support.waiting import until
from tests.system.machines.image import KEPT, SHARED_MACHINE_ID, image
from tests.system.machines.machine import Machine, machines
from tests.system.machines.network import STREET, Network
from tests.system.machines.office import Office
from tests.system.machines.run import RunResult, inventory, processes_seen, provision

pytestmark = pytest.mark.provision

NAMES = ("van-1", "van-2", "van-3")


@dataclass(frozen=True, slots=True)
class Story:
    """Runs so far; every machine still runs.

    Attributes:
        runs: the first with a token that was used, the second for those that failed, with -vvv,
            and the third when nothing is left to do.
        tokens: every one that was used.
        seen: each command line and environment of the first two runs.
    """

    machines: list[Machine]
    runs: list[RunResult]
    tokens: list[str]
    seen: set[bytes]
    folder: Path


@pytest.fixture(scope="module")
def story(
    network: Network, at_the_office: Office, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    lower, folder = image(), tmp_path_factory.mktemp("machines", numbered=True)
    with machines(network, lower, KEPT / folder.name, *NAMES) as made:
        made[0].run("mkdir", "-p", "/etc/NetworkManager/conf.d")  # as Raspberry Pi OS has
        hosts = {one.name: {"ansible_host": one.address} for one in made}
        listed = at_the_office.tokens(*NAMES)
        _use(at_the_office, "van-2", _token(listed, "van-2"))
        fleet = inventory(at_the_office, listed, hosts)
        with processes_seen() as seen:
            first = provision(fleet)
            again = at_the_office.folder / "tokens-again"
            at_the_office.backend.command(
                "devices", "add", "van-2", "--new-signing-key", "--tokens", str(again)
            )
            inventory(at_the_office, again, hosts)
            second = provision(fleet, "--retry", "--", "-vvv")
        tokens = [_token(listed, name) for name in NAMES] + [_token(again, "van-2")]
        third = provision(fleet)
        yield Story(made, [first, second, third], tokens, seen, at_the_office.folder)


@pytest.fixture(params=NAMES)
def each(story: Story, request: pytest.FixtureRequest) -> Machine:
    return next(one for one in story.machines if one.name == request.param)


@pytest.fixture
def van(story: Story) -> Machine:
    return story.machines[0]


def test_token_that_was_used_stops_its_own_device_only(story: Story) -> None:
    first = story.runs[0]
    assert first.exit_code != 0, first.output
    assert [first.rows[name][0] for name in NAMES] == ["ready", "FAILED", "ready"], first.output
    assert "not enrolled" in first.rows["van-2"][1]
    assert "token" in first.rows["van-2"][1]


def test_second_run_finishes_that_device_and_touches_no_other(story: Story) -> None:
    second = story.runs[1]
    assert second.exit_code == 0, second.output
    assert {name: row[0] for name, row in second.rows.items()} == {"van-2": "ready"}


def test_run_after_that_changes_nothing(story: Story) -> None:
    third = story.runs[2]
    assert third.exit_code == 0, third.output
    assert third.changed == dict.fromkeys(NAMES, 0), third.output
    assert {row[0] for row in third.rows.values()} == {"ready"}


def test_no_token_is_in_any_process_list(story: Story) -> None:
    assert any(b"ansible-playbook" in one for one in story.seen)
    assert any(b"doorstep\0enrol" in one for one in story.seen)
    for token in story.tokens:
        assert not [one for one in story.seen if token.encode() in one]


def test_no_token_is_in_a_runs_output_even_with_vvv(story: Story) -> None:
    for told in story.runs:
        for token in story.tokens:
            assert token not in told.output


def test_no_token_stays_on_a_device(story: Story, each: Machine) -> None:
    journal = each.run("journalctl", "--no-pager", "--output=cat").stdout
    assert "Doorstep" in journal
    tokens = [token.encode() for token in story.tokens]
    assert not [token for token in tokens if token.decode() in journal]
    assert not _files_with(each.folder / "upper", tokens)
    assert not _files_with(each.path("/run"), tokens)
    assert not _files_with(each.path("/tmp"), tokens)


def test_clones_of_one_image_get_their_own_host_keys_and_ids(story: Story) -> None:
    ids = {one.path("/etc/machine-id").read_text().strip() for one in story.machines}
    keys = {
        file.read_bytes() for one in story.machines for file in one.path("/etc/ssh").glob("*.pub")
    }
    image_keys = {file.read_bytes() for file in (image() / "etc/ssh").glob("*.pub")}
    assert len(ids) == 3
    assert SHARED_MACHINE_ID not in ids
    assert len(keys) == 3 * len(image_keys) > 0
    assert not keys & image_keys


def test_services_are_enabled_and_run_and_none_failed(each: Machine) -> None:
    on = ["doorstep-capture", "doorstep-sync", "nftables", "chrony"]
    assert each.run("systemctl", "is-enabled", *on).stdout.split() == ["enabled"] * len(on)
    assert each.run("systemctl", "is-active", *on).stdout.split() == ["active"] * len(on)
    assert each.run("systemctl", "--failed", "--no-legend").stdout == ""
    assert each.run("systemctl", "is-enabled", "doorstep-serve", check=False).stdout == "disabled\n"


def test_only_root_can_write_programs(each: Machine) -> None:
    places = ["/etc/doorstep", "/opt/doorstep", "/etc/systemd/system"]
    loose = each.run(
        "find",
        *places,
        "(",
        "-not",
        "-user",
        "root",
        "-o",
        "-perm",
        "/022",
        ")",
        "-not",
        "-type",
        "l",
    )
    assert loose.stdout == ""
    modes = each.run(
        "stat",
        "-c",
        "%a %U:%G",
        "/etc/doorstep/config.toml",
        "/etc/doorstep/fleet-ca.pem",
        "/etc/doorstep/fleet-key.pem",
    )
    assert modes.stdout.splitlines() == ["644 root:root"] * 3


def test_state_is_a_file_system_without_a_reserve_for_root(each: Machine) -> None:
    kind = each.run("findmnt", "-n", "-o", "FSTYPE,OPTIONS", "/var/lib/doorstep").stdout
    assert kind.startswith("ext4")
    assert {"nosuid", "nodev", "noexec"} <= set(kind.split()[1].split(","))
    source = each.run("findmnt", "-n", "-o", "SOURCE", "/var/lib/doorstep").stdout.strip()
    told = each.run("tune2fs", "-l", source).stdout
    assert re.search(r"^Reserved block count: +0$", told, re.MULTILINE), told
    file = each.path("/var/lib/doorstep.ext4").stat()
    assert file.st_blocks * 512 >= file.st_size, "the room is taken, not promised"


def test_logs_stay_in_memory_and_there_is_no_swap(each: Machine) -> None:
    files = each.run("sh", "-c", "journalctl --header | grep 'File path'").stdout
    assert "/run/log/journal/" in files
    assert "/var/log/journal" not in files
    assert each.run("swapon", "--show").stdout == ""


def test_updates_come_at_their_hour_alone(each: Machine) -> None:
    when = each.run("systemctl", "show", "-P", "TimersCalendar", "apt-daily.timer").stdout
    assert "02:30:00" in when
    assert when.count("OnCalendar") == 1
    assert each.run("systemctl", "show", "-P", "Persistent", "apt-daily.timer").stdout == "no\n"


def test_ssh_alone_is_open_to_the_office_and_no_port_to_the_street(each: Machine) -> None:
    rules = each.run("nft", "list", "ruleset").stdout
    assert "policy drop" in rules
    assert _open_ports(each.address) == {22}
    assert _open_ports(each.address, "ip", "netns", "exec", STREET) == set()


def test_street_reaches_ssh_without_the_firewall(van: Machine) -> None:
    """The test above would also pass with an unplugged cable."""
    van.run("nft", "flush", "ruleset")
    try:
        assert 22 in _open_ports(van.address, "ip", "netns", "exec", STREET)
    finally:
        van.run("systemctl", "reload", "nftables")
    assert _open_ports(van.address, "ip", "netns", "exec", STREET) == set()


def test_user_with_the_camera_has_no_network(van: Machine) -> None:
    to_office = "exec 3<>/dev/tcp/10.77.1.1/80"
    as_capture = ("setpriv", "--reuid=doorstep-capture", "--clear-groups")
    ran = van.run(*as_capture, "bash", "-c", to_office, check=False)
    assert ran.returncode != 0
    assert "refused" in ran.stderr.lower()


def test_chrony_asks_the_network_and_no_receiver(van: Machine) -> None:
    sources = van.run("chronyc", "-c", "sources").stdout.splitlines()
    assert [line.split(",")[2] for line in sources] == ["10.77.1.1"]
    assert {line.split(",")[0] for line in sources} == {"^"}


def test_wi_fi_saves_power_under_network_manager(story: Story) -> None:
    place = "/etc/NetworkManager/conf.d/doorstep-wifi.conf"
    first, second, _ = (one.path(place) for one in story.machines)

    assert "\nwifi.powersave=3\n" in first.read_text()
    assert not second.exists()


def test_doctor_finds_nothing_to_do(each: Machine) -> None:
    said = each.ssh("sudo", "doorstep", "doctor")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "FAILED" not in said.stdout


def test_power_cut_loses_nothing_and_the_next_run_changes_nothing(
    story: Story, network: Network, van: Machine
) -> None:
    van.stop()
    network.pull_out(van.name)
    van.start(network)
    on = ("doorstep-capture", "doorstep-sync", "nftables", "gpsd")
    until(
        lambda: van.run("systemctl", "is-active", *on, check=False).returncode == 0,
        120.0,
        every_s=1.0,
        told=lambda: van.run("systemctl", "--failed").stdout,
    )
    assert van.run("findmnt", "-n", "/var/lib/doorstep").stdout
    assert _open_ports(van.address, "ip", "netns", "exec", STREET) == set()
    lies_before_me = ("--", "-e", "doorstep_even_on_the_road=true")
    told = provision(story.folder / "fleet.yml", van.name, *lies_before_me)
    assert told.exit_code == 0, told.output
    assert told.changed == {van.name: 0}, told.output


def test_device_on_the_road_is_not_touched(story: Story, at_the_office: Office) -> None:
    van = story.machines[2]
    _send_out(at_the_office, van.name)
    van.run("systemctl", "restart", "doorstep-sync")
    until(lambda: _has_route(van), 120.0, every_s=2.0)
    before = van.files()
    told = provision(story.folder / "fleet.yml", van.name)
    verdict, todo = told.rows[van.name]
    assert (told.exit_code, verdict) == (2, "not done"), told.output
    assert "it is in use, and was not touched: a route is in hand" in todo
    assert van.files().keys() == before.keys()


def _send_out(office: Office, name: str) -> None:
    """Give a device a route of one stop, for the next eight hours."""
    opened = open_office(Store(office.backend.data))
    opened.orders.add_customer("c-1", "Ada")
    opened.orders.add_address(Address("a-1", "c-1", "Long Street 1"))
    opened.orders.add(Order("1001", "c-1", "a-1", "stop-1001", ("LABEL-1",), 52.52, 13.405))
    now = datetime.now(UTC)
    opened.routes.plan("r-1", ["1001"], now - timedelta(hours=1), now + timedelta(hours=8))
    opened.routes.assign("r-1", name)


def _has_route(van: Machine) -> bool:
    said = van.run("doorstep", "status", "--json", check=False).stdout
    capture = json.loads(said.splitlines()[0])["capture"] if said else None
    return capture is not None and isinstance(capture.get("manifest"), int)


def _token(listed: Path, name: str) -> str:
    return dict(line.split() for line in listed.read_text().splitlines())[name]


def _use(office: Office, name: str, token: str) -> None:
    """Enrol a device with a token, which is used then."""
    request = asked(name, signing.new_key())
    answer = ask(office.backend, "simpleenroll", request, auth=(name, token))
    assert answer.status_code == 200


def _open_ports(address: str, *where: str) -> set[int]:
    """Return each TCP port that accepts a connection."""
    scan = (
        "import socket,sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def opens(port):\n"
        "    with socket.socket() as s:\n"
        "        s.settimeout(1)\n"
        "        return port if s.connect_ex((sys.argv[1], port)) == 0 else 0\n"
        "ports = [*range(1, 1025), 2947, 5353, 8080, 8443, 9100]\n"
        "with ThreadPoolExecutor(200) as pool:\n"
        "    print(*filter(None, pool.map(opens, ports)))\n"
    )
    ran = subprocess.run(
        [*where, "python3", "-c", scan, address], capture_output=True, text=True, check=True
    )
    return {int(port) for port in ran.stdout.split()}


def _files_with(top: Path, secrets: list[bytes]) -> list[Path]:
    found = []
    for path in top.rglob("*"):
        with suppress(OSError):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                found += [path for secret in secrets if secret in content]
    return found
