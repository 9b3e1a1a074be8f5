"""The alert rules: of what there is, in the fleet page's words, and run by Prometheus's tool."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.status.metrics import HELP
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.monitoring.alerts import FILE, OF_THE_FLEET, RULES, Rule, written
from doorstep_backend.reports.fleet import Device
from doorstep_backend.reports.numbers import FLEET_HELP, exposition
from doorstep_backend.reports.troubles import NEEDS, told
from doorstep_backend.wire.unfiled import Backlog
from tests.backend.reports.samples import NOW, report, waits

HERE = Path(__file__).parent
ALERTS_TEST = HERE / "alerts_test.yml"


def unknown(rule: Rule) -> set[str]:
    """Metrics, needs and states in a rule that nobody tells."""
    metrics = set(re.findall(r"\bdoorstep_\w+", rule.expr)) - HELP.keys() - FLEET_HELP.keys()
    needs = {one for text in re.findall(r'need=~?"([^"]*)"', rule.expr) for one in text.split("|")}
    return metrics | (needs - {str(one) for one in NEEDS})


def promtool(*words: str, folder: Path = HERE) -> subprocess.CompletedProcess[str]:
    command = ["promtool", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_file_is_what_is_written() -> None:
    """`python -m doorstep_backend.monitoring` makes it anew when a need's words change."""
    assert FILE.read_text() == written(RULES)


@pytest.mark.parametrize("rule", [pytest.param(one, id=one.name) for one in RULES])
def test_a_rule_is_of_what_there_is(rule: Rule) -> None:
    assert "doorstep_" in rule.expr
    assert unknown(rule) == set()


def test_a_rule_of_what_nobody_tells_would_be_noticed() -> None:
    wrong = 'doorstep_nothing{need=~"full|gremlins"} == 1'

    assert unknown(Rule("X", wrong, "5m", RULES[0].severity, "", "")) == {
        "doorstep_nothing",
        "gremlins",
    }


def test_each_need_has_one_rule_and_its_words() -> None:
    names = [one.name for one in RULES]
    assert len(set(names)) == len(names)
    for need in NEEDS:
        (rule,) = [one for one in RULES if f'need="{need}"' in one.expr]
        assert rule.summary.endswith(told(need).what)
        assert rule.description == f"{told(need).where}: {told(need).remedy}"


def test_the_readme_asks_for_what_there_is() -> None:
    text = (HERE / "README.md").read_text()

    assert set(re.findall(r"\bdoorstep_(?!backend\b)\w+", text)) <= FLEET_HELP.keys()
    assert {one.name for one in OF_THE_FLEET} <= set(re.findall(r"`(Doorstep\w+)`", text))


@pytest.mark.slow
def test_prometheus_reads_the_numbers_as_they_should_be() -> None:
    said = report(bench_mode=True, queue=waits(2, NOW, refused=4), needs=["full"])
    device = Device("van-1", DeviceState.IN, said, None, said.needs, ())

    command, given = ["promtool", "check", "metrics"], exposition([device], Backlog(3, NOW), 90.0)
    ran = subprocess.run(command, input=given, capture_output=True, check=False)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


@pytest.mark.slow
def test_prometheus_takes_the_rules() -> None:
    ran = promtool("check", "rules", str(FILE))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(RULES)} rules found" in ran.stdout


@pytest.mark.slow
def test_they_fire_and_end_as_they_should() -> None:
    ran = promtool("test", "rules", ALERTS_TEST.name)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
def test_a_rule_that_is_wrong_does_not_pass(tmp_path: Path) -> None:
    """Else the one above proves nothing."""
    rules, tests = tmp_path / "doorstep_backend/monitoring", tmp_path / "monitoring"
    rules.mkdir(parents=True)
    tests.mkdir()
    shutil.copy(ALERTS_TEST, tests)
    wrong = FILE.read_text().replace("doorstep_bench_mode) == 1", "doorstep_bench_mode) == 2")
    (rules / FILE.name).write_text(wrong)

    ran = promtool("test", "rules", ALERTS_TEST.name, folder=tests)

    assert ran.returncode != 0
    assert "DoorstepBenchMode" in ran.stdout + ran.stderr
