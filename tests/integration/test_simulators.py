"""Simulated devices, read and written by the stock clients of pymodbus and asyncua over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asyncua import Client, ua
from asyncua.common.subscription import DataChangeNotif
from pymodbus.client import AsyncModbusTcpClient

from plant.device import ByteOrder, Device, Encoding, ModbusAddress, ModbusDevice, ModbusTable, OpcuaAddress, OpcuaDevice, TcpLine
from plant.quality import Quality
from plant.site import Site
from plant.site_loader import reference_site
from plant.tag import DataType, Tag
from plant.times import from_datetime, now
from simulators import Recording, ReplayDevice, SimulatedPlant, replay_site
from simulators.image import TagImage
from simulators.modbus_server import ModbusServer
from simulators.opcua_server import OpcuaServer
from tests.samples import make_tag

SKAB = Path(__file__).parents[3] / "shared" / "recorded" / "skab"
URN = "urn:test:plc"
FLOAT32 = AsyncModbusTcpClient.DATATYPE.FLOAT32


# ---- Modbus


def modbus_tag(tag_id: int, address: ModbusAddress, data_type: DataType = DataType.FLOAT, eu_range: tuple[float, float] | None = (0.0, 100.0)) -> Tag:
    return make_tag(tag_id, f"SEP.COL101.XX{tag_id}", data_type=data_type, writable=address.table.is_writable, eu_range=eu_range, source=address, device="MB-1")


MODBUS_TAGS = (
    modbus_tag(1, ModbusAddress(ModbusTable.COIL, 3, Encoding.BIT), DataType.BOOLEAN, (0.0, 1.0)),
    modbus_tag(2, ModbusAddress(ModbusTable.DISCRETE, 17, Encoding.BIT), DataType.BOOLEAN, (0.0, 1.0)),
    modbus_tag(3, ModbusAddress(ModbusTable.INPUT, 0, Encoding.FLOAT32, length=2)),
    modbus_tag(4, ModbusAddress(ModbusTable.HOLDING, 100, Encoding.FLOAT32, ByteOrder.CDAB, 2)),
    modbus_tag(5, ModbusAddress(ModbusTable.HOLDING, 102, Encoding.INT16, scale=0.1)),
    modbus_tag(6, ModbusAddress(ModbusTable.HOLDING, 103, Encoding.STRING, length=8), DataType.STRING, None),
    modbus_tag(7, ModbusAddress(ModbusTable.COIL, 4, Encoding.BIT), DataType.BOOLEAN, (0.0, 1.0)),
)


@asynccontextmanager
async def modbus_device() -> AsyncIterator[tuple[TagImage, AsyncModbusTcpClient]]:
    image = TagImage(MODBUS_TAGS, now())
    server = ModbusServer(image, 7)
    host, _, port = (await server.start()).rpartition(":")
    client = AsyncModbusTcpClient(host, port=int(port), timeout=5, retries=0)
    try:
        assert await client.connect()
        yield image, client
    finally:
        client.close()
        await server.stop()


async def test_modbus_reads_all_four_tables() -> None:
    async with modbus_device() as (image, client):
        for position, value in ((0, 1.0), (1, 1.0), (2, 12.5), (3, 47.25), (4, 8.8)):
            image.write(position, value, now())
        image.write(5, "LOT-000123", now())
        assert (await client.read_coils(3, count=2, device_id=7)).bits[:2] == [True, False]
        assert (await client.read_discrete_inputs(17, count=1, device_id=7)).bits[0] is True
        assert client.convert_from_registers((await client.read_input_registers(0, count=2, device_id=7)).registers, FLOAT32) == 12.5
        held = (await client.read_holding_registers(100, count=11, device_id=7)).registers
        assert client.convert_from_registers(held[:2], FLOAT32, word_order="little") == 47.25
        assert held[2] == 88
        assert client.convert_from_registers(held[3:], client.DATATYPE.STRING) == "LOT-000123"


async def test_modbus_writes_reach_the_image() -> None:
    async with modbus_device() as (image, client):
        before = now()
        assert not (await client.write_coil(3, True, device_id=7)).isError()
        assert not (await client.write_coils(3, [False, True], device_id=7)).isError()
        assert not (await client.write_register(102, 250, device_id=7)).isError()
        registers = client.convert_to_registers(33.5, FLOAT32, word_order="little")
        assert not (await client.write_registers(100, registers, device_id=7)).isError()
        assert not (await client.write_registers(103, client.convert_to_registers("LOT-9".ljust(16, "\0"), client.DATATYPE.STRING), device_id=7)).isError()
        assert [image.value(position) for position in (0, 6, 4, 3, 5)] == [0.0, 1.0, 25.0, 33.5, "LOT-9"]
        assert before <= image.times[3] <= now()


@pytest.mark.parametrize(
    ("request_of", "code"),
    [
        (lambda client: client.read_input_registers(1, count=2, device_id=7), 2),
        (lambda client: client.read_input_registers(500, count=1, device_id=7), 2),
        (lambda client: client.read_coils(4, count=2, device_id=7), 2),
        (lambda client: client.read_coils(2, count=1, device_id=7), 2),
        (lambda client: client.read_discrete_inputs(18, count=1, device_id=7), 2),
        (lambda client: client.write_register(99, 1, device_id=7), 2),
        (lambda client: client.write_register(102, 2000, device_id=7), 3),
        (lambda client: client.read_input_registers(0, count=2, device_id=8), 11),
    ],
)
async def test_modbus_exceptions(request_of: object, code: int) -> None:
    async with modbus_device() as (image, client):
        assert callable(request_of)
        answer = await request_of(client)
        assert answer.isError()
        assert answer.exception_code == code
        assert np.nansum(image.values) == 0.0


async def test_a_modbus_request_sees_one_moment() -> None:
    """Many registers that always change together never differ within one answer."""
    tags = [modbus_tag(number, ModbusAddress(ModbusTable.INPUT, number, Encoding.UINT16)) for number in range(100)]
    image = TagImage(tags, 0)
    server = ModbusServer(image, 1)
    host, _, port = (await server.start()).rpartition(":")
    client = AsyncModbusTcpClient(host, port=int(port), timeout=5)

    async def change() -> None:
        for value in range(10_000):
            image.update(np.arange(100), np.full(100, float(value)), value)
            await asyncio.sleep(0)

    try:
        assert await client.connect()
        changing = asyncio.create_task(change())
        seen = set()
        while not changing.done():
            registers = (await client.read_input_registers(0, count=100, device_id=1)).registers
            assert len(set(registers)) == 1
            seen.add(registers[0])
        assert len(seen) > 10
    finally:
        client.close()
        await server.stop()


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with modbus_device() as (_, client):
        port = client.comm_params.port
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            await ModbusServer(TagImage(MODBUS_TAGS, 0), 7).start(port)
        with pytest.raises(OSError, match=str(port)):
            await OpcuaServer("PLC-1", TagImage([], 0)).start(port)


# ---- OPC UA


def opcua_tag(tag_id: int, data_type: DataType, *, writable: bool = True, eu_range: tuple[float, float] | None = (0.0, 100.0)) -> Tag:
    name = f"SEP.COL101.XX{tag_id}"
    return make_tag(tag_id, name, data_type=data_type, writable=writable, eu_range=eu_range, source=OpcuaAddress(f"nsu={URN};s={name}"), device="PLC-1")


OPCUA_TAGS = (
    opcua_tag(1, DataType.FLOAT),
    opcua_tag(2, DataType.BOOLEAN, eu_range=(0.0, 1.0)),
    opcua_tag(3, DataType.UINT16),
    opcua_tag(4, DataType.INT32, eu_range=(-1e6, 1e6)),
    opcua_tag(5, DataType.STRING, eu_range=None),
    opcua_tag(6, DataType.DOUBLE),
    opcua_tag(7, DataType.FLOAT, writable=False),
)
VARIANTS = (
    ua.Variant(33.5, ua.VariantType.Float),
    ua.Variant(True, ua.VariantType.Boolean),
    ua.Variant(7, ua.VariantType.UInt16),
    ua.Variant(-5, ua.VariantType.Int32),
    ua.Variant("LOT-000123", ua.VariantType.String),
    ua.Variant(0.1, ua.VariantType.Double),
)


@asynccontextmanager
async def opcua_device() -> AsyncIterator[tuple[TagImage, OpcuaServer, Client, list[ua.NodeId]]]:
    image = TagImage(OPCUA_TAGS, now())
    server = OpcuaServer("PLC-1", image)
    try:
        async with Client(await server.start(), timeout=10) as client:
            index = await client.get_namespace_index(URN)
            yield image, server, client, [ua.NodeId.from_string(f"ns={index};s={tag.name}") for tag in OPCUA_TAGS]
    finally:
        await server.stop()


async def read(client: Client, node_id: ua.NodeId) -> ua.DataValue:
    return await client.get_node(node_id).read_data_value(raise_on_bad_status=False)


async def test_opcua_values_types_and_times() -> None:
    async with opcua_device() as (image, server, client, nodes):
        for position, variant in enumerate(VARIANTS):
            value = variant.Value if isinstance(variant.Value, str) else float(variant.Value)
            image.write(position, value, 1_700_000_000_123_456 + position)
        await server.publish()
        for position, variant in enumerate(VARIANTS):
            held = await read(client, nodes[position])
            assert held.Value == variant
            assert held.SourceTimestamp is not None
            assert from_datetime(held.SourceTimestamp) == 1_700_000_000_123_456 + position
            assert held.StatusCode is not None
            assert held.StatusCode.is_good()
        image.set_quality(np.array([0]), Quality.BAD_SENSOR_FAILURE, now())
        await server.publish()
        assert (await read(client, nodes[0])).StatusCode == ua.StatusCode(ua.UInt32(ua.StatusCodes.BadSensorFailure))


async def test_opcua_writes_reach_the_image_and_read_back_at_once() -> None:
    async with opcua_device() as (image, _, client, nodes):
        before = now()
        for position, variant in enumerate(VARIANTS):
            await client.get_node(nodes[position]).write_value(ua.DataValue(variant))
            assert (await read(client, nodes[position])).Value == variant
        assert [image.value(position) for position in range(6)] == [33.5, 1.0, 7.0, -5.0, "LOT-000123", 0.1]
        assert (image.times[:6] >= before).all()


@pytest.mark.parametrize(
    ("position", "variant", "code"),
    [
        (0, ua.Variant(100.5, ua.VariantType.Float), ua.StatusCodes.BadOutOfRange),
        (0, ua.Variant(1.0, ua.VariantType.Double), ua.StatusCodes.BadTypeMismatch),
        (0, ua.Variant([1.0], ua.VariantType.Float), ua.StatusCodes.BadTypeMismatch),
        (6, ua.Variant(1.0, ua.VariantType.Float), ua.StatusCodes.BadNotWritable),
    ],
)
async def test_opcua_refuses_with_the_status_that_says_why(position: int, variant: ua.Variant, code: int) -> None:
    async with opcua_device() as (image, _, client, nodes):
        with pytest.raises(ua.UaStatusCodeError) as caught:
            await client.get_node(nodes[position]).write_value(ua.DataValue(variant))
        assert caught.value.code == code
        assert image.value(position) == 0.0


async def test_opcua_browses_by_unit() -> None:
    async with opcua_device() as (_, _, client, nodes):
        units = [node for node in await client.nodes.objects.get_children() if node.nodeid.NamespaceIndex == nodes[0].NamespaceIndex]
        assert [(await unit.read_browse_name()).Name for unit in units] == ["COL101"]
        assert [node.nodeid for node in await units[0].get_children()] == nodes


async def test_servers_of_one_process_share_nodes_and_no_state() -> None:
    async with opcua_device() as (image, server, client, nodes):
        other_tag = replace(OPCUA_TAGS[0], source=OpcuaAddress("nsu=urn:test:other;s=SEP.COL101.XX1"))
        other = OpcuaServer("PLC-2", TagImage([other_tag], now()))
        try:
            async with Client(await other.start(), timeout=10) as other_client:
                assert "urn:test:other" in await other_client.get_namespace_array()
                assert "urn:test:other" not in await client.get_namespace_array()
                assert URN not in await other_client.get_namespace_array()
                assert len(await other_client.nodes.objects.get_children()) == len(await client.nodes.objects.get_children())
                # a type node that both look at, and its subtypes, are whole
                for one in (client, other_client):
                    children = await one.nodes.base_variable_type.get_children()
                    assert len(children) > 1
        finally:
            await other.stop()
        image.write(0, 5.0, now())
        await server.publish()
        assert (await read(client, nodes[0])).Value == ua.Variant(5.0, ua.VariantType.Float)


class Notes:
    """Handler of a subscription: (node, value, status, source time) in the order of arrival."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, object, int, int | None]] = []

    def datachange_notification(self, node: object, value: object, data: DataChangeNotif) -> None:
        held = data.monitored_item.Value
        source = None if held.SourceTimestamp is None else from_datetime(held.SourceTimestamp)
        assert data.subscription_data.node is not None
        self.seen.append((str(data.subscription_data.node.nodeid.Identifier), value, int(held.StatusCode.value), source))


