"""What the OPC UA driver makes of the types that a server has: which of them are values, what is written, and what is called."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any, NoReturn

import pytest
from asyncua import ua
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies, DriverMetrics, Session, WriteAttempt, WriteStatus
from drivers.opcua import monitored_items as monitored_items_module
from plant.device import Decoder, OpcuaAddress
from plant.errors import DeviceProtocolError
from plant.quality import Quality
from plant.tag import DataType, Tag
from tests.integration.test_opcua_driver import device_at, lost, opened, rows_until, tag_of
from tests.opcua_server import URI, Plc, plc_server

VT = ua.VariantType
WHOLE_UP_TO = 2**53


@pytest.fixture
async def plc() -> AsyncIterator[Plc]:
    async with plc_server() as running:
        await running.add("ordinary", 1.0, VT.Double)
        await running.add("lengths", [1.0, 2.0, 3.0], VT.Double)
        await running.add("names", ["red", "green"], VT.String)
        yield running


@pytest.fixture
def metrics() -> DriverMetrics:
    return DriverMetricFamilies(CollectorRegistry()).of("opcua", "PLC-TEST-01")


ORDINARY = tag_of(1, "ordinary")


def element(tag_id: int, node: str, index: int, data_type: DataType = DataType.DOUBLE) -> Tag:
    return replace(tag_of(tag_id, node, data_type), source=OpcuaAddress(f"nsu={URI};s={node}", index=index))


def method(tag_id: int, node: str, owner: str = "machine") -> Tag:
    return replace(tag_of(tag_id, node), source=OpcuaAddress(f"nsu={URI};s={node}", method_of=f"nsu={URI};s={owner}"))


@asynccontextmanager
async def writing(plc: Plc, tags: Sequence[Tag], metrics: DriverMetrics) -> AsyncIterator[Session]:
    """A session that has looked at its tags, and whose batches somebody takes."""
    async with opened(device_at(plc.url), tags, metrics) as (session, batches):
        await anext(batches)
        taker = asyncio.create_task(lost(batches, 60))
        try:
            yield session
        finally:
            taker.cancel()
            await asyncio.gather(taker, return_exceptions=True)


async def enumeration(plc: Plc) -> ua.NodeId:
    """A data type of the device's own, derived from Enumeration."""
    node = await plc.server.nodes.enum_data_type.add_data_type(await plc.node_id("Mode"), "Mode")
    return node.nodeid


@pytest.mark.parametrize("polling", [False, True])
async def test_an_element_of_an_array_is_a_value_of_its_own(plc: Plc, metrics: DriverMetrics, polling: bool) -> None:
    tags = [element(1, "lengths", 0), element(2, "lengths", 2), element(3, "names", 1, DataType.STRING), element(4, "lengths", 3), tag_of(5, "ordinary")]
    async with opened(replace(device_at(plc.url), polling=polling), tags, metrics) as (_, batches):
        first = await rows_until(batches, lambda got: len(got) >= len(tags))
        await plc.put("lengths", [1.5, 2.5, 3.5, 4.5])
        got = await rows_until(batches, lambda got: len({tag_id for tag_id, *_ in got}) >= 3)
    assert {(tag_id, value, quality) for tag_id, _, value, quality in first if tag_id != 4} == {(1, 1.0, 0), (2, 3.0, 0), (3, "green", 0), (5, 1.0, 0)}
    assert [(math.isnan(float(value)), quality) for tag_id, _, value, quality in first if tag_id == 4] == [(True, Quality.BAD_INDEX_RANGE_NO_DATA)]
    assert {(tag_id, value, quality) for tag_id, _, value, quality in got} == {(1, 1.5, 0), (2, 3.5, 0), (4, 4.5, 0)}


async def test_a_write_to_an_element_changes_that_element_only(plc: Plc, metrics: DriverMetrics) -> None:
    number, text = element(2, "lengths", 1), element(3, "names", 0, DataType.STRING)
    async with writing(plc, [ORDINARY, number, text], metrics) as session:
        written = await session.write(number, 9.5)
        named = await session.write(text, "blue")
        outside = await session.write(element(2, "lengths", 1), math.inf)
    assert (written.status, written.read_back) == (WriteStatus.CONFIRMED, 9.5)
    assert (named.status, named.read_back) == (WriteStatus.CONFIRMED, "blue")
    assert outside.status is WriteStatus.CONFIRMED
    assert (await plc.held("lengths")).Value == [1.0, math.inf, 3.0]
    assert (await plc.held("names")).Value == ["blue", "green"]
    assert [request.IndexRange for request in plc.manners.writes] == ["1", "0", "1"]


