"""The OPC UA driver against node-opcua: an OPC UA stack that nobody here wrote, and that shares no code with the library of the driver."""

import asyncio
import math
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import ua
from cryptography import x509
from prometheus_client import CollectorRegistry

from drivers import Backoff, DeviceLink, DriverMetricFamilies, DriverMetrics, Session, WriteStatus
from drivers.opcua import OpcuaDriver, Pki, publish_response
from drivers.opcua.security.server_certificate import thumbprint
from plant.batch import Batch
from plant.command import CommandValue
from plant.device import Deadband, DeadbandKind, OpcuaAddress, OpcuaDevice, OpcuaSecurity
from plant.errors import DeviceUnreachable
from plant.ledger import GapCause
from plant.link import DeviceStatus, LinkState
from plant.opcua_device import MessageSecurity, SecurityPolicy
from plant.quality import Quality
from plant.tag import DataType, Tag
from tests.cable import Cable, FlappingCable
from tests.certificates import key_of, put_der, put_key
from tests.peer import FOLDER, Peer, running
from tests.samples import make_tag
from tests.supervised import supervised

pytestmark = pytest.mark.asyncio(loop_scope="module")

URI = "urn:monazite:peer"
DEVICE = "PLC-PEER-01"


def tag_of(tag_id: int, node: str, data_type: DataType = DataType.DOUBLE, *, deadband: Deadband | None = None, index: int | None = None) -> Tag:
    """Every change is reported: a sampling interval of 0."""
    address = OpcuaAddress(f"nsu={URI};s={node}", index=index, sampling_interval=0.0, deadband=deadband)
    return make_tag(tag_id, f"SEP.COL101.T{tag_id}", data_type=data_type, source=address, scan_ms=10, writable=True)


NOT_EXACT = Quality.UNCERTAIN_SENSOR_NOT_ACCURATE
MISTAKEN = Quality.BAD_CONFIGURATION_ERROR
VALUES: list[tuple[Tag, float | str, int]] = [
    (tag_of(1, "double"), 0.1, Quality.GOOD),
    (tag_of(2, "float", DataType.FLOAT), 1.5, Quality.GOOD),
    (tag_of(3, "sbyte"), -128.0, Quality.GOOD),
    (tag_of(4, "byte"), 255.0, Quality.GOOD),
    (tag_of(5, "int16", DataType.INT16), -7.0, Quality.GOOD),
    (tag_of(6, "uint16", DataType.UINT16), 65_535.0, Quality.GOOD),
    (tag_of(7, "int32", DataType.INT32), -(2.0**31), Quality.GOOD),
    (tag_of(8, "uint32", DataType.UINT32), 4e9, Quality.GOOD),
    (tag_of(9, "int64"), -7.0, Quality.GOOD),
    (tag_of(10, "uint64"), 2.0**52, Quality.GOOD),
    (tag_of(11, "uint64_wide"), 2.0**53, NOT_EXACT),
    (tag_of(12, "boolean", DataType.BOOLEAN), 1.0, Quality.GOOD),
    (tag_of(13, "text", DataType.STRING), "Nd₂Fe₁₄B 17", Quality.GOOD),
    (tag_of(14, "mode", DataType.INT32), 3.0, Quality.GOOD),
    (tag_of(15, "array", index=1), 2.5, Quality.GOOD),
    (tag_of(16, "bad"), 4.5, Quality.BAD_SENSOR_FAILURE),
    (tag_of(17, "array"), math.nan, MISTAKEN),
    (tag_of(18, "datetime"), math.nan, MISTAKEN),
    (tag_of(19, "nowhere"), math.nan, Quality.BAD_NODE_ID_UNKNOWN),
]
"""Tag of each type, with what the server has first."""
STEPS = tag_of(30, "steps")
LIMITED = tag_of(31, "limited")
READ_ONLY = tag_of(32, "read_only")
KEPT = tag_of(33, "kept")
READ, PUBLISH, REPUBLISH = (
    ua.ObjectIds.ReadRequest_Encoding_DefaultBinary,
    ua.ObjectIds.PublishRequest_Encoding_DefaultBinary,
    ua.ObjectIds.RepublishRequest_Encoding_DefaultBinary,
)
DOSE = make_tag(34, "SEP.COL101.T34", source=OpcuaAddress(f"nsu={URI};s=dose", method_of=f"nsu={URI};s=Plant"), writable=True)


