"""The alert rules: of what there is, in the fleet page's words, and run by Prometheus's tool."""

import re
import subprocess
from pathlib import Path

import pytest

from agent.status.metrics import HELP
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.monitoring.alerts import FILE, OF_THE_FLEET, RULES, Rule, written
from doorstep_backend.office.remedies import REMEDIES
from doorstep_backend.reports.fleet import Device
from doorstep_backend.reports.numbers import FLEET_HELP, exposition
from doorstep_backend.reports.troubles import NEEDS, trouble_text
from doorstep_backend.wire.filing_backlog import BacklogSize
from tests.backend.reports.samples import NOW, report, waits

HERE = Path(__file__).parent


def unknown(rule: Rule) -> set[str]:
    """Return the metrics, needs and reasons of a rule that the product never exports."""
    metrics = set(re.findall(r"\bdoorstep_\w+", rule.expr)) - HELP.keys() - FLEET_HELP.keys()
    needs = {one for text in re.findall(r'need=~?"([^"]*)"', rule.expr) for one in text.split("|")}
    reasons = set(re.findall(r'reason="([^"]*)"', rule.expr))
    return metrics | (needs - {str(one) for one in NEEDS}) | (reasons - REMEDIES.keys())


def test_the_file_is_what_is_written() -> None:
    """`python -m doorstep_backend.monitoring` makes it again when a need's words change."""
    assert FILE.read_text() == written(RULES)


@pytest.mark.parametrize("rule", [pytest.param(one, id=one.name) for one in RULES])
def test_a_rule_is_of_what_there_is(rule: Rule) -> None:
    assert "doorstep_" in rule.expr
    assert unknown(rule) == set()


def test_each_need_has_one_rule_and_its_words() -> None:
    names = [one.name for one in RULES]
    assert len(set(names)) == len(names)
    for need in NEEDS:
        (rule,) = [one for one in RULES if f'need="{need}"' in one.expr]
        assert rule.summary.endswith(trouble_text(need).what)
        assert rule.description == f"{trouble_text(need).where}: {trouble_text(need).remedy}"


def test_the_readme_asks_for_what_there_is() -> None:
    text = (HERE / "README.md").read_text()

    assert set(re.findall(r"\bdoorstep_(?!backend\b)\w+", text)) <= FLEET_HELP.keys()
    assert {one.name for one in OF_THE_FLEET} <= set(re.findall(r"`(Doorstep\w+)`", text))


@pytest.mark.slow
def test_prometheus_reads_the_numbers_as_they_should_be() -> None:
    said = report(bench_mode=True, queue=waits(2, NOW, refused=4), needs=["full"])
    device = Device("van-1", DeviceState.IN, said, None, said.needs, ())

    command, given = (
        ["promtool", "check", "metrics"],
        exposition([device], BacklogSize(3, NOW), 90.0, dict.fromkeys(REMEDIES, 1)),
    )
    ran = subprocess.run(command, input=given, capture_output=True, check=False)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


@pytest.mark.slow
def test_they_fire_and_end_as_they_should() -> None:
    command = ["promtool", "test", "rules", "alerts_test.yml"]
    ran = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
