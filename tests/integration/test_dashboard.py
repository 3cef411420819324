"""The overview dashboard against the services it shows: every query finds rows, every series it asks for exists. Grafana itself is in no registry."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import promql_parser
import psycopg
import yaml
from prometheus_client.parser import text_string_to_metric_families
from psycopg.rows import dict_row

from tests.modbus_device import LOT, SET_POINT, TAGS
from tests.modbus_plant import modbus_plant
from tests.stack import history

GRAFANA: Final = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD: Final[dict[str, Any]] = json.loads((GRAFANA / "dashboards" / "overview.json").read_text())
PANELS: Final[list[dict[str, Any]]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
MOST_ROWS: Final = 11_000
"""More points than a panel can show."""
SNAPSHOT_WITHIN: Final = 20.0
"""The historian saves the snapshot every few seconds."""


def queries(kind: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(panel, target) of all panels that read from data sources of ``kind``."""
    for panel in PANELS:
        for target in panel["targets"]:
            if target["datasource"]["type"] == kind:
                yield panel, target


def expanded(text: str, begun: datetime, ended: datetime, variables: Mapping[str, list[str]], *, timescaledb: bool) -> str:
    """SQL as Grafana's PostgreSQL data source sends it: macros of its macros.go, an interval of 1 s, variables of several values quoted and joined."""

    def group(match: re.Match[str]) -> str:
        column, interval = match[2].split(",")
        seconds = float(interval.removesuffix("s"))
        bucket = f"time_bucket('{seconds:.3f}s',{column})" if timescaledb else f"floor(extract(epoch from {column})/{seconds:g})*{seconds:g}"
        return f'{bucket} AS "time"' if match[1] == "Alias" else bucket

    text = text.replace("$__interval", "1s")
    text = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 BETWEEN '{begun.isoformat()}' AND '{ended.isoformat()}'", text)
    text = re.sub(r"\$__timeGroup(Alias)?\(([^)]*)\)", group, text)
    for name, values in variables.items():
        text = re.sub(rf"\${name}\b", ",".join(f"'{value}'" for value in values), text)
    assert "$" not in text, f"not expanded: {text}"
    return text


def test_panels_have_ids_of_their_own_and_data_sources_that_are_provisioned() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "monazite.yml").read_text())["datasources"]
    known = [{"type": source["type"], "uid": source["uid"]} for source in provisioned]
    used = [target["datasource"] for panel in PANELS for target in [panel, *panel["targets"]]]
    used += [variable["datasource"] for variable in DASHBOARD["templating"]["list"]]
    assert all(source in known for source in used)
    assert [source for source in known if source not in used] == []


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@asynccontextmanager
async def plant_with_a_past(folder: Path, store_url: str) -> AsyncIterator[list[str]]:
    """Services that have seen a command, a loss, and a device that went away. Yields the URLs of their metrics."""
    async with modbus_plant(folder, store_url) as plant:
        await plant.written(8.5)
        await stored_as(plant.client, "Good")
        await plant.stack.kill("gateway")
        gateway = await plant.stack.start("gateway")
        await stored_as(plant.client, "Good")
        await plant.device.stop()
        await stored_as(plant.client, "BadNoCommunication")
        yield [answer["metrics"] for answer in (plant.ready | {"gateway": gateway}).values()]


async def stored_as(client: httpx.AsyncClient, quality: str) -> None:
    """Waits until the newest stored sample of every tag has ``quality``."""
    async with asyncio.timeout(30):
        for tag in TAGS:
            while (await history(client, tag.name))[2][-1:] != [quality]:
                await asyncio.sleep(0.1)


async def test_every_query_finds_rows_and_every_series_exists(tmp_path: Path, postgres_url: str, reader_dsn: str) -> None:
    begun = datetime.now(UTC) - timedelta(minutes=5)
    async with plant_with_a_past(tmp_path, postgres_url) as metrics:
        database = postgres_url.rpartition("/")[2]
        ended = datetime.now(UTC) + timedelta(minutes=5)
        await asyncio.to_thread(check_sql, f"{reader_dsn}/{database}", begun, ended)
        async with httpx.AsyncClient() as client:
            check_promql("\n".join([(await client.get(url)).raise_for_status().text for url in metrics]))


def check_sql(dsn: str, begun: datetime, ended: datetime) -> None:
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as reader:
        timescaledb = reader.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None

        def rows_of(text: str, variables: Mapping[str, list[str]]) -> list[dict[str, Any]]:
            return reader.execute(expanded(text, begun, ended, variables, timescaledb=timescaledb).encode()).fetchall()

        variables: dict[str, list[str]] = {}
        for variable in DASHBOARD["templating"]["list"]:
            found = [str(*row.values()) for row in rows_of(variable["query"], variables)]
            assert found, variable["name"]
            variables[variable["name"]] = found
        assert SET_POINT.name in variables["tag"]
        assert LOT.name not in variables["tag"], "a text is no curve"
        for panel, target in queries("grafana-postgresql-datasource"):
            rows = rows_of(target["rawSql"], variables)
            end = time.monotonic() + SNAPSHOT_WITHIN
            while not rows and time.monotonic() < end:
                rows = rows_of(target["rawSql"], variables)
            assert 0 < len(rows) <= MOST_ROWS, panel["title"]
            assert any(value is not None for value in rows[0].values()), panel["title"]
            if target["format"] == "time_series":
                assert {"time", "metric", "value"} == set(rows[0]), panel["title"]
                assert [row["time"] for row in rows] == sorted(row["time"] for row in rows), panel["title"]
            elif panel["type"] == "stat":
                assert len(rows) == 1, panel["title"]


def check_promql(exposed: str) -> None:
    """Every selector names a metric that a service exposes, by labels that it has."""
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposed):
        labels.setdefault(family.name + ("_total" if family.type == "counter" else ""), set())
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels, {"job", "instance"})
    checked = 0
    for panel, target in queries("prometheus"):
        expression = promql_parser.parse(target["expr"].replace("$__rate_interval", "20s"))
        used = {*re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])}

        def visit(part: promql_parser.Expr, title: str = panel["title"], used: set[str] = used) -> None:
            nonlocal checked
            if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
                used.update(part.modifier.labels)
            if isinstance(part, promql_parser.VectorSelector):
                assert part.name in labels, f"{title}: nothing exposes {part.name}"
                named = used | {matcher.name for matcher in part.matchers.matchers}
                assert named <= labels[part.name] or not labels[part.name], f"{title}: {part.name} has no {named - labels[part.name]}"
                checked += 1

        promql_parser.walk(expression, visit)
    assert checked >= len(list(queries("prometheus")))
