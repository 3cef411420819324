"""One write and its read-back.

Rule: it is sent once, and what is not known to have failed may have been done (``sent_once``). Where the server's answer leaves that open and the session
goes on, it is read back all the same: that may confirm it, and is never a reason to send it again. A tag that is a method is called instead.
"""

import asyncio
import time

from asyncua import ua

from drivers.opcua.connection import Connection
from drivers.opcua.decode import number_of, text_of
from drivers.opcua.link_errors import speaking_of
from drivers.opcua.method_caller import MethodCaller
from drivers.opcua.node_directory import NodeDirectory
from drivers.opcua.sent_once import refusal_of, sent_once, unreadable
from drivers.opcua.value_type import Unwritable, exact_type, is_equal, variant_of
from drivers.session import READ_BACK_PERIOD, READ_BACK_WITHIN, WriteAttempt, WriteOutcome, WriteStatus
from plant.command import CommandValue
from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import Quality, is_bad, is_good, quality_name, stored_form
from plant.tag import Tag


class Writer:
    """Writes to the nodes of a device. The type of a node is read at its first write, and again after the server called it wrong."""

    def __init__(self, connection: Connection, directory: NodeDirectory) -> None:
        self._connection = connection
        self._directory = directory
        self._types: dict[int, ua.VariantType] = {}
        self._caller = MethodCaller(connection)

    async def write(self, tag: Tag, value: CommandValue, attempt: WriteAttempt) -> WriteOutcome:
        """Never raises for the link's sake; each exchange is answered within the device's time-out."""
        node = self._directory.find(tag)
        if isinstance(node, Quality):
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: the server has no node for {tag.name} ({node.symbol})", node)
        owner = self._directory.find_object(tag)
        if isinstance(owner, Quality):
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was called: the server has no node for the object of {tag.name} ({owner.symbol})", owner)
        if owner is not None:
            return await self._caller.call(owner, node, value, attempt)
        try:
            variant_type = self._types.get(tag.id) or await self._read_type(tag, node)
            variant = variant_of(value, variant_type)
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {error}", Quality.BAD_NOT_CONNECTED)
        except Unwritable as error:
            return WriteOutcome(WriteStatus.NOT_SENT, f"nothing was written: {error}", Quality.BAD_TYPE_MISMATCH)
        if not self._connection.is_open:
            return WriteOutcome(WriteStatus.NOT_SENT, "nothing was written: the connection is closed", Quality.BAD_NOT_CONNECTED)
        place = self._directory.value_of(tag, node)
        failed = await self._send(place, variant, attempt)
        if failed is None:
            attempt.is_taken()
            return await self._read_back(tag, place, value, variant_type)
        if failed.quality == Quality.BAD_TYPE_MISMATCH:
            self._types.pop(tag.id, None)
        if failed.status is not WriteStatus.UNKNOWN or not self._connection.is_open:
            return failed
        attempt.outcome = failed
        return failed.seen_as(await self._read_back(tag, place, value, variant_type))

    async def _read_back(self, tag: Tag, place: ua.ReadValueId, value: CommandValue, variant_type: ua.VariantType) -> WriteOutcome:
        """Again and again for a second: many devices show a value only after a scan of their own."""
        end = time.monotonic() + READ_BACK_WITHIN
        while True:
            outcome = await self._confirm(tag, place, value, variant_type)
            if outcome.status is WriteStatus.CONFIRMED or outcome.read_back is None or time.monotonic() + READ_BACK_PERIOD > end:
                return outcome
            await asyncio.sleep(READ_BACK_PERIOD)

    async def _read_type(self, tag: Tag, node: ua.NodeId) -> ua.VariantType:
        place = self._directory.value_of(tag, node)
        with speaking_of(f"a read of the type of {tag.name}"):
            (data_type,) = await self._connection.read([node], ua.AttributeIds.DataType)
            (value,) = await self._connection.read_places([place])
        if place.IndexRange and value.Value is not None and not _is_of_one(value.Value.Value):
            # It knows no index ranges, and would take the one element for a new array.
            raise Unwritable("the server gives the whole array for one element of it, and would write the element over the whole: write to another node")
        self._types[tag.id] = exact_type(data_type, value, tag.data_type)
        return self._types[tag.id]

    async def _send(self, place: ua.ReadValueId, variant: ua.Variant, attempt: WriteAttempt) -> WriteOutcome | None:
        """``None`` when the server took it."""
        if place.IndexRange:
            variant = ua.Variant([variant.Value], variant.VariantType)
        # Many servers refuse a write that bears a status or a time: BadWriteNotSupported.
        request = ua.WriteValue(NodeId=place.NodeId, AttributeId=place.AttributeId, IndexRange=place.IndexRange, Value=ua.DataValue(variant, StatusCode=None))
        attempt.leaves()
        sent = await sent_once(self._connection, "the write", lambda: self._connection.services.write(ua.WriteParameters(NodesToWrite=[request])))
        if isinstance(sent, WriteOutcome):
            return sent
        return refusal_of(stored_form(sent[0].value), "the write") if len(sent) == 1 else unreadable("the write")

    async def _confirm(self, tag: Tag, place: ua.ReadValueId, value: CommandValue, variant_type: ua.VariantType) -> WriteOutcome:
        try:
            with speaking_of("the read-back"):
                (answer,) = await self._connection.read_places([place])
        except (DeviceUnreachable, DeviceProtocolError) as error:
            return WriteOutcome(WriteStatus.ACCEPTED, f"the server took it, and there is no read-back: {error}", Quality.GOOD)
        quality = stored_form(answer.StatusCode.value) if answer.StatusCode is not None else Quality.GOOD
        is_element = place.IndexRange is not None
        read: CommandValue | None = text_of(answer.Value, is_element=is_element) if tag.data_type.is_text else number_of(answer.Value, is_element=is_element)
        if read is None or is_bad(quality):
            return WriteOutcome(WriteStatus.ACCEPTED, f"the server took it, and the read-back is {quality_name(quality)}", quality)
        if is_equal(value, read, variant_type) and is_good(quality):
            return WriteOutcome(WriteStatus.CONFIRMED, "written and read back", quality, read)
        return WriteOutcome(WriteStatus.ACCEPTED, f"the server took it, and the read-back shows {read!r} ({quality_name(quality)})", quality, read)


def _is_of_one(value: object) -> bool:
    return isinstance(value, list) and len(value) == 1
