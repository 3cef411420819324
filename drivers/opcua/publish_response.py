"""Notification messages from the bytes of the responses that bear them. Pure. Source: OPC UA Part 4, 5.14.5, 5.14.6 and 7.25 to 7.27; Part 6, 5.2."""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

from asyncua import ua

from drivers.opcua.binary_reader import DIAGNOSTIC_INFO, EXTENSION_OBJECT, STRING, BinaryReader, UnreadableResponse
from drivers.opcua.date_time import time_of
from drivers.opcua.decode import Decoded, HandleTable, decode, decode_columns
from drivers.opcua.item_columns import ItemColumns, read_items

_PUBLISH_RESPONSE: Final = 829
_REPUBLISH_RESPONSE: Final = 835
_DATA_CHANGE: Final = 811
_STATUS_CHANGE: Final = 820
"""Identifiers of the binary encodings. Source: OPC UA Part 6, Annex A (NodeIds.csv)."""

_SMALLEST_NOTIFICATION: Final = 3
_STATUS_CODE: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class NotificationMessage:
    """``publish_time`` in UTC microseconds. A keep-alive does not bear data, and uses up no sequence number."""

    sequence_number: int
    publish_time: int | None
    bears_data: bool
    ended: int | None
    """StatusCode, all 32 bits, of the last status change in the message: why the subscription ended. What came with it is in ``items`` nevertheless."""
    items: ItemColumns | Sequence[ua.MonitoredItemNotification]
    """Of all data changes in the message. Events are passed over."""


@dataclass(frozen=True, slots=True, eq=False)
class PublishResponse(NotificationMessage):
    subscription_id: int
    available_sequence_numbers: Sequence[int]
    more_notifications: bool


def read_publish_response(body: bytes) -> PublishResponse:
    """``body`` begins with the NodeId of its type, as the secure channel delivers it.

    Raises:
        ua.UaStatusCodeError: the service result is not Good.
        UnreadableResponse: a ValueError; the bytes are no PublishResponse, or end before it does.
    """
    reader = BinaryReader(body)
    _read_header(reader, _PUBLISH_RESPONSE)
    subscription_id = reader.uint32()
    available = reader.unpack(Struct(f"<{reader.length(4)}I"))
    more = reader.byte() != 0
    message = _read_message(reader)
    reader.skip(_STATUS_CODE * reader.length(_STATUS_CODE))
    reader.skip_array(DIAGNOSTIC_INFO)
    return PublishResponse(message.sequence_number, message.publish_time, message.bears_data, message.ended, message.items, subscription_id, available, more)


def read_republish_response(body: bytes) -> NotificationMessage:
    """As ``read_publish_response``."""
    reader = BinaryReader(body)
    _read_header(reader, _REPUBLISH_RESPONSE)
    return _read_message(reader)


def decode_notifications(message: NotificationMessage, table: HandleTable, received: int) -> Decoded:
    """Samples in the order of the message. ``received`` is UTC microseconds."""
    items = message.items
    return decode_columns(items, table, received) if isinstance(items, ItemColumns) else decode(items, table, received)


def _read_header(reader: BinaryReader, wanted: int) -> None:
    """Type and ResponseHeader. Source: OPC UA Part 4, 7.33."""
    kind = reader.node_id()
    if kind != wanted:
        raise UnreadableResponse(f"the answer has type {kind}, and type {wanted} was asked for")
    reader.skip(12)
    ua.StatusCode(ua.UInt32(reader.uint32())).check()
    reader.skip_value(DIAGNOSTIC_INFO)
    reader.skip_array(STRING)
    reader.skip_value(EXTENSION_OBJECT)


def _read_message(reader: BinaryReader) -> NotificationMessage:
    sequence_number = reader.uint32()
    publish_time = time_of(reader.int64())
    count = reader.length(_SMALLEST_NOTIFICATION)
    parts: list[ItemColumns] = []
    ended: int | None = None
    for _ in range(count):
        found = _read_notification(reader)
        if isinstance(found, ItemColumns):
            parts.append(found)
        elif found is not None:
            ended = found
    return NotificationMessage(sequence_number, publish_time, count > 0, ended, ItemColumns.concatenate(parts))


def _read_notification(reader: BinaryReader) -> ItemColumns | int | None:
    """Items, the StatusCode of a status change, or nothing that is used here."""
    begin = reader.position
    kind = reader.node_id()
    if kind not in (_DATA_CHANGE, _STATUS_CHANGE):
        reader.position = begin
        reader.skip_value(EXTENSION_OBJECT)
        return None
    form = reader.byte()
    if form != 1:
        raise UnreadableResponse(f"a notification without a binary body at byte {reader.position - 1}")
    body = reader.part()
    if kind == _STATUS_CHANGE:
        status = body.uint32()
        body.skip_value(DIAGNOSTIC_INFO)
        return status
    items = read_items(body)
    body.skip_array(DIAGNOSTIC_INFO)
    if body.left:
        raise UnreadableResponse(f"{body.left} bytes are left of a notification that ends at byte {body.position}")
    return items
