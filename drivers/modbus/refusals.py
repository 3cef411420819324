"""The addresses of a device that it says it does not have."""

from drivers.modbus.frames import Answer, ModbusException
from drivers.modbus.plan import Block
from plant.device import ModbusTable


class Refusals:
    """Kept over the scans of a session: an address counts until it is answered."""

    def __init__(self) -> None:
        self._refused: set[tuple[ModbusTable, int]] = set()

    def note(self, block: Block, answer: Answer) -> None:
        """``block`` is of one tag, or was answered."""
        if isinstance(answer, ModbusException) and answer.is_about_address:
            self._refused.add((block.table, block.address))
        elif self._refused and not isinstance(answer, ModbusException):
            there = range(block.address, block.address + block.count)
            self._refused = {(table, address) for table, address in self._refused if table is not block.table or address not in there}

    def __str__(self) -> str:
        """For people, and the mend; empty when there are none."""
        if not self._refused:
            return ""
        table, address = min(self._refused)
        return f"the device refuses {len(self._refused)} of its addresses, the first at {table} {address}: correct modbus.csv, or the device"