# ---- the whole plant


@asynccontextmanager
async def running(plant: SimulatedPlant) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(plant.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task
        await plant.stop()


async def test_the_reference_plant_answers_on_every_device() -> None:
    site = reference_site()
    plant = SimulatedPlant(site)
    endpoints = await plant.start()
    assert set(endpoints) == set(site.devices)
    async with running(plant):
        found = site.at_endpoints(endpoints)
        for name, device in found.devices.items():
            tags = site.tags_on_wire(name)
            if isinstance(device, ModbusDevice):
                await check_modbus(device, tags)
            else:
                await check_opcua(device, tags)


async def check_modbus(device: ModbusDevice, tags: tuple[Tag, ...]) -> None:
    """Every float of the device, as the stock client decodes it, is near its normal."""
    assert isinstance(device.line, TcpLine)
    client = AsyncModbusTcpClient(device.line.host, port=device.line.port, timeout=5)
    assert await client.connect()
    for tag in tags:
        source = tag.source
        assert isinstance(source, ModbusAddress)
        if source.encoding is not Encoding.FLOAT32:
            continue
        reader = client.read_input_registers if source.table is ModbusTable.INPUT else client.read_holding_registers
        answer = await reader(source.address, count=2, device_id=device.unit_id)
        assert not answer.isError(), tag.name
        assert_near_normal(tag, client.convert_from_registers(answer.registers, FLOAT32))
    client.close()


async def check_opcua(device: OpcuaDevice, tags: tuple[Tag, ...]) -> None:
    """Every node of the device is there, Good, of its type, and near its normal."""
    async with Client(device.url, timeout=10) as client:
        for tag in tags:
            assert isinstance(tag.source, OpcuaAddress)
            uri, _, identifier = tag.source.node.removeprefix("nsu=").partition(";")
            held = await client.get_node(f"ns={await client.get_namespace_index(uri)};{identifier}").read_data_value()
            assert held.Value is not None
            assert held.Value.VariantType.name == tag.data_type
            if tag.data_type.is_continuous:
                assert_near_normal(tag, held.Value.Value)


def assert_near_normal(tag: Tag, value: object) -> None:
    assert isinstance(value, float)
    assert tag.eu_range is not None
    assert tag.normal is not None
    assert abs(value - tag.normal) < 0.02 * (tag.eu_range[1] - tag.eu_range[0]), tag.name


def small_site() -> Site:
    """One device of each protocol, each with a loop, a motor and a heartbeat."""
    tags: list[Tag] = []
    for device, area in (("MB-1", "PRP"), ("PLC-1", "SEP")):
        points = [("FIC101", DataType.FLOAT, 50.0), ("FIC101.SP", DataType.FLOAT, 50.0), ("HS101", DataType.BOOLEAN, 0.0)]
        points += [("YL101", DataType.BOOLEAN, 0.0), ("KQ101", DataType.UINT16, 0.0)]
        for number, (point, data_type, normal) in enumerate(points):
            name = f"{area}.COL101.{point}"
            is_bit = data_type is DataType.BOOLEAN
            writable = point in {"FIC101.SP", "HS101"}
            encoding = Encoding.BIT if is_bit else Encoding.UINT16 if data_type is DataType.UINT16 else Encoding.FLOAT32
            table = {(True, True): ModbusTable.COIL, (True, False): ModbusTable.DISCRETE, (False, True): ModbusTable.HOLDING}.get((is_bit, writable))
            modbus = ModbusAddress(table or ModbusTable.INPUT, 2 * number, encoding, length=2 if encoding is Encoding.FLOAT32 else 1)
            source = modbus if device == "MB-1" else OpcuaAddress(f"nsu={URN};s={name}")
            eu_range = (0.0, 1.0) if is_bit else (0.0, 65535.0) if data_type is DataType.UINT16 else (0.0, 100.0)
            tag = make_tag(len(tags) + 1, name, data_type=data_type, device=device, writable=writable, eu_range=eu_range, source=source, scan_ms=250)
            tags.append(replace(tag, normal=normal))
    devices: dict[str, Device] = {
        "MB-1": ModbusDevice("MB-1", "PRP", TcpLine("127.0.0.1", 502), 3),
        "PLC-1": OpcuaDevice("PLC-1", "SEP", "opc.tcp://127.0.0.1:4840/plc"),
    }
    return Site("small", devices, tuple(tags))


async def until(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_set_point_arrives_over_both_protocols() -> None:
    plant = SimulatedPlant(small_site(), speed=10.0)
    endpoints = await plant.start()
    async with running(plant):
        host, _, port = endpoints["MB-1"].rpartition(":")
        modbus = AsyncModbusTcpClient(host, port=int(port), timeout=5)
        assert await modbus.connect()
        assert not (await modbus.write_registers(2, modbus.convert_to_registers(80.0, FLOAT32), device_id=3)).isError()
        assert not (await modbus.write_coil(4, True, device_id=3)).isError()
        modbus.close()
        assert endpoints["PLC-1"].endswith("/plc")
        async with Client(endpoints["PLC-1"], timeout=10) as client:
            index = await client.get_namespace_index(URN)
            await client.get_node(f"ns={index};s=SEP.COL101.FIC101.SP").write_value(80.0, ua.VariantType.Float)
            await client.get_node(f"ns={index};s=SEP.COL101.HS101").write_value(True, ua.VariantType.Boolean)
            for area, device in (("PRP", "MB-1"), ("SEP", "PLC-1")):
                image = plant.image(device)
                await until(lambda image=image, area=area: abs(image.values[image.positions[f"{area}.COL101.FIC101"]] - 80.0) < 3.0)
                await until(lambda image=image, area=area: image.values[image.positions[f"{area}.COL101.YL101"]] == 1.0)
            flow = client.get_node(f"ns={index};s=SEP.COL101.FIC101")
            image = plant.image("PLC-1")
            async with asyncio.timeout(20):
                while abs(await flow.read_value() - 80.0) >= 3.0:
                    await asyncio.sleep(0.05)


async def test_a_device_comes_back_where_it_was() -> None:
    plant = SimulatedPlant(small_site())
    endpoints = await plant.start()
    async with running(plant):
        host, _, port = endpoints["MB-1"].rpartition(":")
        for device in ("MB-1", "PLC-1"):
            await plant.disconnect(device)
        assert not await connects(host, int(port))
        for device in ("MB-1", "PLC-1"):
            await plant.reconnect(device)
        assert await connects(host, int(port))
        async with Client(endpoints["PLC-1"], timeout=10) as client:
            heartbeat = client.get_node(f"ns={await client.get_namespace_index(URN)};s=SEP.COL101.KQ101")
            first = await heartbeat.read_value()
            async with asyncio.timeout(20):
                while await heartbeat.read_value() == first:
                    await asyncio.sleep(0.05)


async def connects(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 5)
    except OSError:
        return False
    writer.close()
    return True


async def test_a_restart_takes_the_same_ports() -> None:
    ports: Mapping[str, int] | None = None
    seen = []
    for _ in range(2):
        plant = SimulatedPlant(small_site())
        endpoints = await plant.start(ports)
        seen.append(endpoints)
        ports = {name: int(endpoint.rpartition(":")[2].split("/")[0]) for name, endpoint in endpoints.items()}
        await plant.stop()
    assert seen[0] == seen[1]


async def test_a_plant_whose_ports_are_taken_can_be_stopped() -> None:
    first, second = SimulatedPlant(small_site()), SimulatedPlant(small_site())
    try:
        port = int((await first.start())["PLC-1"].rpartition(":")[2].removesuffix("/plc"))
        with pytest.raises(OSError, match=str(port)):
            await second.start({"PLC-1": port})
    finally:
        await second.stop()
        await first.stop()


# ---- replay


def recording(rows: int = 40, interval: int = 1_000_000) -> Recording:
    """Some rows repeat the values of the row before."""
    values = np.stack([np.arange(rows) // 3 + 0.25, np.full(rows, 7.5)], axis=1)
    return Recording(("Flow", "Still"), 1_583_748_873_000_000 + np.arange(rows, dtype=np.int64) * interval, values)


@asynccontextmanager
async def replaying(one: Recording, protocol: str, speed: float, *, hold: bool = True) -> AsyncIterator[tuple[ReplayDevice, str, Site]]:
    site = replay_site({"run": one}, "modbus" if protocol == "modbus" else "opcua")
    device = ReplayDevice(site, "REPLAY-run", one, speed, hold_until_read=hold)
    endpoint = await device.start()
    task = asyncio.create_task(device.run())
    try:
        yield device, endpoint, site
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await device.stop()


async def modbus_rows(endpoint: str, device: ReplayDevice, columns: int, pause: float) -> list[tuple[int, list[float]]]:
    """Reads until the recording is over: (row, values) of each new row."""
    host, _, port = endpoint.rpartition(":")
    client = AsyncModbusTcpClient(host, port=int(port), timeout=5)
    assert await client.connect()
    rows: list[tuple[int, list[float]]] = []
    async with asyncio.timeout(90):
        while not device.finished.is_set():
            registers = (await client.read_input_registers(0, count=2 + 2 * columns, device_id=1)).registers
            row = client.convert_from_registers(registers[:2], client.DATATYPE.UINT32)
            assert isinstance(row, int)
            if not rows or rows[-1][0] != row:
                rows.append((row, np.array(registers[2:], ">u2").view(">f4").tolist()))
            await asyncio.sleep(pause)
    client.close()
    return rows


async def test_a_slow_modbus_reader_gets_every_row() -> None:
    one = recording()
    async with replaying(one, "modbus", speed=1000.0) as (device, endpoint, _):
        rows = await modbus_rows(endpoint, device, 2, pause=0.01)
    assert [row for row, _ in rows] == list(range(40))
    assert np.array_equal(np.array([values for _, values in rows], np.float32), one.values.astype(np.float32))


async def test_a_row_read_in_two_pieces_counts_when_both_were_read() -> None:
    async with replaying(recording(), "modbus", speed=1000.0) as (device, endpoint, _):
        host, _, port = endpoint.rpartition(":")
        client = AsyncModbusTcpClient(host, port=int(port), timeout=5)
        assert await client.connect()
        await client.read_input_registers(0, count=4, device_id=1)
        await asyncio.sleep(0.2)
        assert device.row == 0
        await client.read_input_registers(4, count=2, device_id=1)
        await until(lambda: device.row == 1)
        client.close()


async def test_nothing_is_played_to_nobody() -> None:
    for protocol in ("modbus", "opcua"):
        async with replaying(recording(), protocol, speed=1000.0) as (device, _, _):
            await asyncio.sleep(0.2)
            assert device.row == (0 if protocol == "modbus" else -1)


async def test_without_holding_rows_go_by_the_clock() -> None:
    async with replaying(recording(), "modbus", speed=100.0, hold=False) as (device, endpoint, _):
        host, _, port = endpoint.rpartition(":")
        client = AsyncModbusTcpClient(host, port=int(port), timeout=5)
        assert await client.connect()
        await client.read_input_registers(0, count=2, device_id=1)
        client.close()
        await asyncio.wait_for(device.finished.wait(), 20)
        assert device.row == 39


async def test_modbus_rows_keep_the_pace() -> None:
    one = recording(rows=11)
    async with replaying(one, "modbus", speed=20.0) as (device, endpoint, _):
        began = asyncio.get_running_loop().time()
        await modbus_rows(endpoint, device, 2, pause=0.005)
        assert asyncio.get_running_loop().time() - began >= 0.95 * 11 / 20.0


async def opcua_rows(endpoint: str, device: ReplayDevice, site: Site) -> list[tuple[str, object, int, int | None]]:
    """Every notification until the recording is over, all tags monitored with the trigger StatusValueTimestamp."""
    notes = Notes()
    async with Client(endpoint, timeout=10) as client:
        index = await client.get_namespace_index("urn:monazite:replay")
        subscription = await client.create_subscription(50, notes)
        change_filter = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
        nodes = [client.get_node(f"ns={index};s={tag.name}") for tag in site.tags]
        requests = [
            ua.MonitoredItemCreateRequest(
                ItemToMonitor=ua.ReadValueId(NodeId=node.nodeid, AttributeId=ua.AttributeIds.Value),
                MonitoringMode=ua.MonitoringMode.Reporting,
                RequestedParameters=ua.MonitoringParameters(
                    ClientHandle=number, SamplingInterval=10.0, Filter=change_filter, QueueSize=100, DiscardOldest=True
                ),
            )
            for number, node in enumerate(nodes, 1000)
        ]
        # one tag at first: not all are monitored, and nothing may be played
        assert all(isinstance(result, int) for result in await subscription.create_monitored_items(requests[:1]))
        await asyncio.sleep(0.2)
        assert device.row == -1
        assert all(isinstance(result, int) for result in await subscription.create_monitored_items(requests[1:]))
        await asyncio.wait_for(device.finished.wait(), 60)
        await until(lambda: any(note[:2] == (site.tags[0].name, device.row) for note in notes.seen))
        await asyncio.sleep(0.2)
    return notes.seen


async def test_every_opcua_row_is_one_notification_a_tag() -> None:
    one = recording()
    async with replaying(one, "opcua", speed=50.0) as (device, endpoint, site):
        seen = await opcua_rows(endpoint, device, site)
    for column, tag in enumerate(site.tags):
        of_tag = [note[1:] for note in seen if note[0] == tag.name]
        assert of_tag[0] == (None, int(ua.StatusCodes.BadWaitingForInitialData), int(one.times[0]))
        values = np.arange(40.0) if column == 0 else one.values[:, column - 1]
        assert of_tag[1:] == [(value, 0, time) for value, time in zip(values.tolist(), one.times.tolist(), strict=True)]


async def test_a_cell_without_a_number_has_no_good_value() -> None:
    one = recording(rows=3)
    one.values[1, 0] = np.nan
    async with replaying(one, "opcua", speed=50.0) as (device, endpoint, site):
        seen = await opcua_rows(endpoint, device, site)
    of_flow = [note[2] for note in seen if note[0] == "RPL.RUN.FLOW"]
    assert of_flow == [int(ua.StatusCodes.BadWaitingForInitialData), 0, int(ua.StatusCodes.BadNoData), 0]


@pytest.mark.skipif(not SKAB.is_dir(), reason=f"the recorded data are not at {SKAB}")
@pytest.mark.parametrize("protocol", ["modbus", "opcua"])
async def test_recorded_plant_data_arrive_whole(protocol: str) -> None:
    whole = Recording.read(SKAB / "valve1-2.csv")
    one = Recording(whole.names, whole.times[:200], whole.values[:200])
    async with replaying(one, protocol, speed=200.0) as (device, endpoint, site):
        if protocol == "modbus":
            rows = await modbus_rows(endpoint, device, len(one.names), pause=0.0)
            assert [row for row, _ in rows] == list(range(200))
            assert np.array_equal(np.array([values for _, values in rows], np.float32), one.values.astype(np.float32))
            return
        seen = await opcua_rows(endpoint, device, site)
    for column, tag in enumerate(site.tags[1:]):
        of_tag = [(note[1], note[3]) for note in seen if note[0] == tag.name][1:]
        assert of_tag == list(zip(one.values[:, column].tolist(), one.times.tolist(), strict=True))
