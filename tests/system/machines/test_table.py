"""The table says what to do."""

from pathlib import Path

import pytest

from tests.system.machines.playbooks import plugin

table = plugin("callback_plugins/doorstep_table")

DENIED = "tech@192.0.2.1: Permission denied (publickey)."

NO_KEY = "no such identity: /home/me/no key: No such file or directory"


@pytest.mark.parametrize(
    ("said", "why", "what"),
    [
        (
            "KnownHostsCommand-HOSTNAME /x OURS ITS failed, status 1",
            "is ITS, and not",
            "Read the key",
        ),
        ("Host key verification failed.", "another SSH host key", "rm /kept"),
        (DENIED, "does not accept the key", "set ansible_user and ansible_ssh_private_key_file"),
        (f"{NO_KEY}\r\n{DENIED}", "/home/me/no key is not there", "ansible_ssh_private_key_file"),
        (f"{NO_KEY}\nConnection timed out", "does not answer", "switch it on"),
        ("Could not resolve hostname van-1", "name is not known", "set ansible_host"),
        ("connect to host 192.0.2.1 port 22: Connection refused", "nothing answers", "switch"),
        ("odd {words}", "not reached: odd {words}", "then try again"),
        ("", "no answer", "then try again"),
    ],
)
def test_unreachable_device_is_reported_with_a_remedy(said: str, why: str, what: str) -> None:
    told = table.why_unreached(said, Path("/kept"))

    assert why in told
    assert what in told


def test_another_host_key_may_be_another_machine() -> None:
    """A technician who then deletes the known key lets another machine pass for the device."""
    told = table.why_unreached("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!", Path("/kept"))

    again, other = told.split("Or ")
    assert "set up again" in again
    assert "rm /kept" in again
    assert "another machine has its address now" in other
    assert "set ansible_host" in other
    assert "rm " not in other


@pytest.mark.parametrize(
    ("again", "left_out", "listed"),
    [
        (["van-1"], ["van-2", "van-3"], ["van-1", "van-2"]),
        ([], ["van-1", "van-3"], []),
        ([], ["van-2"], ["van-2"]),
        (["van-3"], [], ["van-3"]),
    ],
)
def test_devices_left_out_of_a_run_stay_in_the_list(
    tmp_path: Path, again: list[str], left_out: list[str], listed: list[str]
) -> None:
    """A device that left the inventory leaves the list too."""
    file = tmp_path / "kept" / "retry.txt"
    table.write_list(file, ["van-2"], [], "fleet.yml")

    table.write_list(file, again, left_out, "fleet.yml")

    assert file.read_text().splitlines() == ["# for fleet.yml", *listed]


def test_list_of_another_release_keeps_no_device(tmp_path: Path) -> None:
    """Devices of an old list would get a version that was not meant for them."""
    file = tmp_path / "retry-deploy.txt"
    table.write_list(file, ["van-2"], [], "2026.12.0 and fleet.yml")

    table.write_list(file, ["van-1"], ["van-2"], "2026.12.1 and fleet.yml")

    assert file.read_text() == "# for 2026.12.1 and fleet.yml\nvan-1\n"


TOLD = {"verdict": "ready", "todo": "restart it once"}

NOT_TRIED = {"verdict": "not tried", "todo": "the roll-out ended before its turn"}


@pytest.mark.parametrize(
    ("told", "failed", "dark", "row"),
    [
        (TOLD, False, False, ("ready", "restart it once", True)),
        (TOLD, True, False, ("not done", "a step failed", False)),
        (TOLD, False, True, ("not reached", "a step failed", False)),
        ({}, False, False, ("not done", "a step failed", False)),
        ({}, True, False, ("not done", "a step failed", False)),
        ({"verdict": "FAILED", "todo": "so"}, True, False, ("FAILED", "so", False)),
        ({"verdict": "rolled back", "todo": "so"}, True, False, ("rolled back", "so", False)),
        (NOT_TRIED, False, False, (*NOT_TRIED.values(), False)),
        (NOT_TRIED, False, True, ("not reached", "a step failed", False)),
    ],
)
def test_noted_verdict_counts_unless_a_later_step_failed(
    told: dict[str, str],
    failed: bool,
    dark: bool,
    row: tuple[str, str, bool],
) -> None:
    assert table.judged(told, "a step failed", failed=failed, dark=dark) == row
