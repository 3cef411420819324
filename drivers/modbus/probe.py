"""A short question at the end of a scan, for lines whose answers bear no number: pure.

If an answer came twice, each answer after it is that to the request before, and well-formed as long as the requests are of one length. One that is answered in
another length than everything else asked of the unit ends that: its own answer comes, and all before it were in their places, or a wrong one does, and is
refused for its length or its function. A refusal has no length: one in its place may be that of the request before, and proves nothing. It costs one short
round trip; waiting for what else might come costs two of the slowest.
"""

from collections.abc import Iterator, Sequence

from drivers.modbus.frames import ReadRequest
from drivers.modbus.plan import Block
from plant.device import ModbusDevice


def probe_of(device: ModbusDevice, blocks: Sequence[Block]) -> ReadRequest | None:
    """The identity, or the beginning of a block, cut behind one of its values if possible; ``None`` if nothing that is read anyway has another length."""
    shapes = {block_request(block).shape for block in blocks}
    return next((request for request in _candidates(device, blocks) if request.shape not in shapes), None)


def _candidates(device: ModbusDevice, blocks: Sequence[Block]) -> Iterator[ReadRequest]:
    if (identity := device.identity) is not None:
        yield ReadRequest(identity.table, identity.address, len(identity.registers))
    for block in blocks:
        ends = {point.address.end - block.address for point in block.points} - {block.count}
        for count in (*sorted(ends), *range(1, block.count)):
            yield ReadRequest(block.table, block.address, count)


def block_request(block: Block) -> ReadRequest:
    return ReadRequest(block.table, block.address, block.count)
