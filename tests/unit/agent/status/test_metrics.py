"""A status in numbers, as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families  # noqa: TID251 - its own reader

from agent.models import from_rfc3339
from agent.status import metrics
from tests.unit.agent.status.scene import Scene, suspected


def read(scene: Scene) -> dict[tuple[str, str], float]:
    """Each number by its name and its label beside the device's."""
    text = metrics.exposition([("van-7", metrics.samples(scene.status()))], metrics.HELP)
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("device") == "van-7"
            found[sample.name, "".join(labels.values())] = sample.value
    return found


def test_each_number_is_that_of_the_document(scene: Scene) -> None:
    scene.add(utc="2026-12-01T09:15:02.000Z")
    scene.damage()
    suspected(scene.outbox, scene.add(), "POST was answered 413")
    scene.say("sync", hindrance="not_let_in", tls_until="2126-12-01T00:00:00.000Z")

    found = read(scene)

    assert found["doorstep_waiting_records", ""] == 2
    assert found["doorstep_suspect_records", ""] == 1
    assert found["doorstep_damaged_records", ""] == 1
    oldest = from_rfc3339("2026-12-01T09:00:00Z").timestamp()
    assert found["doorstep_oldest_timestamp_seconds", ""] == oldest
    assert found["doorstep_waits_why", "not_let_in"] == 1
    needs = {label for name, label in found if name == "doorstep_needs"}
    assert {"damaged", "not_let_in"} <= needs
    assert found["doorstep_ready", ""] == 1
    energy = {name: found[f"doorstep_{name}", ""] for name in ("used_joules", "left_seconds")}
    assert energy == {"used_joules": 4 * 3_600, "left_seconds": 6 * 3_600}
    assert found["doorstep_mean_watts", ""] == 1.35
    assert {name for name, _ in found} == set(metrics.HELP)


def test_quiet_is_no_number(scene: Scene) -> None:
    """Prometheus keeps a history: it would be one of somebody's breaks."""
    assert not [name for name, _ in read(scene) if "quiet" in name]


def test_unknown_value_has_no_number(scene: Scene) -> None:
    scene.said = {"capture": None, "sync": None}
    scene.close()
    scene.layout.database.write_bytes(b"no database" * 1_000)

    names = {name for name, _ in read(scene)}

    assert names == {"doorstep_needs", "doorstep_bench_mode", "doorstep_info"}
