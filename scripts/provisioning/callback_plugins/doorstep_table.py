"""The result of a run: one line per device, and the list for the next try."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: doorstep_table
type: aggregate
short_description: One line per device, and the list for the next try
description:
  - Prints device, version, verdict and what to do for each device, when all are through.
  - Writes those that failed or were not reached to build/provision/retry.txt, and keeps there
    whom this run left out; a deploy and scripts/collect-logs have lists of their own.
"""

WIDTH = 100
"""Columns of the table where the terminal does not say."""

LISTS = {"deploy": "retry-deploy.txt", "collect-logs": "not-collected.txt"}
"""Files that list the devices to try again, by playbook; of other playbooks, retry.txt."""

NOT_THROUGH = ("FAILED", "rolled back", "not reached", "not done", "not tried")
"""Verdicts that a playbook itself gives to devices that are to be tried again."""

UNREACHED = (
    (
        r"KnownHostsCommand.* (?P<given>\S+) (?P<offered>\S+) failed",
        (
            "its SSH host key is {offered}, and not doorstep_host_key ({given}): nothing was sent."
            " Read the key at the device again; if doorstep_host_key is right, another machine"
            " answers at ansible_host"
        ),
    ),
    (
        r"HOST IDENTIFICATION HAS CHANGED|Host key verification failed",
        (
            "another SSH host key answers there than last time. Either the device was set up again,"
            " as when its card was written: then rm {known}, and try again. Or another machine"
            " has its address now, as DHCP may give it away: then find the device's own address"
            " (on its network's router), set ansible_host to it, and delete nothing"
        ),
    ),
    (
        r"no such identity: (?P<key>.+?): No such file(?s:.)*Permission denied",
        "your key {key} is not there: set ansible_ssh_private_key_file to the one that is",
    ),
    (
        r"Permission denied",
        (
            "its SSH does not accept the key or the user: set ansible_user and"
            " ansible_ssh_private_key_file, or put the key on the device ({said})"
        ),
    ),
    (r"Could not resolve", "its name is not known: set ansible_host to its address"),
    (
        r"refused",
        "nothing answers at its SSH port: switch it and its SSH on, or set ansible_port",
    ),
    (
        r"timed out|timeout|No route|unreachable|closed by|Broken pipe|reset by",
        "it does not answer, or not any more: switch it on, in this network, or set ansible_host",
    ),
    (r"", "not reached: {said}; correct what `ssh` says, then try again"),
)
"""Messages of ssh, and a technician's remedies."""


class CallbackModule(CallbackBase):
    """A collector of what was said of each host, which prints it at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "doorstep_table"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, str] = {}
        self._last = "see above"  # what one host does for all, and failed, is said of all
        self._fleet: set[str] = set()  # all of the inventory, also those left out
        self._list = "retry.txt"

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Choose the list by the playbook: LISTS has those that are not for provisioning."""
        stem = Path(str(playbook._file_name)).stem  # noqa: SLF001 - there is no other way
        self._list = LISTS.get(stem, "retry.txt")

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Note the devices that the list of the run before may name."""
        known = play.get_variable_manager().get_vars(play=play, include_hostvars=False)
        self._fleet = set(known["groups"]["all"])

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep the last failure that counts for the table."""
        if not ignore_errors:
            told = _worst(_member(result, "result"))
            words = told.get("msg") or told.get("stderr") or told.get("stdout") or "it failed"
            task = "" if told.get("assertion") else f"{_task(result)}: "
            said = str(told.get("stderr") or told.get("stdout") or "")
            if said and told.get("rc"):
                words = f"{words}: {said.strip().splitlines()[-1]}"
            self._last = str(words) if _is_ours(result) else task + str(words)
            self._said[_host(result)] = self._last

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep ssh's message, in a technician's words."""
        host, said = _host(result), str(_member(result, "result").get("msg", ""))
        known = _kept() / "known_hosts" / host
        self._said[host] = why_unreached(said, known)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the table; write the list."""
        hosts = sorted(host for host in stats.processed if host != "localhost")
        rows, again = [], []
        for host in hosts:
            told = stats.custom.get(host, {})
            bad = bool(stats.failures.get(host, 0))
            dark, said = bool(stats.dark.get(host, 0)), self._said.get(host, self._last)
            verdict, todo, is_through = judged(told, said, failed=bad, dark=dark)
            if not is_through:
                again.append(host)
            told_of = (told.get("device", host), told.get("version", "-"), verdict, todo)
            rows.append(tuple(map(_plain, told_of)))
        left_out = self._fleet.difference(stats.processed)
        write_list(_kept() / self._list, again, left_out, os.environ.get("DOORSTEP_LIST_FOR", ""))
        if rows:
            self._print(rows)

    def _print(self, rows: list[tuple[str, ...]]) -> None:
        head = ("device", "version", "verdict", "what to do")
        sizes = [max(len(row[column]) for row in [head, *rows]) for column in range(3)]
        room = max(40, int(os.environ.get("COLUMNS") or WIDTH) - sum(sizes) - 6)
        self._display.display("")
        for row in [head, *rows]:
            parts = textwrap.wrap(" ".join(row[3].split()), room, break_long_words=False) or [""]
            left = "  ".join(f"{row[column]:<{sizes[column]}}" for column in range(3))
            self._display.display(f"{left}  {parts[0]}".rstrip())
            for part in parts[1:]:
                self._display.display(f"{'':<{len(left)}}  {part}")