@asynccontextmanager
async def opcua_server(pki: Path, port: int = 0) -> AsyncIterator[Peer]:
    async with running("node-opcua", "node", FOLDER / "opcua_server.mjs", str(port), pki) as peer:
        yield peer


@pytest.fixture(scope="module")
def server_pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which node-opcua makes its key and certificate, and keeps whom it trusts."""
    return tmp_path_factory.mktemp("peer") / "pki"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(server_pki: Path) -> AsyncIterator[Peer]:
    async with opcua_server(server_pki) as peer:
        yield peer


@pytest.fixture
def metrics() -> DriverMetrics:
    return DriverMetricFamilies(CollectorRegistry()).of("opcua", DEVICE)


def device_at(port: int, security: OpcuaSecurity | None = None) -> OpcuaDevice:
    return OpcuaDevice(DEVICE, "SEP", f"opc.tcp://127.0.0.1:{port}/", 0.05, 5.0, security or OpcuaSecurity.none())


@asynccontextmanager
async def opened(
    device: OpcuaDevice, tags: Sequence[Tag], metrics: DriverMetrics, pki: Pki | None = None
) -> AsyncIterator[tuple[Session, AsyncGenerator[Batch, None]]]:
    session = await OpcuaDriver(pki).open(device, tags, metrics)
    try:
        async with aclosing(session.batches()) as batches:
            yield session, batches
    finally:
        await session.close()


Row = tuple[int, float | str, int]
"""Tag id, value, quality."""


def rows_of(batch: Batch) -> list[Row]:
    return list(zip(batch.tag_id.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True))


async def rows_until(batches: AsyncGenerator[Batch, None], enough: Callable[[list[Row]], bool]) -> list[Row]:
    """What arrives until there is enough."""
    got: list[Row] = []
    async with asyncio.timeout(20):
        while not enough(got):
            got += rows_of(await anext(batches))
    return got


def speaks_of(tag: Tag) -> Callable[[list[Row]], bool]:
    return lambda rows: any(row[0] == tag.id for row in rows)


async def test_values_of_every_type_come_with_their_qualities(server: Peer, metrics: DriverMetrics) -> None:
    tags = [tag for tag, _, _ in VALUES]
    async with opened(device_at(server.port), tags, metrics) as (session, batches):
        got = await rows_until(batches, lambda rows: len({tag_id for tag_id, _, _ in rows}) == len(tags))
        assert session.trouble is not None
        assert "3 of its 19 tags" in session.trouble
    for tag, value, quality in VALUES:
        ((_, received, said),) = [row for row in got if row[0] == tag.id]
        assert said == quality, tag.source
        assert received == pytest.approx(value, rel=0, abs=0, nan_ok=True) if isinstance(value, float) else received == value, tag.source


async def test_a_status_is_passed_through_with_the_value_that_came_with_it(server: Peer, metrics: DriverMetrics) -> None:
    await server.ask(command="set", node="steps", values=[0])
    async with opened(device_at(server.port), [STEPS], metrics) as (_, batches):
        await rows_until(batches, lambda rows: (STEPS.id, 0.0, Quality.GOOD) in rows)
        said = [("UncertainLastUsableValue", 1.0), ("BadDeviceFailure", 2.0), ("Good", 2.0), ("BadNoCommunication", 3.0), ("GoodLocalOverride", 4.0)]
        for status, value in said:
            await server.ask(command="set", node="steps", values=[value], status=status)
        got = await rows_until(batches, lambda rows: len(rows) >= len(said))
    expected = [Quality.UNCERTAIN_LAST_USABLE_VALUE, Quality.BAD_DEVICE_FAILURE, Quality.GOOD, Quality.BAD_NO_COMMUNICATION, Quality.GOOD_LOCAL_OVERRIDE]
    assert got == [(STEPS.id, value, quality) for (_, value), quality in zip(said, expected, strict=True)]


async def test_every_change_of_a_fast_node_arrives_in_order_and_once(server: Peer, metrics: DriverMetrics) -> None:
    await server.ask(command="set", node="steps", values=[0])
    values = [float(number) for number in range(1, 201)]
    async with opened(device_at(server.port), [STEPS], metrics) as (session, batches):
        await rows_until(batches, bool)
        await server.ask(command="set", node="steps", values=values, every=1)
        got = await rows_until(batches, lambda rows: any(row[1] == 200.0 for row in rows))
        assert session.overflows == 0
    assert got == [(STEPS.id, value, Quality.GOOD) for value in values]


WRITES: list[tuple[int, CommandValue]] = [
    (1, 0.25),
    (2, 0.1),
    (3, -5),
    (4, 7),
    (5, -300),
    (6, 300),
    (7, -70_000),
    (8, 3_000_000_000),
    (9, -(2**40)),
    (10, 2**40 + 1),
    (12, 0),
    (13, "Sm₂Co₁₇"),
    (14, 0),
    (15, 9.5),
]


async def test_a_write_of_every_type_is_confirmed_by_its_read_back(server: Peer, metrics: DriverMetrics) -> None:
    tags = {tag.id: tag for tag, _, _ in VALUES}
    first = {tag.id: value for tag, value, _ in VALUES}
    async with opened(device_at(server.port), list(tags.values()), metrics) as (session, batches):
        await rows_until(batches, lambda rows: len({tag_id for tag_id, _, _ in rows}) == len(tags))
        for tag_id, value in WRITES:
            outcome = await session.write(tags[tag_id], value)
            assert (outcome.status, outcome.quality) == (WriteStatus.CONFIRMED, Quality.GOOD), (tags[tag_id].source, outcome)
            await rows_until(batches, speaks_of(tags[tag_id]))
        for tag_id, _ in WRITES:
            assert (await session.write(tags[tag_id], first[tag_id])).status is WriteStatus.CONFIRMED


async def test_a_refused_write_has_the_code_of_the_server_and_changes_nothing(server: Peer, metrics: DriverMetrics) -> None:
    async with opened(device_at(server.port), [LIMITED, READ_ONLY], metrics) as (session, batches):
        await rows_until(batches, lambda rows: len({tag_id for tag_id, _, _ in rows}) == 2)
        refused = await session.write(LIMITED, 101.0)
        assert (refused.status, refused.quality) == (WriteStatus.REJECTED, Quality.BAD_OUT_OF_RANGE)
        assert "BadOutOfRange" in refused.detail
        closed = await session.write(READ_ONLY, 4.0)
        assert (closed.status, closed.quality) == (WriteStatus.REJECTED, Quality.BAD_NOT_WRITABLE)
        taken = await session.write(LIMITED, 55.0)
        assert (taken.status, taken.read_back) == (WriteStatus.CONFIRMED, 55.0)
        await rows_until(batches, lambda rows: (LIMITED.id, 55.0, Quality.GOOD) in rows)


async def test_a_method_is_called_and_its_refusal_told(server: Peer, metrics: DriverMetrics) -> None:
    async with opened(device_at(server.port), [STEPS, DOSE], metrics) as (session, batches):
        await rows_until(batches, bool)
        assert (await session.write(DOSE, 2.25)).status is WriteStatus.ACCEPTED
        await rows_until(batches, lambda rows: (STEPS.id, 2.25, Quality.GOOD) in rows)
        refused = await session.write(DOSE, 6.0)
        assert (refused.status, refused.quality) == (WriteStatus.REJECTED, Quality.BAD_OUT_OF_RANGE)


@pytest.mark.parametrize(
    ("node", "deadband"),
    [("steps", Deadband(DeadbandKind.ABSOLUTE, 1.0)), ("percent", Deadband(DeadbandKind.PERCENT, 0.5))],
    ids=["absolute", "half a percent of 0 to 200"],
)
async def test_a_deadband_is_honoured_against_what_was_last_reported(server: Peer, metrics: DriverMetrics, node: str, deadband: Deadband) -> None:
    await server.ask(command="set", node=node, values=[0.0])
    async with opened(device_at(server.port), [tag_of(40, node, deadband=deadband)], metrics) as (session, batches):
        await rows_until(batches, bool)
        await server.ask(command="set", node=node, values=[0.5 * step for step in range(1, 49)], every=1)
        got = await rows_until(batches, lambda rows: any(row[1] == 24.0 for row in rows))
        assert session.trouble is None
    assert [value for _, value, _ in got] == [1.5 * step for step in range(1, 17)], "a change of more than 1.0 from the value reported before"


async def test_the_numbers_of_keep_alives_are_those_of_the_notifications_that_come_next(server: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    read, keep_alives = publish_response.read_publish_response, 0

    def counted(body: bytes) -> publish_response.PublishResponse:
        nonlocal keep_alives
        response = read(body)
        keep_alives += not response.bears_data
        return response

    monkeypatch.setattr("drivers.opcua.subscription._KEEP_ALIVE", 0.1)
    monkeypatch.setattr(publish_response, "read_publish_response", counted)
    registry = CollectorRegistry()
    await server.ask(command="set", node="steps", values=[0])
    async with opened(device_at(server.port), [STEPS], DriverMetricFamilies(registry).of("opcua", DEVICE)) as (_, batches):
        await rows_until(batches, lambda rows: (STEPS.id, 0.0, Quality.GOOD) in rows)
        for value in (1.0, 2.0, 3.0):
            following = asyncio.create_task(rows_until(batches, bool))
            keep_alives = 0
            async with asyncio.timeout(20):
                while keep_alives < 2:
                    await asyncio.sleep(0.02)
            await server.ask(command="set", node="steps", values=[value])
            assert await following == [(STEPS.id, value, Quality.GOOD)]
    for fate in ("republished", "lost"):
        assert registry.get_sample_value("monazite_driver_notifications_missed_total", {"driver": "opcua", "device": DEVICE, "fate": fate}) in (None, 0)


# ---- Security


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """With a key made before: they take long."""
    put_key(tmp_path / "pki" / "own" / "key.pem", key_of("gateway"))
    made = Pki(tmp_path / "pki")
    made.own()
    return made


SECURED = OpcuaSecurity(SecurityPolicy.BASIC256_SHA256, MessageSecurity.SIGN_AND_ENCRYPT)


async def test_a_secured_session_needs_trust_on_both_sides_and_then_reads_and_writes(server: Peer, server_pki: Path, pki: Pki, metrics: DriverMetrics) -> None:
    device = device_at(server.port, SECURED)
    with pytest.raises(DeviceUnreachable, match="is not trusted"):
        await OpcuaDriver(pki).open(device, [STEPS], metrics)
    shown = x509.load_pem_x509_certificate(Path(server.ready["certificate"]).read_bytes())
    put_der(pki.folder / "trusted" / "certs" / f"{thumbprint(shown)}.der", shown)
    with pytest.raises(DeviceUnreachable, match=r"the server ended the connection when it saw the gateway's certificate .*: have it trusted there"):
        await OpcuaDriver(pki).open(device, [STEPS], metrics)
    await server.ask(command="trust", certificate=str(pki.own().file))
    async with opened(device, [STEPS], metrics, pki) as (session, batches):
        await rows_until(batches, bool)
        assert (await session.write(STEPS, 12.5)).status is WriteStatus.CONFIRMED
        await rows_until(batches, lambda rows: (STEPS.id, 12.5, Quality.GOOD) in rows)


# ---- Links that are lost


class Story:
    """What a link published and told."""

    def __init__(self) -> None:
        self.live: list[Row] = []
        self.times: list[int] = []
        """Source times of ``live``."""
        self.history: list[Row] = []
        self.states: list[LinkState] = []
        self.recovered_from: int | None = None
        self.gap: list[int] = []

    async def publish(self, batch: Batch) -> None:
        self.live += rows_of(batch)
        self.times += batch.time.tolist()

    async def take_history(self, batch: Batch) -> None:
        self.history += rows_of(batch)

    def lost(self, cause: GapCause, start: int) -> None:
        self.gap.append(start)

    def regained(self, cause: GapCause, end: int) -> None:
        self.gap.append(end)

    def recovered(self, cause: GapCause, start: int) -> None:
        self.recovered_from = start

    def tell(self, status: DeviceStatus) -> None:
        self.states.append(status.state)

    def good(self, tag: Tag) -> list[float | str]:
        """The Good values of a tag in order of source time, each once."""
        rows = sorted(zip(self.times, self.live, strict=True), key=lambda row: row[0])
        return list(dict.fromkeys(value for _, (tag_id, value, quality) in rows if tag_id == tag.id and quality == Quality.GOOD))

    def bad(self, tag: Tag) -> int:
        return sum(tag_id == tag.id and quality == Quality.BAD_NO_COMMUNICATION for tag_id, _, quality in self.live)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def linked(
    port: int, tags: Sequence[Tag], *, history: bool = False, security: OpcuaSecurity | None = None, pki: Pki | None = None
) -> AsyncIterator[Story]:
    story, device = Story(), replace(device_at(port, security), history=history)
    metrics = DriverMetricFamilies(CollectorRegistry()).of("opcua", device.name)
    link = DeviceLink(device, tags, OpcuaDriver(pki).open, story.publish, story.tell, metrics, account=story, backoff=Backoff(first=0.1, cap=0.2))
    async with supervised(link):
        yield story


async def test_a_session_that_the_server_kept_over_a_cut_cable_goes_on_and_no_value_is_lost(server: Peer) -> None:
    await server.ask(command="set", node="steps", values=[0])
    async with Cable(server.port) as cable, linked(cable.port, [STEPS]) as story:
        await story.until(lambda: 0.0 in story.good(STEPS))
        before = await server.ask(command="sessions")
        await cable.cut()
        await story.until(lambda: story.bad(STEPS) == 1)
        await server.ask(command="set", node="steps", values=[1, 2, 3, 4, 5], every=60)
        await cable.mend()
        await story.until(lambda: 5.0 in story.good(STEPS))
        await server.ask(command="set", node="steps", values=[6, 7])
        await story.until(lambda: len(story.good(STEPS)) == 8)
        after = await server.ask(command="sessions")
    assert after == before, "the same session with its subscription, and no other was ever made"
    assert (after["sessions"], after["subscriptions"]) == (1, 1)
    assert story.good(STEPS) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert story.states == [LinkState.UP, LinkState.DOWN, LinkState.UP]


async def test_what_was_sent_into_a_dead_cable_is_asked_for_again(server: Peer) -> None:
    """The server has sent it, and holds it until it is acknowledged."""
    await server.ask(command="set", node="steps", values=[0])
    async with Cable(server.port) as cable, linked(cable.port, [STEPS]) as story:
        await story.until(lambda: 0.0 in story.good(STEPS))
        before = await server.ask(command="sessions")
        cable.go_dead()
        await server.ask(command="set", node="steps", values=[1, 2, 3, 4, 5], every=60)
        await cable.cut()
        await story.until(lambda: story.bad(STEPS) == 1)
        await cable.mend()
        await server.ask(command="set", node="steps", values=[6])
        await story.until(lambda: len(story.good(STEPS)) == 7)
        after = await server.ask(command="sessions")
    assert after == before
    assert story.good(STEPS) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("request_type", "count"),
    [
        pytest.param(READ, 1, id="before its clock was read"),
        pytest.param(READ, 2, id="before its limits were read"),
        pytest.param(REPUBLISH, 2, id="after the first lost notification"),
        pytest.param(READ, 4, id="before the values were read"),
    ],
)
async def test_a_cable_that_is_cut_again_while_a_session_goes_on_loses_no_value_and_leaves_no_session(server: Peer, request_type: int, count: int) -> None:
    await server.ask(command="set", node="steps", values=[0])
    async with FlappingCable(server.port, request_type) as cable, linked(cable.port, [STEPS]) as story:
        await story.until(lambda: 0.0 in story.good(STEPS))
        before = await server.ask(command="sessions")
        await cable.cut()
        await server.ask(command="set", node="steps", values=[1, 2, 3, 4, 5], every=60)
        cable.die_at(count)
        await cable.mend()
        async with asyncio.timeout(20):
            await cable.died.wait()
        await cable.cut()
        await cable.mend()
        await story.until(lambda: len(story.good(STEPS)) == 6)
        after = await server.ask(command="sessions")
    assert after == before
    assert story.good(STEPS) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


async def test_a_session_that_the_server_has_forgotten_is_replaced_by_one_other(server: Peer) -> None:
    await server.ask(command="set", node="steps", values=[0])
    async with Cable(server.port) as cable, linked(cable.port, [STEPS]) as story:
        await story.until(lambda: 0.0 in story.good(STEPS))
        before = await server.ask(command="sessions")
        await cable.cut()
        await server.ask(command="forget")
        await server.ask(command="set", node="steps", values=[1])
        await cable.mend()
        await story.until(lambda: 1.0 in story.good(STEPS))
        await server.ask(command="set", node="steps", values=[2])
        await story.until(lambda: 2.0 in story.good(STEPS))
        after = await server.ask(command="sessions")
    assert (after["sessions"], after["subscriptions"]) == (1, 1)
    assert after["cumulated"] == before["cumulated"] + 1


async def test_a_secured_session_goes_on_over_a_cut_cable(server: Peer, pki: Pki) -> None:
    shown = x509.load_pem_x509_certificate(Path(server.ready["certificate"]).read_bytes())
    put_der(pki.folder / "trusted" / "certs" / f"{thumbprint(shown)}.der", shown)
    await server.ask(command="trust", certificate=str(pki.own().file))
    await server.ask(command="set", node="steps", values=[0])
    async with Cable(server.port) as cable, linked(cable.port, [STEPS], security=SECURED, pki=pki) as story:
        await story.until(lambda: 0.0 in story.good(STEPS))
        before = await server.ask(command="sessions")
        await cable.cut()
        await story.until(lambda: story.bad(STEPS) == 1)
        await server.ask(command="set", node="steps", values=[1, 2, 3], every=60)
        await cable.mend()
        await story.until(lambda: story.good(STEPS) == [0.0, 1.0, 2.0, 3.0])
        after = await server.ask(command="sessions")
    assert after == before
    assert (after["sessions"], after["subscriptions"]) == (1, 1)


async def test_an_outage_is_filled_from_the_history_that_the_server_kept(server: Peer) -> None:
    await server.ask(command="set", node="kept", values=[0])
    async with Cable(server.port) as cable, linked(cable.port, [KEPT], history=True) as story:
        await story.until(lambda: 0.0 in story.good(KEPT))
        await cable.cut()
        await server.ask(command="forget")
        await story.until(lambda: story.bad(KEPT) == 1)
        await server.ask(command="set", node="kept", values=[1, 2, 3, 4, 5], every=20)
        await cable.mend()
        await story.until(lambda: story.recovered_from is not None)
        assert 5.0 in story.good(KEPT)
    assert {1.0, 2.0, 3.0, 4.0} <= {value for _, value, quality in story.history if quality == Quality.GOOD}
    assert story.recovered_from == story.gap[0]


async def test_a_server_that_was_killed_is_back_in_the_same_link(tmp_path: Path, server_pki: Path, server: Peer) -> None:
    folder = tmp_path / "pki"
    shutil.copytree(server_pki, folder)
    async with opcua_server(folder) as first:
        port = first.port
        async with linked(port, [STEPS, VALUES[0][0]]) as story:
            await story.until(lambda: story.good(STEPS) != [] and story.good(VALUES[0][0]) != [])
            await first.kill()
            await story.until(lambda: story.bad(STEPS) == 1 and story.bad(VALUES[0][0]) == 1)
            async with opcua_server(folder, port) as second:
                await story.until(lambda: story.states == [LinkState.UP, LinkState.DOWN, LinkState.UP])
                await second.ask(command="set", node="steps", values=[1, 2, 3], every=10)
                await story.until(lambda: story.good(STEPS)[-3:] == [1.0, 2.0, 3.0])
                assert (await second.ask(command="sessions"))["sessions"] == 1
