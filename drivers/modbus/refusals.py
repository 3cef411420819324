"""What a device says that it does not give: addresses that it does not have, and reads that it answers with any other exception."""

from drivers.modbus.frames import Answer, ModbusException
from drivers.modbus.plan import Block
from drivers.modbus.probe import block_request
from plant.device import ModbusTable


class Refusals:
    """Kept over the scans of a session: each counts until what it was said of is answered."""

    def __init__(self) -> None:
        self._refused: set[tuple[ModbusTable, int]] = set()
        self._failed: dict[tuple[ModbusTable, int], tuple[str, ModbusException]] = {}

    def note(self, block: Block, answer: Answer) -> None:
        """``answer`` is the last word on ``block``, which is not asked for in parts."""
        if isinstance(answer, ModbusException) and answer.is_about_address:
            self._refused.add((block.table, block.address))
            self._failed.pop((block.table, block.address), None)
        elif isinstance(answer, ModbusException):
            self._failed[block.table, block.address] = (str(block_request(block)), answer)
        elif self._refused or self._failed:
            there = range(block.address, block.address + block.count)
            self._refused = {(table, address) for table, address in self._refused if table is not block.table or address not in there}
            self._failed = {place: told for place, told in self._failed.items() if place[0] is not block.table or place[1] not in there}

    def __str__(self) -> str:
        """For people, and the mend; empty when there are none."""
        return "; ".join(filter(None, (self._told_of_failures(), self._told_of_addresses())))

    def _told_of_failures(self) -> str:
        if not self._failed:
            return ""
        request, answer = self._failed[min(self._failed)]
        others = f" and fails at {len(self._failed) - 1} other reads" if len(self._failed) > 1 else ""
        return f"the device answers {answer}, to {request}{others}: its manual says why"

    def _told_of_addresses(self) -> str:
        if not self._refused:
            return ""
        table, address = min(self._refused)
        return f"the device refuses {len(self._refused)} of its addresses, the first at {table} {address}: correct modbus.csv, or the device"
