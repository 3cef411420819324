"""The OPC UA driver against a real server on a real socket, in this process or, where it is killed or frozen, in another."""

import asyncio
import contextlib
import math
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Server, ua
from asyncua.server.monitored_item_service import MonitoredItemService
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies, DriverMetrics, Session, WriteStatus
from drivers.opcua import OpcuaDriver
from drivers.opcua import monitored_items as monitored_items_module
from drivers.opcua.connection import Connection
from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.device import OpcuaAddress, OpcuaDevice, OpcuaSecurity
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import Quality
from plant.tag import DataType, Tag
from tests.opcua_server import stock_server
from tests.samples import make_tag

pytestmark = pytest.mark.asyncio(loop_scope="module")

URI = "urn:test:plant"
ROOT = Path(__file__).parents[2]

NODES: dict[str, tuple[Any, ua.VariantType]] = {
    "float": (1.5, ua.VariantType.Float),
    "double": (0.1, ua.VariantType.Double),
    "bool": (True, ua.VariantType.Boolean),
    "int16": (-7, ua.VariantType.Int16),
    "uint32": (4_000_000_000, ua.VariantType.UInt32),
    "text": ("BATCH-17", ua.VariantType.String),
    "array": ([1.0, 2.0], ua.VariantType.Double),
    "read-only": (3.0, ua.VariantType.Double),
    "stuck": (0.25, ua.VariantType.Double),
    "changing": (0.5, ua.VariantType.Double),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def node_id(name: str) -> ua.NodeId:
    return ua.NodeId(ua.String(name), ua.Int16(2))


async def make_server(port: int) -> Server:
    server = await stock_server()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    assert await server.register_namespace(URI) == 2
    for name, (value, variant_type) in NODES.items():
        node = await server.nodes.objects.add_variable(node_id(name), name, value, variant_type)
        if name != "read-only":
            await node.set_writable()
    return server


async def serve_for_ever() -> None:
    server = await make_server(int(sys.argv[1]))
    async with server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_server() -> AsyncIterator[Server]:
    server = await make_server(free_port())
    async with server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def server(one_server: Server) -> Server:
    """The server with its values as in ``NODES``."""
    for name, (value, variant_type) in NODES.items():
        await one_server.write_attribute_value(node_id(name), ua.DataValue(ua.Variant(value, variant_type)))
    return one_server


@asynccontextmanager
async def server_process() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server that can be killed and frozen, and its URL."""
    port = free_port()
    program = "import asyncio; from tests.integration.test_opcua_driver import serve_for_ever; asyncio.run(serve_for_ever())"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(port), cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
        yield process, f"opc.tcp://127.0.0.1:{port}/"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.communicate()


def device_at(url: str, *, timeout: float = 4.0, publishing_interval: float = 0.05) -> OpcuaDevice:
    return OpcuaDevice("PLC-TEST-01", "SEP", url, publishing_interval, timeout, OpcuaSecurity.none())


def url_of(server: Server) -> str:
    return str(server.endpoint.geturl())


def tag_of(tag_id: int, node: str, data_type: DataType = DataType.DOUBLE, *, uri: str = URI, scan_ms: int = 10) -> Tag:
    return make_tag(tag_id, f"SEP.COL101.T{tag_id}", data_type=data_type, source=OpcuaAddress(f"nsu={uri};s={node}"), scan_ms=scan_ms, writable=True)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> DriverMetrics:
    return DriverMetricFamilies(registry).of("opcua", "PLC-TEST-01")


@asynccontextmanager
async def opened(device: OpcuaDevice, tags: Sequence[Tag], metrics: DriverMetrics) -> AsyncIterator[tuple[Session, AsyncGenerator[Batch, None]]]:
    session = await OpcuaDriver().open(device, tags, metrics)
    try:
        async with aclosing(session.batches()) as batches:
            yield session, batches
    finally:
        await session.close()


Row = tuple[int, int, float | str, int]


def rows(batch: Batch) -> list[Row]:
    return list(zip(batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True))


async def rows_until(batches: AsyncGenerator[Batch, None], enough: Callable[[list[Row]], bool], deadline: float = 20.0) -> list[Row]:
    """What arrives until there is enough."""
    got: list[Row] = []
    async with asyncio.timeout(deadline):
        while not enough(got):
            got += rows(await anext(batches))
    return got


def client_tasks() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if "drivers/opcua" in repr(task) or "asyncua/client" in repr(task)}


async def lost(batches: AsyncGenerator[Batch, None], deadline: float) -> BaseException:
    """The error that ends ``batches``, however many come before."""
    try:
        async with asyncio.timeout(deadline):
            async for _ in batches:
                pass
    except (DeviceUnreachable, DeviceProtocolError) as error:
        return error
    raise AssertionError("the session ended without a reason")


async def test_the_current_value_of_every_type_comes_first(server: Server, metrics: DriverMetrics) -> None:
    tags = [
        tag_of(10, "float", DataType.FLOAT),
        tag_of(20, "double"),
        tag_of(30, "bool", DataType.BOOLEAN),
        tag_of(40, "int16", DataType.INT16),
        tag_of(50, "uint32", DataType.UINT32),
        tag_of(60, "text", DataType.STRING),
    ]
    async with opened(device_at(url_of(server)), tags, metrics) as (_, batches):
        got = await rows_until(batches, lambda got: len(got) >= len(tags))
    assert {(tag_id, value, quality) for tag_id, _, value, quality in got} == {
        (10, 1.5, 0),
        (20, 0.1, 0),
        (30, 1.0, 0),
        (40, -7.0, 0),
        (50, 4e9, 0),
        (60, "BATCH-17", 0),
    }


async def test_one_response_is_one_batch_of_each_kind(server: Server, metrics: DriverMetrics) -> None:
    tags = [tag_of(1, "float"), tag_of(2, "text", DataType.STRING), tag_of(3, "double"), tag_of(4, "bool")]
    async with opened(device_at(url_of(server), publishing_interval=0.5), tags, metrics) as (_, batches):
        async with asyncio.timeout(10):
            first, second = await anext(batches), await anext(batches)
    assert isinstance(first, SampleBatch)
    assert first.tag_id.tolist() == [1, 3, 4]
    assert isinstance(second, TextBatch)
    assert second.tag_id.tolist() == [2]


async def test_source_time_is_exact_to_the_microsecond(server: Server, metrics: DriverMetrics) -> None:
    moments = [ua.DateTime(2026, 11, 23, 4, 0, 0, 123_457, UTC), ua.DateTime(2031, 1, 1, 0, 0, 0, 999_999, UTC)]
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (_, batches):
        await rows_until(batches, bool)
        for value, moment in enumerate(moments):
            await server.write_attribute_value(node_id("double"), ua.DataValue(ua.Variant(float(value)), SourceTimestamp=moment))
        got = await rows_until(batches, lambda got: len(got) >= 2)
    assert [time for _, time, _, _ in got] == [times.from_datetime(moment) for moment in moments]


async def test_without_source_time_the_server_time_counts_and_without_both_the_receipt(server: Server, metrics: DriverMetrics) -> None:
    moment = ua.DateTime(2026, 11, 23, 4, 0, 0, 1, UTC)
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (_, batches):
        await rows_until(batches, bool)
        before = times.now()
        await server.write_attribute_value(node_id("double"), ua.DataValue(ua.Variant(5.0), ServerTimestamp=moment))
        await server.write_attribute_value(node_id("double"), ua.DataValue(ua.Variant(6.0)))
        got = await rows_until(batches, lambda got: len(got) >= 2)
    assert got[0] == (1, times.from_datetime(moment), 5.0, 0)
    assert before <= got[1][1] <= times.now()


async def test_an_equal_value_with_a_new_source_time_is_a_sample(server: Server, metrics: DriverMetrics) -> None:
    start = ua.DateTime(2026, 11, 23, tzinfo=UTC)
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (_, batches):
        await rows_until(batches, bool)
        for second in range(3):
            await server.write_attribute_value(node_id("double"), ua.DataValue(ua.Variant(7.0), SourceTimestamp=start + timedelta(seconds=second)))
        got = await rows_until(batches, lambda got: len(got) >= 3)
    assert [value for _, _, value, _ in got] == [7.0, 7.0, 7.0]
    assert len({time for _, time, _, _ in got}) == 3


async def test_every_status_code_arrives_and_overflow_is_counted(server: Server, metrics: DriverMetrics, registry: CollectorRegistry) -> None:
    codes = [0x40910000, 0x80050000, 0x80FE0000, 0x00000480]
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (_, batches):
        await rows_until(batches, bool)
        for second, code in enumerate(codes):
            status, moment = ua.StatusCode(ua.UInt32(code)), ua.DateTime(2026, 11, 23, 0, 0, second, tzinfo=UTC)
            await server.write_attribute_value(node_id("double"), ua.DataValue(ua.Variant(9.0), StatusCode=status, SourceTimestamp=moment))
        got = await rows_until(batches, lambda got: len(got) >= len(codes))
    assert [quality for *_, quality in got] == [Quality.UNCERTAIN_SUBSTITUTE_VALUE, Quality.BAD_COMMUNICATION_ERROR, 0x80FE - 0x10000, Quality.GOOD]
    assert registry.get_sample_value("monazite_driver_overflows_total", {"driver": "opcua", "device": "PLC-TEST-01"}) == 1


async def test_a_refused_tag_costs_itself_only(server: Server, metrics: DriverMetrics) -> None:
    tags = [
        tag_of(1, "double"),
        tag_of(2, "no-such-node"),
        tag_of(3, "double", uri="urn:no:such:namespace"),
        tag_of(4, "array"),
        tag_of(5, "no-such-text", DataType.STRING),
        tag_of(6, "bool"),
    ]
    async with opened(device_at(url_of(server)), tags, metrics) as (_, batches):
        got = await rows_until(batches, lambda got: len(got) >= len(tags))
    by_tag = {tag_id: (value, quality) for tag_id, _, value, quality in got}
    assert by_tag[1] == (0.1, 0)
    assert by_tag[6] == (1.0, 0)
    assert by_tag[5] == ("", Quality.BAD_NODE_ID_UNKNOWN)
    assert {tag_id: quality for tag_id, (_, quality) in by_tag.items() if tag_id in {2, 3, 4}} == {
        2: Quality.BAD_NODE_ID_UNKNOWN,
        3: Quality.BAD_NODE_ID_UNKNOWN,
        4: Quality.BAD_CONFIGURATION_ERROR,
    }
    assert all(math.isnan(float(by_tag[tag_id][0])) for tag_id in (2, 3, 4))


async def test_a_refused_tag_is_tried_again_and_said_once(server: Server, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitored_items_module, "RETRY", 0.2)
    async with opened(device_at(url_of(server)), [tag_of(1, "late"), tag_of(2, "never"), tag_of(3, "text", DataType.STRING)], metrics) as (_, batches):
        first = await rows_until(batches, lambda got: len(got) >= 3)
        following = asyncio.create_task(rows_until(batches, bool))
        await asyncio.sleep(0.5)
        await server.nodes.objects.add_variable(node_id("late"), "late", 11.0)
        got = await following
    assert {(tag_id, quality) for tag_id, _, _, quality in first} == {(1, Quality.BAD_NODE_ID_UNKNOWN), (2, Quality.BAD_NODE_ID_UNKNOWN), (3, 0)}
    assert [(tag_id, value, quality) for tag_id, _, value, quality in got] == [(1, 11.0, 0)]


async def test_two_hundred_writes_within_a_publishing_interval_are_all_there(server: Server, metrics: DriverMetrics) -> None:
    start = ua.DateTime(2026, 11, 23, tzinfo=UTC)
    async with opened(device_at(url_of(server), publishing_interval=1.0), [tag_of(1, "double", scan_ms=1000)], metrics) as (_, batches):
        await rows_until(batches, bool)
        for number in range(200):
            value = ua.DataValue(ua.Variant(float(number)), SourceTimestamp=start + timedelta(milliseconds=number))
            await server.write_attribute_value(node_id("double"), value)
        got = await rows_until(batches, lambda got: len(got) >= 200)
    assert [value for _, _, value, _ in got] == [float(number) for number in range(200)]


async def test_many_items_are_asked_for_in_calls_the_server_takes(server: Server, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = server.get_node(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall)
    await limit.write_value(ua.Variant(20, ua.VariantType.UInt32))
    create, calls = MonitoredItemService.create_monitored_items, []

    async def choosy(service: MonitoredItemService, parameters: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        calls.append(len(parameters.ItemsToCreate))
        if len(parameters.ItemsToCreate) > 8:
            raise ua.uaerrors.BadTooManyOperations
        return await create(service, parameters)

    monkeypatch.setattr(MonitoredItemService, "create_monitored_items", choosy)
    tags = [tag_of(number, "double") for number in range(1, 31)]
    async with opened(device_at(url_of(server)), tags, metrics) as (_, batches):
        got = await rows_until(batches, lambda got: len(got) >= 30)
    assert {tag_id for tag_id, *_ in got} == set(range(1, 31))
    await limit.write_value(ua.Variant(0, ua.VariantType.UInt32))
    assert calls == [20, 10, 5, 5, 5, 5, 5, 5]


async def test_a_server_without_the_filter_is_asked_without(server: Server, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    create = MonitoredItemService.create_monitored_items

    async def simple(service: MonitoredItemService, parameters: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        refused = ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(ua.UInt32(ua.StatusCodes.BadMonitoredItemFilterUnsupported)))
        if any(item.RequestedParameters.Filter for item in parameters.ItemsToCreate):
            return [refused for _ in parameters.ItemsToCreate]
        return await create(service, parameters)

    monkeypatch.setattr(MonitoredItemService, "create_monitored_items", simple)
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (_, batches):
        got = await rows_until(batches, bool)
    assert [(tag_id, value, quality) for tag_id, _, value, quality in got] == [(1, 0.1, 0)]


async def test_latency_and_clock_offset_are_known_from_the_start(server: Server, metrics: DriverMetrics, registry: CollectorRegistry) -> None:
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (session, _):
        assert session.latency is not None
        assert 0 < session.latency < 4
        assert session.clock_offset is not None
        # asyncua sets its clock node once a second.
        assert abs(session.clock_offset) < 3
        labels = {"driver": "opcua", "device": "PLC-TEST-01"}
        assert registry.get_sample_value("monazite_driver_polls_total", labels | {"result": "answered"}) == 1
    assert registry.get_sample_value("monazite_driver_clock_skew_seconds", labels) == session.clock_offset


@asynccontextmanager
async def writing(server: Server, tags: Sequence[Tag], metrics: DriverMetrics) -> AsyncIterator[Session]:
    """A session whose batches somebody takes."""
    async with opened(device_at(url_of(server)), tags, metrics) as (session, batches):
        await anext(batches)
        taker = asyncio.create_task(lost(batches, 60))
        try:
            yield session
        finally:
            taker.cancel()
            await asyncio.gather(taker, return_exceptions=True)


@pytest.mark.parametrize(
    ("node", "data_type", "value", "stored"),
    [
        ("float", DataType.FLOAT, 0.1, pytest.approx(0.1, rel=1e-7)),
        ("double", DataType.DOUBLE, 0.1, 0.1),
        ("bool", DataType.BOOLEAN, 0.0, False),
        ("int16", DataType.INT16, -32768.0, -32768),
        ("uint32", DataType.UINT32, 4_294_967_295.0, 4_294_967_295),
        ("text", DataType.STRING, "ende", "ende"),
        # The tag says Float and the node is an Int16: the node counts.
        ("int16", DataType.FLOAT, 12.0, 12),
    ],
)
async def test_a_write_in_the_node_s_own_type_is_confirmed(
    server: Server, metrics: DriverMetrics, node: str, data_type: DataType, value: float | str, stored: object
) -> None:
    tag = tag_of(1, node, data_type)
    async with writing(server, [tag], metrics) as session:
        outcome = await session.write(tag, value)
    assert outcome.status is WriteStatus.CONFIRMED, outcome
    assert outcome.read_back == (stored if not isinstance(stored, bool) else float(stored))
    assert await server.get_node(node_id(node)).read_value() == stored
    held = (await server.get_node(node_id(node)).read_data_value()).Value
    assert held is not None
    assert held.VariantType is NODES[node][1]


async def test_a_write_that_the_server_refuses_is_rejected_with_its_code(server: Server, metrics: DriverMetrics) -> None:
    tag = tag_of(1, "read-only")
    async with writing(server, [tag], metrics) as session:
        outcome = await session.write(tag, 5.0)
    assert outcome.status is WriteStatus.REJECTED
    assert outcome.detail.endswith("BadUserAccessDenied") or outcome.detail.endswith("BadNotWritable"), outcome
    assert outcome.quality < 0
    assert await server.get_node(node_id("read-only")).read_value() == 3.0


async def test_a_node_that_changed_its_type_is_rejected_once_and_learnt_anew(server: Server, metrics: DriverMetrics) -> None:
    tag, changing = tag_of(1, "changing"), server.get_node(node_id("changing"))
    async with writing(server, [tag], metrics) as session:
        assert (await session.write(tag, 1.0)).status is WriteStatus.CONFIRMED
        await changing.write_attribute(ua.AttributeIds.DataType, ua.DataValue(ua.Variant(ua.NodeId(ua.Int32(ua.ObjectIds.Int32)))))
        held = server.iserver.aspace[changing.nodeid].attributes[ua.AttributeIds.Value]
        held.value = ua.DataValue(ua.Variant(0, ua.VariantType.Int32))
        refused = await session.write(tag, 2.0)
        accepted = await session.write(tag, 3.0)
        held.value = ua.DataValue(ua.Variant(0.5))
    assert (refused.status, refused.quality) == (WriteStatus.REJECTED, Quality.BAD_TYPE_MISMATCH)
    assert accepted.status is WriteStatus.CONFIRMED
    assert accepted.read_back == 3.0


@pytest.mark.parametrize(
    ("node", "value", "quality"),
    [
        ("int16", 40_000.0, Quality.BAD_TYPE_MISMATCH),
        ("int16", 1.5, Quality.BAD_TYPE_MISMATCH),
        ("double", "much", Quality.BAD_TYPE_MISMATCH),
        ("float", 1e300, Quality.BAD_TYPE_MISMATCH),
    ],
)
async def test_a_value_that_does_not_fit_is_not_sent(server: Server, metrics: DriverMetrics, node: str, value: float | str, quality: Quality) -> None:
    tag = tag_of(1, node)
    async with writing(server, [tag], metrics) as session:
        outcome = await session.write(tag, value)
    assert (outcome.status, outcome.quality) == (WriteStatus.NOT_SENT, quality)
    assert await server.get_node(node_id(node)).read_value() == NODES[node][0]


async def test_a_write_to_no_node_is_not_sent(server: Server, metrics: DriverMetrics) -> None:
    tag = tag_of(1, "double", uri="urn:no:such:namespace")
    async with writing(server, [tag], metrics) as session:
        outcome = await session.write(tag, 1.0)
    assert (outcome.status, outcome.quality) == (WriteStatus.NOT_SENT, Quality.BAD_NODE_ID_UNKNOWN)


async def test_a_read_back_of_something_else_is_no_confirmation(server: Server, metrics: DriverMetrics) -> None:
    server.set_attribute_value_setter(node_id("stuck"), lambda node, attribute, value: None)
    tag = tag_of(1, "stuck")
    async with writing(server, [tag], metrics) as session:
        outcome = await session.write(tag, 77.0)
    assert outcome.status is WriteStatus.ACCEPTED
    assert outcome.read_back == 0.25


async def test_close_leaves_neither_tasks_here_nor_a_subscription_there(server: Server, metrics: DriverMetrics) -> None:
    session = await OpcuaDriver().open(device_at(url_of(server)), [tag_of(1, "double")], metrics)
    async with aclosing(session.batches()) as batches:
        await rows_until(batches, bool)
        assert client_tasks()
        assert server.iserver.subscription_service.subscriptions
    await session.close()
    assert not client_tasks()
    assert not server.iserver.subscription_service.subscriptions


async def test_no_server_is_unreachable_in_time(metrics: DriverMetrics) -> None:
    with pytest.raises(DeviceUnreachable, match="no connection"):
        await OpcuaDriver().open(device_at(f"opc.tcp://127.0.0.1:{free_port()}/"), [], metrics)
    assert not client_tasks()


async def test_a_listener_that_says_nothing_is_unreachable_in_time(metrics: DriverMetrics) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        started = time.monotonic()
        with pytest.raises(DeviceUnreachable, match="no answer"):
            await OpcuaDriver().open(device_at(f"opc.tcp://127.0.0.1:{port}/", timeout=0.5), [], metrics)
    assert time.monotonic() - started < 5


async def test_a_peer_that_speaks_something_else_is_a_loss(metrics: DriverMetrics) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises((DeviceUnreachable, DeviceProtocolError)):
            await OpcuaDriver().open(device_at(f"opc.tcp://127.0.0.1:{port}/", timeout=1.0), [], metrics)


async def test_a_killed_server_is_noticed_and_gets_no_write(metrics: DriverMetrics) -> None:
    tag = tag_of(1, "double")
    async with server_process() as (process, url), opened(device_at(url), [tag], metrics) as (session, batches):
        await rows_until(batches, bool)
        assert (await session.write(tag, 1.0)).status is WriteStatus.CONFIRMED
        process.kill()
        started = time.monotonic()
        await lost(batches, 10)
        assert time.monotonic() - started < 3
        outcome = await session.write(tag, 2.0)
    assert outcome.status is WriteStatus.NOT_SENT
    assert not client_tasks()


async def test_a_frozen_server_is_noticed_and_a_write_to_it_is_unknown(metrics: DriverMetrics) -> None:
    tag = tag_of(1, "double")
    async with server_process() as (process, url), opened(device_at(url, timeout=1.0), [tag], metrics) as (session, batches):
        await rows_until(batches, bool)
        assert (await session.write(tag, 1.0)).status is WriteStatus.CONFIRMED
        os.kill(process.pid, signal.SIGSTOP)
        started = time.monotonic()
        outcome, error = await asyncio.gather(session.write(tag, 2.0), lost(batches, 20))
        closing = time.monotonic()
        await session.close()
        assert time.monotonic() - closing < 3
    assert isinstance(error, DeviceUnreachable)
    assert closing - started < 10
    assert outcome.status is WriteStatus.UNKNOWN
    assert not client_tasks()


async def test_a_write_that_is_given_up_ends_the_session(metrics: DriverMetrics) -> None:
    tag = tag_of(1, "double")
    async with server_process() as (process, url), opened(device_at(url, timeout=10.0), [tag], metrics) as (session, batches):
        await rows_until(batches, bool)
        assert (await session.write(tag, 1.0)).status is WriteStatus.CONFIRMED
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.write(tag, 2.0), 0.5)
        assert (await session.write(tag, 3.0)).status is WriteStatus.NOT_SENT
        assert isinstance(await lost(batches, 5), DeviceUnreachable), "long before its time-out"


async def test_a_subscription_that_the_server_drops_ends_the_session(server: Server, metrics: DriverMetrics) -> None:
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (_, batches):
        await rows_until(batches, bool)
        (subscription,) = server.iserver.subscription_service.subscriptions.values()
        await subscription.monitored_item_srv.trigger_statuschange(ua.StatusCode(ua.UInt32(ua.StatusCodes.BadTimeout)))
        error = await lost(batches, 20)
    assert "BadTimeout" in str(error)


async def test_a_subscription_that_falls_silent_ends_the_session(server: Server, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.opcua.subscription._KEEP_ALIVE", 0.3)
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (_, batches):
        await rows_until(batches, bool)
        with pytest.raises(TimeoutError):
            # Keep-alives keep it: more than three intervals without a sample are no loss.
            await rows_until(batches, bool, 1.5)
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (_, batches):
        await rows_until(batches, bool)
        (subscription,) = server.iserver.subscription_service.subscriptions.values()
        monkeypatch.setattr(subscription, "has_published_results", lambda: False)
        error = await lost(batches, 20)
    assert "silent" in str(error)


async def test_a_notification_that_the_server_no_longer_has_is_counted_and_the_session_goes_on(
    server: Server, metrics: DriverMetrics, registry: CollectorRegistry
) -> None:
    async with opened(device_at(url_of(server)), [tag_of(1, "double")], metrics) as (_, batches):
        await rows_until(batches, bool)
        (subscription,) = server.iserver.subscription_service.subscriptions.values()
        subscription._notification_seq += 1
        await server.write_attribute_value(node_id("double"), ua.DataValue(ua.Variant(2.0)))
        got = await rows_until(batches, bool)
    assert [value for _, _, value, _ in got] == [2.0]
    labels = {"driver": "opcua", "device": "PLC-TEST-01", "fate": "lost"}
    assert registry.get_sample_value("monazite_driver_notifications_missed_total", labels) == 1


async def test_a_slow_consumer_holds_the_server_back_and_gets_all(server: Server, metrics: DriverMetrics) -> None:
    async with opened(device_at(url_of(server), publishing_interval=0.02), [tag_of(1, "double")], metrics) as (_, batches):
        await rows_until(batches, bool)
        (subscription,) = server.iserver.subscription_service.subscriptions.values()
        for number in range(100):
            await server.write_attribute_value(node_id("double"), ua.DataValue(ua.Variant(float(number))))
            await asyncio.sleep(0.01)
        # Nobody took a batch meanwhile: what the server was asked for lies unacknowledged, and that is two responses at most.
        assert len(subscription._not_acknowledged_results) <= 3
        got = await rows_until(batches, lambda got: len(got) >= 100)
        assert [value for _, _, value, _ in got] == [float(number) for number in range(100)]
        async with asyncio.timeout(5):
            while len(subscription._not_acknowledged_results) > 2:
                await server.write_attribute_value(node_id("double"), ua.DataValue(ua.Variant(time.monotonic())))
                await anext(batches)


async def test_the_secure_channel_is_renewed(server: Server) -> None:
    connection = await Connection.open(device_at(url_of(server)), channel_lifetime=0.2)
    try:
        assert server.bserver is not None
        channel = server.bserver.clients[-1].processor
        assert channel is not None
        token = channel._connection.security_token.TokenId
        await asyncio.sleep(0.2)
        await connection.renew_channel()
        await connection.read([node_id("double")])
        renewed = channel._connection.security_token.TokenId
        await connection.renew_channel()
        await connection.read([node_id("double")])
    finally:
        await connection.close()
    assert renewed > token
