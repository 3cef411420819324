"""Which addresses a device is said to refuse."""

import pytest

from drivers.modbus.frames import ModbusException
from drivers.modbus.plan import Block
from drivers.modbus.refusals import Refusals
from plant.device import ModbusTable

BLOCK = Block(ModbusTable.HOLDING, 40, 1, ())


@pytest.mark.parametrize("code", [4, 6, 11])
def test_an_address_counts_until_it_is_answered_and_a_busy_device_or_one_that_fails_does_not_answer(code: int) -> None:
    refusals = Refusals()
    refusals.note(BLOCK, ModbusException(2))
    refusals.note(BLOCK, ModbusException(code))
    assert "1 of its addresses, the first at holding 40" in str(refusals)
    refusals.note(BLOCK, b"\0\0")
    assert str(refusals) == ""


def test_a_read_that_is_answered_with_an_exception_is_told_with_its_code_until_it_is_answered() -> None:
    refusals = Refusals()
    refusals.note(Block(ModbusTable.INPUT, 0, 10, ()), ModbusException(4))
    refusals.note(BLOCK, ModbusException(6))
    assert str(refusals) == "the device answers exception 06, server device busy, to holding 40 and fails at 1 other reads: its manual says why"
    refusals.note(BLOCK, ModbusException(2))
    assert str(refusals) == (
        "the device answers exception 04, server device failure, to input 0..9: its manual says why; "
        "the device refuses 1 of its addresses, the first at holding 40: correct modbus.csv, or the device"
    )
    refusals.note(Block(ModbusTable.INPUT, 0, 20, ()), b"")
    refusals.note(BLOCK, b"")
    assert str(refusals) == ""
