"""The question by which a scan without numbers is known to have been answered in order."""

from collections.abc import Sequence

import pytest

from drivers.modbus.frames import ModbusException
from drivers.modbus.plan import plan, points_of
from drivers.modbus.probe import probe_of
from drivers.modbus.quarantine import FIRST_AGAIN
from drivers.modbus.scanned_class import ScannedClass
from plant.device import Encoding, Framing, Identity, ModbusAddress, ModbusDevice, ModbusTable, TcpLine
from tests.samples import make_tag

IDENTITY = Identity(ModbusTable.HOLDING, 500, (17, 4))


def probe(addresses: Sequence[ModbusAddress], identity: Identity | None = None) -> str | None:
    device = ModbusDevice("D", "SEP", TcpLine("127.0.0.1", 502, Framing.RTU), 1, identity=identity)
    tags = [make_tag(1 + row, f"SEP.COL101.FT{row}", device="D", scan_ms=1000, source=address) for row, address in enumerate(addresses)]
    request = probe_of(device, [block for scan_class in plan(device, points_of(tags)) for block in scan_class.blocks])
    return None if request is None else str(request)


def at(address: int, encoding: Encoding = Encoding.UINT16, table: ModbusTable = ModbusTable.HOLDING) -> ModbusAddress:
    return ModbusAddress(table, address, encoding, length=encoding.registers)


@pytest.mark.parametrize(
    ("addresses", "identity", "expected"),
    [
        ([at(0), at(1), at(2)], None, "holding 0"),
        ([at(0), at(1), at(2)], IDENTITY, "holding 500..501"),
        ([at(0, Encoding.FLOAT32), at(2, Encoding.FLOAT32)], None, "holding 0..1"),
        ([at(0), at(40), at(41), at(42)], None, "holding 40..41"),
        ([at(0), at(40, Encoding.FLOAT32)], None, None),
        ([at(0), at(40)], None, None),
        ([at(0), at(40)], IDENTITY, "holding 500..501"),
        ([at(0), at(1), at(100), at(101)], IDENTITY, "holding 0"),
        ([at(bit, Encoding.BIT, ModbusTable.COIL) for bit in range(8)], None, None),
        ([at(bit, Encoding.BIT, ModbusTable.COIL) for bit in range(9)], None, "coil 0"),
        ([at(0), at(0, Encoding.FLOAT32, ModbusTable.INPUT)], None, "input 0"),
        ([], None, None),
    ],
)
def test_it_has_another_function_or_length_than_all_that_is_asked_and_touches_nothing_else(
    addresses: Sequence[ModbusAddress], identity: Identity | None, expected: str | None
) -> None:
    assert probe(addresses, identity) == expected


def test_what_a_scan_asks_for_alone_has_its_shape_counted_until_the_next_one_begins() -> None:
    device = ModbusDevice("D", "SEP", TcpLine("127.0.0.1", 502, Framing.RTU), 1)
    sources = (at(0, Encoding.FLOAT32), at(2, Encoding.FLOAT32), at(40))
    tags = [make_tag(1 + row, f"SEP.COL101.FT{row}", device="D", scan_ms=1000, source=source) for row, source in enumerate(sources)]
    (scan_class,) = plan(device, points_of(tags))
    scanned = ScannedClass(device, scan_class, 0.0)
    scanned.note(scan_class.blocks[1], ModbusException(2), 0.0)
    scanned.to_ask(1.0)
    assert scanned.shapes == {(3, 8)}
    scanned.to_ask(FIRST_AGAIN + 1.0)
    scanned.note(scan_class.blocks[1], ModbusException(2), FIRST_AGAIN + 1.0)
    assert scanned.shapes == {(3, 8), (3, 2)}
    scanned.to_ask(FIRST_AGAIN + 2.0)
    assert scanned.shapes == {(3, 8)}