async def test_a_server_that_knows_no_elements_gives_no_value_of_one_and_its_array_is_not_written_over(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.knows_ranges = False
    tag = element(2, "lengths", 1)
    async with opened(device_at(plc.url), [tag], metrics) as (_, batches):
        ((_, _, value, quality),) = await rows_until(batches, bool)
    assert math.isnan(float(value))
    assert quality == Quality.BAD_TYPE_MISMATCH
    async with writing(plc, [ORDINARY, tag], metrics) as session:
        outcome = await session.write(tag, 9.5)
    assert outcome.status is WriteStatus.NOT_SENT
    assert "element" in outcome.detail
    assert plc.manners.writes == []
    assert (await plc.held("lengths")).Value == [1.0, 2.0, 3.0]


async def test_a_node_that_can_be_no_value_of_its_tag_costs_that_tag_and_is_said_once_with_its_mend(
    plc: Plc, metrics: DriverMetrics, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitored_items_module, "RETRY", 0.1)
    await plc.add("grid", [[1.0, 2.0], [3.0, 4.0]], VT.Double)
    await plc.add("bytes", b"\x01", VT.ByteString)
    status, clock = OpcuaAddress("i=2256"), OpcuaAddress("i=2258")
    mistaken: dict[Tag, str] = {
        replace(tag_of(2, "status"), source=status): "holds a Structure, of which no tag can be made: choose a node that holds a number or a text",
        replace(tag_of(3, "clock"), source=clock): "holds a DateTime, of which no tag can be made: choose a node",
        replace(tag_of(4, "clock", DataType.STRING), source=clock): "holds a DateTime, of which no tag can be made: choose a node",
        tag_of(5, "bytes", DataType.STRING): "holds a ByteString, of which no tag can be made: choose a node",
        tag_of(6, "lengths"): "holds an array: write which element in the column index of opcua.csv",
        element(7, "grid", 1): "an array of 2 dimensions, of which no element can be picked: choose another node",
        element(8, "ordinary", 0): "holds one value and no array: leave the column index of opcua.csv blank",
        element(9, "names", 0): "holds a text: make the datatype of the tag String",
        tag_of(10, "ordinary", DataType.STRING): "holds a number: make the datatype of the tag one, it is String",
    }
    with caplog.at_level(logging.ERROR, "drivers"):
        async with opened(device_at(plc.url), [ORDINARY, *mistaken], metrics) as (session, batches):
            got = await rows_until(batches, lambda got: len(got) > len(mistaken))
            asked = len(plc.manners.read_calls)
            following = asyncio.create_task(rows_until(batches, bool))
            async with asyncio.timeout(20):
                while len(plc.manners.read_calls) < asked + 8:
                    await asyncio.sleep(0.02)
            await plc.put("ordinary", 2.0)
            later = await following
            assert session.trouble is not None
            assert "refuses 9 of its 10 tags" in session.trouble
    assert {tag_id: quality for tag_id, *_, quality in got} == {1: 0} | dict.fromkeys(range(2, 11), Quality.BAD_CONFIGURATION_ERROR)
    assert [(tag_id, value) for tag_id, _, value, _ in later] == [(1, 2.0)], "said once, however often it is tried"
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(mistaken)
    for (tag, mend), line in zip(mistaken.items(), said, strict=True):
        assert isinstance(tag.source, OpcuaAddress)
        assert line.startswith(f"{tag.name} at {tag.source.node}: ")
        assert mend in line


@pytest.mark.parametrize("polling", [False, True])
async def test_every_scalar_is_a_number_or_a_text_and_what_float64_cannot_hold_is_uncertain(plc: Plc, metrics: DriverMetrics, polling: bool) -> None:
    held: list[tuple[Any, VT, float | str, int, ua.NodeId | None]] = [
        (3, VT.Int32, 3.0, Quality.GOOD, await enumeration(plc)),
        (True, VT.Boolean, 1.0, Quality.GOOD, None),
        (-128, VT.SByte, -128.0, Quality.GOOD, None),
        (255, VT.Byte, 255.0, Quality.GOOD, None),
        (WHOLE_UP_TO - 1, VT.Int64, float(WHOLE_UP_TO - 1), Quality.GOOD, None),
        (-(WHOLE_UP_TO + 1), VT.Int64, float(-WHOLE_UP_TO), Quality.UNCERTAIN_SENSOR_NOT_ACCURATE, None),
        (2**64 - 1, VT.UInt64, 2.0**64, Quality.UNCERTAIN_SENSOR_NOT_ACCURATE, None),
        (1.5, VT.Double, 1.5, Quality.GOOD, ua.NodeId(ua.Int32(ua.ObjectIds.Duration))),
        (7, VT.UInt16, 7.0, Quality.GOOD, ua.NodeId(ua.Int32(ua.ObjectIds.Number))),
        ("Łódź", VT.String, "Łódź", Quality.GOOD, None),
        (ua.LocalizedText("auf", "de"), VT.LocalizedText, "auf", Quality.GOOD, None),
    ]
    tags: list[Tag] = []
    for number, (value, variant_type, read, _, data_type) in enumerate(held, 1):
        await plc.add(f"v{number}", value, variant_type, data_type)
        tags.append(tag_of(number, f"v{number}", DataType.STRING if isinstance(read, str) else DataType.DOUBLE))
    async with opened(replace(device_at(plc.url), polling=polling), tags, metrics) as (_, batches):
        got = await rows_until(batches, lambda got: len(got) >= len(tags))
    assert {tag_id: (value, quality) for tag_id, _, value, quality in got} == {
        number: (read, quality) for number, (_, _, read, quality, _) in enumerate(held, 1)
    }


async def test_the_decoder_of_the_library_gives_the_same_batches(plc: Plc, metrics: DriverMetrics) -> None:
    tags = [ORDINARY, element(2, "lengths", 1), element(3, "names", 0, DataType.STRING), tag_of(4, "ordinary", DataType.STRING), tag_of(5, "names")]
    moment = ua.DateTime(2026, 11, 23, 4, 0, 0, 123_456, tzinfo=UTC)
    heard: list[list[tuple[int, int, float | str, int]]] = []
    for decoder in Decoder:
        await plc.put("ordinary", 1.0, moment=moment)
        async with opened(replace(device_at(plc.url), decoder=decoder), tags, metrics) as (_, batches):
            first = await rows_until(batches, lambda got: len(got) >= len(tags))
            for number in range(50):
                await plc.put("ordinary", number + 0.5, moment=moment + timedelta(milliseconds=number))
            following = await rows_until(batches, lambda got: sum(tag_id == ORDINARY.id for tag_id, *_ in got) >= 50)
        heard.append(sorted(row for row in [*first, *following] if row[0] <= 3))
    assert heard[0] == heard[1]
    assert len([row for row in heard[0] if row[0] == ORDINARY.id]) == 51


async def test_a_device_with_the_decoder_of_the_library_needs_no_other(plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(body: bytes) -> NoReturn:
        raise ValueError("bytes that are not understood")

    monkeypatch.setattr("drivers.opcua.publish_response.read_publish_response", broken)
    async with opened(device_at(plc.url), [ORDINARY], metrics) as (_, batches):
        assert isinstance(await lost(batches, 20), DeviceProtocolError)
    async with opened(replace(device_at(plc.url), decoder=Decoder.LIBRARY), [ORDINARY], metrics) as (_, batches):
        assert [value for _, _, value, _ in await rows_until(batches, bool)] == [1.0]


async def test_types_of_the_devices_own_are_browsed_in_calls_that_the_server_takes(plc: Plc, metrics: DriverMetrics) -> None:
    plc.manners.most_browses = 1
    await plc.limit(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse, 0)
    await plc.add("mode", 2, VT.Int32, await enumeration(plc))
    await plc.add("wait", 0.5, VT.Double, ua.NodeId(ua.Int32(ua.ObjectIds.Duration)))
    tags = [tag_of(1, "mode"), tag_of(2, "wait"), tag_of(3, "mode", DataType.STRING)]
    async with opened(device_at(plc.url), tags, metrics) as (_, batches):
        got = await rows_until(batches, lambda got: len(got) >= len(tags))
    assert {tag_id: quality for tag_id, *_, quality in got} == {1: 0, 2: 0, 3: Quality.BAD_CONFIGURATION_ERROR}
    assert plc.manners.browse_calls == [2, 1, 1]


WHOLE = {VT.SByte: 8, VT.Byte: 8, VT.Int16: 16, VT.UInt16: 16, VT.Int32: 32, VT.UInt32: 32}


@pytest.mark.parametrize("variant_type", WHOLE)
async def test_the_ends_of_a_whole_type_are_written_in_it_and_what_lies_beyond_never_leaves(
    plc: Plc, metrics: DriverMetrics, variant_type: ua.VariantType
) -> None:
    is_signed = variant_type in {VT.SByte, VT.Int16, VT.Int32}
    low, high = (-(2 ** (WHOLE[variant_type] - 1)), 2 ** (WHOLE[variant_type] - 1) - 1) if is_signed else (0, 2 ** WHOLE[variant_type] - 1)
    await plc.add("whole", 1, variant_type)
    tag = tag_of(2, "whole")
    async with writing(plc, [ORDINARY, tag], metrics) as session:
        for value in (low, high):
            assert (await session.write(tag, float(value))).status is WriteStatus.CONFIRMED
            assert (await plc.held("whole")).Value == value
        for misfit in (low - 1.0, high + 1.0, 0.5, math.nan, math.inf, "1"):
            outcome = await session.write(tag, misfit)
            assert (outcome.status, outcome.quality) == (WriteStatus.NOT_SENT, Quality.BAD_TYPE_MISMATCH), misfit
    sent = [request.Value.Value for request in plc.manners.writes]
    times = [(request.Value.SourceTimestamp, request.Value.ServerTimestamp) for request in plc.manners.writes]
    assert times == [(None, None)] * 2, "many a PLC refuses a write that bears a time"
    assert [one.VariantType for one in sent if one is not None] == [variant_type] * 2


async def test_an_enumerated_value_is_written_as_the_int32_that_it_is(plc: Plc, metrics: DriverMetrics) -> None:
    await plc.add("mode", 2, VT.Int32, await enumeration(plc))
    tag = tag_of(2, "mode")
    async with writing(plc, [ORDINARY, tag], metrics) as session:
        outcome = await session.write(tag, 5.0)
    assert (outcome.status, outcome.read_back) == (WriteStatus.CONFIRMED, 5.0)
    assert await plc.held("mode") == ua.Variant(5, VT.Int32)


@pytest.mark.parametrize(
    ("code", "status", "quality"),
    [
        ("BadOutOfRange", WriteStatus.REJECTED, Quality.BAD_OUT_OF_RANGE),
        ("BadUserAccessDenied", WriteStatus.REJECTED, Quality.BAD_USER_ACCESS_DENIED),
        ("BadTimeout", WriteStatus.UNKNOWN, Quality.BAD_TIMEOUT),
        ("BadRequestTimeout", WriteStatus.UNKNOWN, Quality.BAD_REQUEST_TIMEOUT),
        ("BadCommunicationError", WriteStatus.UNKNOWN, Quality.BAD_COMMUNICATION_ERROR),
        ("BadNoCommunication", WriteStatus.UNKNOWN, Quality.BAD_NO_COMMUNICATION),
        ("BadDeviceFailure", WriteStatus.UNKNOWN, Quality.BAD_DEVICE_FAILURE),
        ("BadInternalError", WriteStatus.UNKNOWN, Quality.BAD_INTERNAL_ERROR),
        ("BadUnexpectedError", WriteStatus.UNKNOWN, Quality.BAD_UNEXPECTED_ERROR),
    ],
)
async def test_the_server_s_answer_to_a_write_is_what_becomes_of_it(
    plc: Plc, metrics: DriverMetrics, monkeypatch: pytest.MonkeyPatch, code: str, status: WriteStatus, quality: Quality
) -> None:
    monkeypatch.setattr("drivers.opcua.writer.READ_BACK_WITHIN", 0.0)
    plc.manners.write_refusals[await plc.node_id("ordinary")] = int(getattr(ua.StatusCodes, code))
    async with writing(plc, [ORDINARY], metrics) as session:
        outcome = await session.write(ORDINARY, 5.0)
        assert (outcome.status, outcome.quality) == (status, quality)
        assert code in outcome.detail
        plc.manners.write_refusals.clear()
        assert (await session.write(ORDINARY, 6.0)).status is WriteStatus.CONFIRMED, "the session goes on"
    assert len(plc.manners.writes) == 2, "and nothing is sent again"


@pytest.mark.parametrize("code", ["BadTimeout", "BadCommunicationError", "BadDeviceFailure"])
async def test_a_write_that_a_server_passed_on_and_knows_nothing_of_is_read_back_and_not_sent_again(plc: Plc, metrics: DriverMetrics, code: str) -> None:
    plc.manners.write_refusals[await plc.node_id("ordinary")] = int(getattr(ua.StatusCodes, code))
    plc.manners.refuses_what_it_wrote = True
    async with writing(plc, [ORDINARY], metrics) as session:
        done = await session.write(ORDINARY, 5.0)
        assert (done.status, done.quality, done.read_back) == (WriteStatus.CONFIRMED, Quality.GOOD, 5.0)
        assert code in done.detail
        plc.manners.refuses_what_it_wrote = False
        open_still = await session.write(ORDINARY, 6.0)
        assert (open_still.status, open_still.read_back) == (WriteStatus.UNKNOWN, 5.0)
        assert open_still.detail.endswith("it may have been done; it reads 5.0 now")
        shown = asyncio.create_task(session.write(ORDINARY, 7.0))
        await asyncio.sleep(0.3)
        await plc.put("ordinary", 7.0)
        assert (await shown).status is WriteStatus.CONFIRMED, "the device showed it after a while"
        attempt = WriteAttempt()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.write(ORDINARY, 8.0, attempt), 0.3)
        assert attempt.outcome.status is WriteStatus.UNKNOWN
        assert code in attempt.outcome.detail
        plc.manners.write_refusals.clear()
        assert (await session.write(ORDINARY, 9.0)).status is WriteStatus.CONFIRMED, "the session goes on"
    assert len(plc.manners.writes) == 5


async def test_an_equal_value_that_is_read_back_uncertain_is_no_confirmation(plc: Plc, metrics: DriverMetrics) -> None:
    uncertain = ua.StatusCode(ua.UInt32(ua.StatusCodes.UncertainLastUsableValue))
    node = await plc.node_id("ordinary")
    await plc.server.write_attribute_value(node, ua.DataValue(ua.Variant(5.0, VT.Double), StatusCode=uncertain))
    plc.server.set_attribute_value_setter(node, lambda node, attribute, value: None)
    async with writing(plc, [ORDINARY], metrics) as session:
        outcome = await session.write(ORDINARY, 5.0)
    assert (outcome.status, outcome.quality, outcome.read_back) == (WriteStatus.ACCEPTED, Quality.UNCERTAIN_LAST_USABLE_VALUE, 5.0)
    assert outcome.detail == "the server took it, and the read-back shows 5.0 (UncertainLastUsableValue)"


async def test_a_method_is_called_once_with_the_value_in_the_type_that_it_declares(plc: Plc, metrics: DriverMetrics) -> None:
    called: list[tuple[Any, ...]] = []

    async def take(parent: ua.NodeId, *arguments: ua.Variant) -> list[ua.Variant]:
        called.append((parent.Identifier, *((one.Value, one.VariantType) for one in arguments)))
        return []

    async def fail(parent: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        return ua.StatusCode(ua.UInt32(ua.StatusCodes.BadInvalidState))

    async def lose_sight(parent: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode:
        return ua.StatusCode(ua.UInt32(ua.StatusCodes.BadDeviceFailure))

    machine = await plc.server.nodes.objects.add_object(await plc.node_id("machine"), "machine")
    for name, function, arguments in (
        ("start", take, []),
        ("load", take, [VT.UInt16]),
        ("move", take, [VT.Double, VT.Double]),
        ("jam", fail, []),
        ("fade", lose_sight, []),
    ):
        await machine.add_method(await plc.node_id(name), name, function, arguments, [])
    tags = {name: method(number, name) for number, name in enumerate(("start", "load", "move", "jam", "fade", "gone"), 2)}
    async with writing(plc, [ORDINARY, *tags.values()], metrics) as session:
        outcomes = {
            (name, value): await session.write(tags[name], value)
            for name, value in [
                ("start", 1.0),
                ("start", 0.0),
                ("load", 65_535.0),
                ("load", 65_536.0),
                ("move", 1.0),
                ("jam", 1.0),
                ("fade", 1.0),
                ("gone", 1.0),
            ]
        }
        astray = await session.write(replace(tags["start"], source=OpcuaAddress(f"nsu={URI};s=start", method_of="nsu=urn:no:such;s=machine")), 1.0)
        assert session.trouble is None, "a method is no value that could be refused"
    assert called == [("machine",), ("machine", (65_535, VT.UInt16))]
    assert {call: (outcome.status, outcome.quality) for call, outcome in outcomes.items()} == {
        ("start", 1.0): (WriteStatus.ACCEPTED, Quality.GOOD),
        ("start", 0.0): (WriteStatus.NOT_SENT, Quality.BAD_TYPE_MISMATCH),
        ("load", 65_535.0): (WriteStatus.ACCEPTED, Quality.GOOD),
        ("load", 65_536.0): (WriteStatus.NOT_SENT, Quality.BAD_TYPE_MISMATCH),
        ("move", 1.0): (WriteStatus.NOT_SENT, Quality.BAD_TYPE_MISMATCH),
        ("jam", 1.0): (WriteStatus.REJECTED, Quality.BAD_INVALID_STATE),
        ("fade", 1.0): (WriteStatus.UNKNOWN, Quality.BAD_DEVICE_FAILURE),
        ("gone", 1.0): (WriteStatus.REJECTED, Quality.BAD_NODE_ID_INVALID),
    }
    assert (astray.status, astray.quality) == (WriteStatus.NOT_SENT, Quality.BAD_NODE_ID_UNKNOWN)
    assert plc.manners.writes == []
