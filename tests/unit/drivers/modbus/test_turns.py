"""Whose request is next."""

import asyncio

from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies
from drivers.modbus.exchange import Exchange, Seat
from drivers.modbus.frames import ReadRequest
from drivers.modbus.turns import Turns
from plant.device import ModbusTable


def seat(unit: int) -> Seat:
    return Seat(f"PLC-{unit}", unit, 1.0, DriverMetricFamilies(CollectorRegistry()).of("modbus", f"PLC-{unit}"))


def exchange(of: Seat) -> Exchange:
    return Exchange(of, ReadRequest(ModbusTable.HOLDING, 0, 1), asyncio.get_running_loop().create_future())


async def test_units_take_turns_and_each_keeps_its_own_order() -> None:
    turns, first, second = Turns(), seat(1), seat(2)
    of_first = [exchange(first) for _ in range(3)]
    of_second = [exchange(second) for _ in range(2)]
    for each in (*of_first, *of_second):
        turns.put(each)
    taken = [turns.next() for _ in range(5)]
    assert taken == [of_first[0], of_second[0], of_first[1], of_second[1], of_first[2]]
    assert turns.next() is None
    assert not turns


async def test_a_command_is_before_the_scans_of_every_unit_and_commands_of_several_take_turns() -> None:
    turns, first, second = Turns(), seat(1), seat(2)
    scan, other, command, next_command, command_of_other = exchange(first), exchange(second), exchange(first), exchange(first), exchange(second)
    turns.put(other)
    turns.put(scan)
    for each in (command, next_command, command_of_other):
        turns.put(each, first=True)
    assert [turns.next() for _ in range(5)] == [command, command_of_other, next_command, other, scan]


async def test_what_was_given_up_or_removed_is_not_sent() -> None:
    turns, first, second = Turns(), seat(1), seat(2)
    given_up, removed, stays = exchange(first), exchange(second), exchange(first)
    for each in (given_up, removed, stays):
        turns.put(each)
    given_up.future.cancel()
    command = exchange(second)
    turns.put(command, first=True)
    assert turns.remove(second) == [command, removed]
    assert turns.next() is stays
    assert turns.next() is None
