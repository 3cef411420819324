"""Points that a device refuses: when they are asked for again, and what no other read touches meanwhile."""

from drivers.modbus.frames import ModbusException
from drivers.modbus.plan import Point
from drivers.modbus.quarantine import AGAIN_AT_MOST, FIRST_AGAIN, Quarantine
from plant.device import AddressRange, Encoding, ModbusAddress, ModbusTable
from tests.samples import make_tag

REFUSED = ModbusException(2)


def point(number: int, address: int, encoding: Encoding = Encoding.UINT16) -> Point:
    source = ModbusAddress(ModbusTable.HOLDING, address, encoding, length=encoding.registers)
    return Point(make_tag(number, f"SEP.COL101.FT{number}", source=source), source)


def test_a_point_is_asked_for_again_after_a_minute_then_two_and_at_the_most_an_hour() -> None:
    quarantine, one, now, wait = Quarantine(), point(1, 10), 0.0, FIRST_AGAIN
    assert quarantine.put(one, REFUSED, now)
    for _ in range(10):
        assert (quarantine.due(now + wait - 1.0), len(quarantine.waiting(now + wait - 1.0))) == ([], 1)
        now += wait
        assert (quarantine.due(now), quarantine.waiting(now)) == ([one], [])
        assert not quarantine.put(one, ModbusException(3), now), "it was known"
        wait = min(2 * wait, AGAIN_AT_MOST)
        assert quarantine.waiting(now) == [(one, ModbusException(3))]
    assert (FIRST_AGAIN, wait) == (60.0, 3600.0)
    assert quarantine.release([point(2, 11), one])
    assert not quarantine.release([one])
    assert one not in quarantine
    assert (quarantine.due(now + 1e6), quarantine.walls([])) == ([], ())


def test_no_other_read_touches_a_refused_point_but_where_another_point_was_answered() -> None:
    quarantine = Quarantine()
    quarantine.put(point(1, 10, Encoding.FLOAT32), REFUSED, 0.0)
    quarantine.put(point(2, 40), REFUSED, 0.0)
    walls = quarantine.walls([point(3, 11), point(4, 39)])
    assert walls == (AddressRange(ModbusTable.HOLDING, 10, 10), AddressRange(ModbusTable.HOLDING, 40, 40))
