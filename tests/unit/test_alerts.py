"""The alert rules name metrics that there are, and labels that those have."""

from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_speaks_of_what_is_measured(rule: dict[str, Any]) -> None:
    registry = CollectorRegistry()
    metrics = DriverMetricFamilies(registry).of("opcua", "PLC-SEP-01")
    metrics.certificate_expires("own", 0.0)
    metrics.insecure(True)
    labels = {sample.name: set(sample.labels) for family in registry.collect() for sample in family.samples}
    selected: list[str | None] = []
    grouped: set[str] = set()

    def visit(part: promql_parser.Expr) -> bool:
        if isinstance(part, promql_parser.VectorSelector):
            selected.append(part.name)
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
            grouped.update(part.modifier.labels)
        return True

    promql_parser.walk(promql_parser.parse(rule["expr"]), visit)
    (name,) = selected
    assert name is not None
    assert grouped <= labels[name]


def test_prometheus_is_told_of_the_rules() -> None:
    assert yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"] == ["alerts.yml"]


def test_an_expiry_is_warned_of_a_month_ahead_and_critical_in_the_last_week() -> None:
    thresholds = {rule["labels"]["severity"]: rule["expr"] for rule in RULES if "certificate_expiry" in rule["expr"]}
    assert {severity: text.rpartition("< ")[2] for severity, text in thresholds.items()} == {"warning": "30 * 86400", "critical": "7 * 86400"}
