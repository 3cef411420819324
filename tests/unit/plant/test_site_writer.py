"""Every device and address that a site can have is written so that it loads as the same."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from plant.device import (
    AddressRange,
    BitWrites,
    ByteOrder,
    CertificateUser,
    Deadband,
    DeadbandKind,
    Decoder,
    Device,
    Encoding,
    Framing,
    Identity,
    MessageSecurity,
    ModbusAddress,
    ModbusDevice,
    ModbusTable,
    NamedUser,
    OpcuaAddress,
    OpcuaDevice,
    OpcuaSecurity,
    Parity,
    SecurityPolicy,
    SerialLine,
    Source,
    TcpLine,
    TlsFiles,
    WriteStyle,
)
from plant.heartbeat import Heartbeat
from plant.site import Site
from plant.site_loader import load_site
from plant.site_writer import write_site
from plant.tag import AlarmLimits, DataType, Kind, Tag

NODE = "nsu=urn:test:plc;s=A, \"quoted\" 'node'"
OBJECT = "nsu=urn:test:plc;i=7"
BEATS = "AREA.UNIT.T1"
FREE = 1000
"""No tag and no identity lies at this Modbus address or behind it."""


def tag(number: int, device: str, source: Source, compression: float | None = None) -> Tag:
    is_bit = isinstance(source, ModbusAddress) and source.encoding is Encoding.BIT
    is_text = isinstance(source, ModbusAddress) and source.encoding is Encoding.STRING
    is_called = isinstance(source, OpcuaAddress) and source.method_of is not None
    return Tag(
        id=number,
        name=f"AREA.UNIT.T{number}",
        area="AREA",
        unit="UNIT",
        description="",
        kind=Kind.ANALOG_OUTPUT if is_called else Kind.ANALOG_INPUT,
        data_type=DataType.BOOLEAN if is_bit else DataType.STRING if is_text else DataType.DOUBLE,
        engineering_unit="",
        eu_range=None if is_text or is_bit else (-1.5, 1e9),
        normal=None,
        device=device,
        source=source,
        scan_ms=20,
        deadband=None,
        compression_deviation=compression,
        alarm_limits=AlarmLimits(),
        priority=None,
        writable=is_called,
    )


def site_of(device: Device, sources: Sequence[Source]) -> Site:
    return Site('A "site" of\ttests\x7f', {device.name: device}, tuple(tag(number, device.name, source) for number, source in enumerate(sources, 1)))


def texts_of(site: Site) -> Mapping[str, str]:
    """What is written, which loads as ``site``."""
    with tempfile.TemporaryDirectory() as folder:
        write_site(site, Path(folder))
        assert load_site(Path(folder)) == site
        return {file.name: file.read_text(encoding="utf-8") for file in Path(folder).iterdir()}


paths = st.text(st.characters(codec="utf-8"), max_size=12).map(lambda text: f"/{text}".rstrip()).filter(lambda path: len(path) > 1)
seconds = st.floats(0.001, 3600.0)
heartbeats = st.none() | st.builds(Heartbeat, st.just(BEATS), st.floats(0.021, 3600.0))
some_tls = st.none() | st.one_of(
    st.builds(TlsFiles, paths, server_name=st.none() | st.just("plc-1")), st.builds(TlsFiles, paths, paths, paths, st.just("plc-1"))
)
pauses = st.just(0.0) | seconds
ports = st.integers(1, 65535)
numbered = st.builds(TcpLine, st.sampled_from(["10.20.3.11", "::1", "plc-1.plant"]), ports, st.just(Framing.TCP), some_tls, st.integers(1, 64), pauses)
unnumbered = st.one_of(
    st.builds(TcpLine, st.just("10.20.3.11"), ports, st.just(Framing.RTU), some_tls, st.just(1), pauses),
    st.builds(SerialLine, paths, st.integers(300, 1_000_000), st.sampled_from(Parity), st.integers(1, 2), pauses),
)
ranges = st.builds(
    lambda table, first, more: AddressRange(table, first, min(first + more, 65535)), st.sampled_from(ModbusTable), st.integers(FREE, 65535), st.integers(0, 99)
)
identities = st.builds(
    Identity,
    st.sampled_from([ModbusTable.HOLDING, ModbusTable.INPUT]),
    st.integers(0, FREE - 16),
    st.lists(st.integers(0, 65535), min_size=1, max_size=16).filter(any).map(tuple),
)


@st.composite
def modbus_devices(draw: st.DrawFn) -> ModbusDevice:
    line = draw(numbered | unnumbered)
    is_numbered = isinstance(line, TcpLine) and line.framing is Framing.TCP
    return ModbusDevice(
        "MB-1",
        "AREA",
        line,
        draw(st.integers(0, 247) if is_numbered else st.integers(1, 247)),
        max_registers=draw(st.integers(16, 125)),
        max_bits=draw(st.integers(1, 2000)),
        max_gap=draw(st.integers(0, 125)),
        forbidden=tuple(draw(st.lists(ranges, max_size=3))),
        timeout=draw(st.floats(1e-6, 10.0)),
        writes=draw(st.sampled_from(WriteStyle)),
        bit_writes=draw(st.sampled_from(BitWrites)),
        identity=draw(st.none() | identities),
        heartbeat=draw(heartbeats),
    )


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
orders = st.sampled_from(ByteOrder)
scales = st.floats(1e-12, 1e12)


def whole(encoding: Encoding, low: int, high: int) -> st.SearchStrategy[ModbusAddress]:
    no_values = st.none() | st.integers(low, high).map(float)
    return st.builds(
        ModbusAddress,
        st.sampled_from([ModbusTable.HOLDING, ModbusTable.INPUT]),
        st.just(0),
        st.just(encoding),
        orders,
        st.just(encoding.registers),
        scale=scales,
        offset=finite,
        no_value=no_values,
        clamp=st.booleans(),
    )


floats = st.builds(
    lambda encoding, order, scale, offset, no_value, clamp: ModbusAddress(
        ModbusTable.INPUT, 0, encoding, order, encoding.registers, None, scale, offset, no_value, clamp
    ),
    st.sampled_from([Encoding.FLOAT16, Encoding.FLOAT32, Encoding.FLOAT64]),
    orders,
    scales,
    finite,
    st.none() | finite,
    st.booleans(),
)
numbers = st.one_of(
    floats, whole(Encoding.INT16, -(2**15), 2**15 - 1), whole(Encoding.UINT64, 0, 2**53), whole(Encoding.BCD16, 0, 9999), whole(Encoding.BCD32, 0, 99_999_999)
)
bits = st.builds(ModbusAddress, st.just(ModbusTable.HOLDING), st.just(0), st.just(Encoding.BIT), orders, bit=st.integers(0, 15))
coils = st.builds(ModbusAddress, st.sampled_from([ModbusTable.COIL, ModbusTable.DISCRETE]), st.just(0), st.just(Encoding.BIT), orders)
strings = st.builds(ModbusAddress, st.just(ModbusTable.HOLDING), st.just(0), st.just(Encoding.STRING), orders, st.integers(1, 16))


def placed(addresses: Sequence[ModbusAddress]) -> list[ModbusAddress]:
    """Side by side."""
    ends = [sum(address.length for address in addresses[:place]) for place in range(len(addresses))]
    return [
        ModbusAddress(one.table, end, one.encoding, one.order, one.length, one.bit, one.scale, one.offset, one.no_value, one.clamp)
        for one, end in zip(addresses, ends, strict=True)
    ]


modbus_sources = st.builds(lambda first, others: placed([first, *others]), numbers, st.lists(st.one_of(numbers, bits, coils, strings), max_size=3))


@st.composite
def opcua_devices(draw: st.DrawFn) -> OpcuaDevice:
    policy = draw(st.sampled_from(SecurityPolicy))
    mode = MessageSecurity.SIGN_AND_ENCRYPT if policy is SecurityPolicy.NONE else draw(st.sampled_from(MessageSecurity))
    names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).map(str.strip).filter(bool)
    return OpcuaDevice(
        "PLC-1",
        "AREA",
        "opc.tcp://10.20.3.21:4840/plant",
        publishing_interval=draw(seconds),
        timeout=draw(seconds),
        security=OpcuaSecurity(policy, mode),
        user=draw(st.one_of(st.none(), st.builds(NamedUser, names, paths), st.builds(CertificateUser, paths, paths))),
        polling=draw(st.booleans()),
        history=draw(st.booleans()),
        application_uri=None if policy is SecurityPolicy.NONE else draw(st.none() | names.map("urn:{}".format)),
        heartbeat=draw(heartbeats),
        decoder=draw(st.sampled_from(Decoder)),
    )


deadbands = st.one_of(
    st.builds(Deadband, st.just(DeadbandKind.PERCENT), st.floats(1e-9, 100.0)), st.builds(Deadband, st.just(DeadbandKind.ABSOLUTE), st.floats(1e-300, 1e300))
)
elements = st.builds(
    OpcuaAddress,
    st.just(NODE),
    st.none() | st.integers(0, 2**31 - 1),
    st.none() | st.integers(0, 86_400_000).map(float),
    st.none() | st.integers(1, 1_000_000),
    st.none() | deadbands,
)
methods = st.just([OpcuaAddress("nsu=urn:test:plc;s=Start", method_of=OBJECT)])
opcua_sources = st.builds(
    lambda watched, called: [*watched, *called], st.lists(elements, min_size=1, max_size=3, unique_by=lambda one: one.index), st.just([]) | methods
)


@settings(deadline=None)
@given(modbus_devices(), modbus_sources)
def test_a_modbus_device_loads_as_the_same(device: ModbusDevice, sources: Sequence[Source]) -> None:
    assert set(texts_of(site_of(device, sources))) == {"site.toml", "devices.toml", "tags.csv", "modbus.csv", "opcua.csv"}


@settings(deadline=None)
@given(opcua_devices(), opcua_sources)
def test_an_opcua_device_loads_as_the_same(device: OpcuaDevice, sources: Sequence[Source]) -> None:
    assert set(texts_of(site_of(device, sources))) == {"site.toml", "devices.toml", "tags.csv", "modbus.csv", "opcua.csv"}


def test_what_is_as_by_default_is_not_written() -> None:
    modbus = texts_of(site_of(ModbusDevice("MB-1", "AREA", TcpLine("::1", 1502), 8), [ModbusAddress(ModbusTable.INPUT, 0, Encoding.UINT16)]))
    assert modbus["devices.toml"] == '[devices.MB-1]\nprotocol = "modbus"\narea = "AREA"\nhost = "::1"\nport = 1502\nunit_id = 8\n'
    assert modbus["modbus.csv"] == "tag,table,address,encoding,order,length,bit,scale,offset\nAREA.UNIT.T1,input,0,uint16,ABCD,,,1,0\n"
    opcua = texts_of(site_of(OpcuaDevice("PLC-1", "AREA", "opc.tcp://a:4840"), [OpcuaAddress("nsu=urn:a;i=1", index=0), OpcuaAddress("nsu=urn:a;i=2")]))
    assert opcua["devices.toml"] == '[devices.PLC-1]\nprotocol = "opcua"\narea = "AREA"\nurl = "opc.tcp://a:4840"\n'
    assert opcua["opcua.csv"] == "tag,node,index\nAREA.UNIT.T1,nsu=urn:a;i=1,0\nAREA.UNIT.T2,nsu=urn:a;i=2,\n"


def test_every_setting_of_a_device_is_written() -> None:
    device = ModbusDevice(
        "MB-1",
        "AREA",
        TcpLine("10.20.3.11", 802, Framing.TCP, TlsFiles("/ca.pem", "/me.pem", "/me.key", "plc-1"), window=4, pause=0.02),
        8,
        100,
        1000,
        4,
        (AddressRange(ModbusTable.HOLDING, 100, 199), AddressRange(ModbusTable.INPUT, 7, 7)),
        0.5,
        WriteStyle.SINGLE,
        BitWrites.READ_MODIFY_WRITE,
        Identity(ModbusTable.HOLDING, 0, (17, 4)),
        Heartbeat(BEATS, 5.0),
    )
    address = ModbusAddress(ModbusTable.INPUT, 0, Encoding.INT16, no_value=-32768.0, clamp=True)
    texts = texts_of(site_of(device, [address]))
    assert texts["devices.toml"].splitlines()[3:] == [
        'host = "10.20.3.11"',
        "port = 802",
        'tls = { trusted = "/ca.pem", certificate = "/me.pem", key = "/me.key", server_name = "plc-1" }',
        "window = 4",
        "pause = 0.02",
        "unit_id = 8",
        "max_registers = 100",
        "max_bits = 1000",
        "max_gap = 4",
        'forbidden = ["holding 100..199", "input 7"]',
        "timeout = 0.5",
        'writes = "single"',
        'bit_writes = "read-modify-write"',
        'identity = { table = "holding", address = 0, registers = [17, 4] }',
        'heartbeat = { tag = "AREA.UNIT.T1", within = 5.0 }',
    ]
    assert texts["modbus.csv"].splitlines() == [
        "tag,table,address,encoding,order,length,bit,scale,offset,no_value,clamp",
        "AREA.UNIT.T1,input,0,int16,ABCD,,,1,0,-32768,1",
    ]


def test_a_column_of_compression_is_written_where_a_tag_has_one() -> None:
    device = OpcuaDevice("PLC-1", "AREA", "opc.tcp://a:4840")
    addresses = [OpcuaAddress(f"nsu=urn:a;i={number}") for number in (1, 2, 3)]
    tags = [tag(number, device.name, address, compression) for number, address, compression in zip((1, 2, 3), addresses, (None, 0.0, 0.125), strict=True)]
    rows = texts_of(Site("A", {device.name: device}, tuple(tags)))["tags.csv"].splitlines()
    assert [row.rsplit(",", 2)[1:] for row in rows] == [["writable", "compression"], ["0", ""], ["0", "0"], ["0", "0.125"]]
    assert texts_of(Site("A", {device.name: device}, tuple(tags[:1])))["tags.csv"].splitlines()[0].endswith(",writable")
