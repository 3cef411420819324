"""One write and its read-back.

Rules:

1. A write is sent once. What is not known to have failed may have been done: no answer, or an answer that speaks of a time-out behind the server, is
   UNKNOWN.
2. A write without an answer ends the connection, so that what has not left by then never leaves.
"""

import asyncio
import time
from typing import Final

from asyncua import ua

from drivers.metrics import DriverMetrics
from drivers.opcua.connection import Connection
from drivers.opcua.decode import number_of, text_of
from drivers.opcua.link_errors import result_of, speaking_of
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.value_type import Unwritable, exact_type, is_equal, variant_of
from drivers.session import READ_BACK_PERIOD, READ_BACK_WITHIN, WriteOutcome, WriteStatus
from plant.command import CommandValue
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import Quality, is_bad, quality_name, stored_form
from plant.tag import Tag

_UNDECIDED: Final = {Quality.BAD_TIMEOUT, Quality.BAD_REQUEST_TIMEOUT, Quality.BAD_COMMUNICATION_ERROR}


class Writer:
    """Writes to the nodes of a device. The type of a node is read at its first write, and again after the server called it wrong."""

    def __init__(self, connection: Connection, directory: NodeDirectory, metrics: DriverMetrics) -> None:
        self._connection = connection
        self._directory = directory
        self._metrics = metrics
        self._types: dict[int, ua.VariantType] = {}

    async def write(self, tag: Tag, value: CommandValue) -> WriteOutcome:
        """Never raises for the link's sake; each exchange is answered within the device's time-out."""
        node = self._directory.find(tag)
        if isinstance(node, Quality):
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: the server has no node for {tag.name} ({node.symbol})", node)
        try:
            variant_type = self._types.get(tag.id) or await self._read_type(tag, node)
            variant = variant_of(value, variant_type)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {error}", Quality.BAD_NOT_CONNECTED)
        except Unwritable as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {error}", Quality.BAD_TYPE_MISMATCH)
        if not self._connection.is_open:
            return WriteOutcome(WriteStatus.NOT_SENT, "nothing was written: the connection is closed", Quality.BAD_NOT_CONNECTED)
        outcome = await self._send(node, variant)
        if outcome is not None:
            if outcome.quality == Quality.BAD_TYPE_MISMATCH:
                self._types.pop(tag.id, None)
            return outcome
        end = time.monotonic() + READ_BACK_WITHIN
        while True:
            outcome = await self._confirm(tag, node, value, variant_type)
            if outcome.status is WriteStatus.CONFIRMED or outcome.read_back is None or time.monotonic() + READ_BACK_PERIOD > end:
                return outcome
            await asyncio.sleep(READ_BACK_PERIOD)

    async def _read_type(self, tag: Tag, node: ua.NodeId) -> ua.VariantType:
        with speaking_of(f"a read of the type of {tag.name}"):
            (data_type,) = await self._connection.read([node], ua.AttributeIds.DataType)
            (value,) = await self._connection.read([node])
        self._types[tag.id] = exact_type(data_type, value, tag.data_type)
        return self._types[tag.id]

    async def _send(self, node: ua.NodeId, variant: ua.Variant) -> WriteOutcome | None:
        """``None`` when the server took it."""
        # Many servers refuse a write that bears a status or a time: BadWriteNotSupported.
        request = ua.WriteValue(NodeId=node, AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(variant, StatusCode=None))
        begun = time.perf_counter()
        try:
            with speaking_of("the write"):
                (status,) = await self._connection.services.write(ua.WriteParameters(NodesToWrite=[request]))
        except asyncio.CancelledError:
            self._connection.drop()
            raise
        except (DeviceUnreachable, DeviceProtocolError) as error:
            self._metrics.polled(result_of(error), time.perf_counter() - begun)
            refusal = error.__cause__
            # A code of the channel is raised in every request that waits, and says nothing of this one.
            if not isinstance(refusal, ua.UaStatusCodeError) or not self._connection.is_open:
                self._connection.drop()
                return WriteOutcome(WriteStatus.UNKNOWN, f"{error}: it may have been written", Quality.BAD_TIMEOUT)
            quality = stored_form(refusal.code)
        else:
            self._metrics.polled("answered", time.perf_counter() - begun)
            quality = stored_form(status.value)
        if quality in _UNDECIDED:
            return WriteOutcome(WriteStatus.UNKNOWN, f"the server answered {quality_name(quality)}: it may have been written", quality)
        if is_bad(quality):
            return WriteOutcome(WriteStatus.REJECTED, f"the server refused the write: {quality_name(quality)}", quality)
        return None

    async def _confirm(self, tag: Tag, node: ua.NodeId, value: CommandValue, variant_type: ua.VariantType) -> WriteOutcome:
        try:
            with speaking_of("the read-back"):
                (answer,) = await self._connection.read([node])
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.ACCEPTED, f"the server took it, and there is no read-back: {error}", Quality.GOOD)
        quality = stored_form(answer.StatusCode.value) if answer.StatusCode is not None else Quality.GOOD
        read: CommandValue | None = text_of(answer.Value) if tag.data_type.is_text else number_of(answer.Value)
        if read is None or is_bad(quality):
            return WriteOutcome(WriteStatus.ACCEPTED, f"the server took it, and the read-back is {quality_name(quality)}", quality)
        if is_equal(value, read, variant_type):
            return WriteOutcome(WriteStatus.CONFIRMED, "written and read back", quality, read)
        return WriteOutcome(WriteStatus.ACCEPTED, f"the server took it, and the read-back shows {read!r}", quality, read)