def judged(told: dict[str, str], said: str, *, failed: bool, dark: bool) -> tuple[str, str, bool]:
    """Return a device's verdict, its remedy, and True if the device is through.

    Args:
        told: the playbook's notes on it; empty before a verdict.
        said: the last failure.
        failed: True if a step of it failed.
        dark: True if it was lost on the way.
    """
    if dark:
        return "not reached", said, False
    # One that came to no verdict is not through, also where another's failure ended all.
    verdict = told.get("verdict", "not done")
    if not told or (failed and verdict not in NOT_THROUGH):
        return "not done", said, False
    return verdict, told.get("todo", ""), not failed and verdict not in NOT_THROUGH


def why_unreached(said: str, known: Path) -> str:
    """Translate ssh's message into a technician's words, with the remedy."""
    last = said.strip().splitlines()[-1] if said.strip() else "no answer"
    tried = ((re.search(pattern, said, re.IGNORECASE), words) for pattern, words in UNREACHED)
    found, words = next((found, words) for found, words in tried if found)
    return words.format(said=last, known=known, **found.groupdict())


def _plain(text: object) -> str:
    """Make a device's words safe to show: they could repaint the lines of others."""
    return "".join(one if one.isprintable() else " " for one in str(text))


def _kept() -> Path:
    root = Path(__file__).resolve().parents[3]
    return Path(os.environ.get("DOORSTEP_PROVISION_DIR") or root / "build" / "provision")


def write_list(path: Path, again: Iterable[str], left_out: Collection[str], of: str) -> None:
    """Write the devices to try again: those of this run, and those of the last list left out now.

    It is written whole or not at all; an empty list is a file too: nothing is left to do. `of` is
    the inventory, and the version in a deploy; a list for another one is replaced.
    """
    first = f"# for {of}\n" if of else ""
    text = path.read_text("utf-8") if path.exists() else ""
    is_anothers = bool(first) and text.startswith("#") and not text.startswith(first)
    before = [] if is_anothers else [one for one in text.splitlines() if not one.startswith("#")]
    hosts = sorted({*again, *(host for host in before if host in left_out)})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(first + "".join(f"{host}\n" for host in hosts), encoding="utf-8")
    part.replace(path)


def _member(result: Any, name: str) -> Any:
    """Return a member: Ansible 2.19 has `result.result`, earlier ones `result._result`."""
    return getattr(result, name, None) or getattr(result, f"_{name}", {})


def _worst(told: dict[str, Any]) -> dict[str, Any]:
    """Return the turn of a loop that failed."""
    turns = [one for one in told.get("results") or () if isinstance(one, dict)]
    return next((one for one in turns if one.get("failed")), told)


def _host(result: Any) -> str:
    return str(_member(result, "host").get_name())


def _task(result: Any) -> str:
    return str(_member(result, "task").get_name()).rpartition(" : ")[2]


def _is_ours(result: Any) -> bool:
    """Return True if the words are the playbook's own, which need no task's name before them."""
    return str(_member(result, "task").action).rpartition(".")[2] in {"fail", "assert"}
