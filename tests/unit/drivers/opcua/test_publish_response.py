"""Publish responses to columns: what the library's decoder and ``decode`` make of the same bytes, and nothing but a clean error from any others."""

import struct
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import product
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.opcua import library_response
from drivers.opcua.binary_reader import UnreadableResponse
from drivers.opcua.decode import Decoded, HandleTable, decode
from drivers.opcua.publish_response import decode_notifications, read_publish_response, read_republish_response
from plant.batch import SampleBatch, TextBatch
from plant.quality import Quality

RECEIVED = 1_795_000_000_000_001
HANDLES = 40
TABLE = HandleTable(np.arange(1000, 1000 + HANDLES, dtype=np.int32), np.arange(HANDLES) % 5 == 4, frozenset(range(3, HANDLES, 3)))
"""Every fifth tag is a text, and every third an element of an array."""
NOON = datetime(2026, 11, 23, 12, 0, 0, 123_457, UTC)
VT = ua.VariantType
UA: Any = ua
"""The library takes more than it says."""


class Mode(IntEnum):
    MANUAL = 0
    AUTOMATIC = 1


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1)


def text_with_faults() -> st.SearchStrategy[str]:
    return st.sampled_from(["", "LOT-4711", "20 °C", "20 \udcb0C", "LOT\0", "x" * 300])


NUMBERS: dict[ua.VariantType, st.SearchStrategy[object]] = {
    VT.Boolean: st.booleans(),
    VT.SByte: integers(8, signed=True),
    VT.Byte: integers(8, signed=False),
    VT.Int16: integers(16, signed=True),
    VT.UInt16: integers(16, signed=False),
    VT.Int32: integers(32, signed=True) | st.sampled_from(Mode),
    VT.UInt32: integers(32, signed=False),
    VT.Int64: integers(64, signed=True) | st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1]),
    VT.UInt64: integers(64, signed=False) | st.just(2**64 - 1),
    VT.Float: st.floats(width=32),
    VT.Double: st.floats(),
}
OTHERS: dict[ua.VariantType, st.SearchStrategy[object]] = {
    VT.String: text_with_faults() | st.none(),
    VT.DateTime: st.just(NOON),
    VT.Guid: st.just(uuid.UUID(int=1)),
    VT.ByteString: st.binary(max_size=9) | st.none(),
    VT.NodeId: st.sampled_from([UA.NodeId(1, 0), UA.NodeId(70_000, 3), UA.NodeId("SEP", 2), UA.NodeId(b"SEP", 2), UA.NodeId(uuid.UUID(int=1), 2)]),
    VT.ExpandedNodeId: st.just(UA.ExpandedNodeId("SEP", 2, NamespaceUri="urn:test", ServerIndex=3)),
    VT.StatusCode: st.just(ua.StatusCode(ua.UInt32(0x80050000))),
    VT.QualifiedName: st.just(ua.QualifiedName("SEP", 2)),
    VT.LocalizedText: text_with_faults().map(lambda text: ua.LocalizedText(text, "en")) | st.just(ua.LocalizedText(None, "en")) | st.just(ua.LocalizedText()),
    VT.ExtensionObject: st.sampled_from([ua.Range(Low=1.0, High=2.0), UA.ExtensionObject(UA.NodeId(4711, 2), b"12345"), UA.ExtensionObject()]),
    VT.DataValue: st.just(UA.DataValue(ua.Variant([1.0, 2.0]), SourceTimestamp=NOON, ServerTimestamp=NOON)),
    VT.DiagnosticInfo: st.just(UA.DiagnosticInfo(SymbolicId=1, Locale=2, AdditionalInfo="x", InnerStatusCode=ua.StatusCode())),
}
ANY = NUMBERS | OTHERS


@st.composite
def variants(draw: st.DrawFn) -> ua.Variant | None:
    kind = draw(st.sampled_from(["number", "number", "number", "other", "array", "matrix", "variants", "null", "nothing", "nested"]))
    if kind == "nothing":
        return None
    if kind == "null":
        return ua.Variant()
    if kind == "variants":
        return ua.Variant([ua.Variant(1.0), ua.Variant("a"), ua.Variant([1, 2], VT.Int16)], VT.Variant)
    if kind == "matrix":
        return ua.Variant([[1.0, 2.0], [3.0, 4.0]])
    variant_type = draw(st.sampled_from(list(NUMBERS if kind in {"number", "nested"} else OTHERS if kind == "other" else ANY)))
    if kind == "array":
        return ua.Variant(draw(st.lists(ANY[variant_type], max_size=3) | st.none()), variant_type, is_array=True)
    return ua.Variant(draw(ANY[variant_type]), variant_type)


def moments() -> st.SearchStrategy[datetime | None]:
    ends = [datetime(1601, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(1601, 1, 1, 0, 0, 0, 1, UTC)]
    return st.none() | st.sampled_from([NOON, *ends, ends[1] - timedelta(microseconds=1)])


@st.composite
def data_values(draw: st.DrawFn) -> ua.DataValue:
    code = draw(st.none() | st.sampled_from([0, 0x0480, 0x40900000, 0x80050000, 0x80050480, 0x002F0480, 0xFFFFFFFF, 0x0C80]))
    server = draw(moments())
    # The library puts the server's time before the picoseconds of the source, where the standard has it after them.
    picoseconds = draw(st.none() | st.just(4321)) if server is None else None
    value: ua.DataValue = UA.DataValue(
        draw(variants()),
        StatusCode=None if code is None else ua.StatusCode(ua.UInt32(code)),
        SourceTimestamp=draw(moments()),
        ServerTimestamp=server,
        SourcePicoseconds=picoseconds,
        ServerPicoseconds=draw(st.none() | st.just(1234)),
    )
    if draw(st.integers(0, 9)) == 0:
        value.Value = None
    return value


@st.composite
def items(draw: st.DrawFn) -> list[ua.MonitoredItemNotification]:
    """Some of them in runs."""
    found = []
    for value in draw(st.lists(data_values(), max_size=5)):
        handles = draw(st.sampled_from([1, 1, 2, 33, 70]).flatmap(lambda length: st.lists(st.integers(0, HANDLES + 1), min_size=length, max_size=length)))
        found += [ua.MonitoredItemNotification(ClientHandle=handle, Value=value) for handle in handles]
    return found


@st.composite
def responses(draw: st.DrawFn) -> ua.PublishResponse:
    response = ua.PublishResponse()
    response.ResponseHeader.StringTable = draw(st.lists(st.just("text"), max_size=2))
    response.ResponseHeader.ServiceDiagnostics = UA.DiagnosticInfo(SymbolicId=draw(st.none() | st.just(1)), AdditionalInfo=draw(st.none() | st.just("why")))
    result = response.Parameters
    result.SubscriptionId = draw(integers(32, signed=False))
    result.AvailableSequenceNumbers = draw(st.lists(integers(32, signed=False), max_size=3))
    result.MoreNotifications = draw(st.booleans())
    result.Results = [ua.StatusCode()] * draw(st.integers(0, 2))
    result.DiagnosticInfos = [UA.DiagnosticInfo(SymbolicId=1)] * draw(st.integers(0, 2))
    message = result.NotificationMessage
    message.SequenceNumber = draw(integers(32, signed=False))
    message.PublishTime = NOON
    for kind in draw(st.lists(st.sampled_from(["data", "data", "event", "status"]), max_size=3)):
        if kind == "data":
            message.NotificationData.append(ua.DataChangeNotification(draw(items()), [UA.DiagnosticInfo()] * draw(st.integers(0, 2))))
        elif kind == "event":
            message.NotificationData.append(ua.EventNotificationList([ua.EventFieldList(1, [ua.Variant("event")])]))
        else:
            message.NotificationData.append(ua.StatusChangeNotification(ua.StatusCode(ua.UInt32(0x800A0000)), UA.DiagnosticInfo(AdditionalInfo="why")))
    return response


def response_of(*notifications: Sequence[ua.MonitoredItemNotification]) -> ua.PublishResponse:
    response = ua.PublishResponse()
    response.Parameters.NotificationMessage.NotificationData = [ua.DataChangeNotification(list(items)) for items in notifications]
    return response


def item(handle: int, value: object, **fields: object) -> ua.MonitoredItemNotification:
    return ua.MonitoredItemNotification(ClientHandle=handle, Value=UA.DataValue(value if isinstance(value, ua.Variant) else ua.Variant(value), **fields))


def of_library(response: ua.PublishResponse) -> tuple[Decoded, int | None]:
    data = response.Parameters.NotificationMessage.NotificationData
    ended = [one.Status.value for one in data if isinstance(one, ua.StatusChangeNotification)]
    found = [item for one in data if isinstance(one, ua.DataChangeNotification) for item in one.MonitoredItems or []]
    return decode(found, TABLE, RECEIVED), ended[-1] if ended else None


def assert_same(ours: Decoded, theirs: Decoded) -> None:
    assert (ours.overflows, ours.strangers) == (theirs.overflows, theirs.strangers)
    assert [type(batch) for batch in ours.batches] == [type(batch) for batch in theirs.batches]
    for one, other in zip(ours.batches, theirs.batches, strict=True):
        for column in ("tag_id", "time", "quality"):
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column), column)
        if isinstance(one, SampleBatch) and isinstance(other, SampleBatch):
            np.testing.assert_array_equal(np.isnan(one.value), np.isnan(other.value))
            there = ~np.isnan(one.value)
            np.testing.assert_array_equal(one.value[there].view(np.int64), other.value[there].view(np.int64))
        else:
            assert one.value.tolist() == other.value.tolist()


def assert_read_alike(body: bytes, library: ua.PublishResponse) -> None:
    response = read_publish_response(body)
    parameters = library.Parameters
    message = parameters.NotificationMessage
    assert response.subscription_id == parameters.SubscriptionId
    assert list(response.available_sequence_numbers) == (parameters.AvailableSequenceNumbers or [])
    assert response.more_notifications == parameters.MoreNotifications
    assert response.sequence_number == message.SequenceNumber
    assert response.bears_data == bool(message.NotificationData)
    decoded, ended = of_library(library)
    assert response.ended == ended
    assert_same(decode_notifications(response, TABLE, RECEIVED), decoded)


@settings(max_examples=150, deadline=None)
@given(responses())
def test_any_response_reads_as_the_library_reads_it(response: ua.PublishResponse) -> None:
    body = struct_to_binary(response)
    assert_read_alike(body, struct_from_binary(ua.PublishResponse, Buffer(body)))


@settings(max_examples=50, deadline=None)
@given(responses())
def test_the_way_around_this_decoder_leads_to_the_same_batches(response: ua.PublishResponse) -> None:
    again = ua.RepublishResponse(NotificationMessage=response.Parameters.NotificationMessage)
    body, body_again = struct_to_binary(response), struct_to_binary(again)
    for one, other in (
        (read_publish_response(body), library_response.read_publish_response(body)),
        (read_republish_response(body_again), library_response.read_republish_response(body_again)),
    ):
        told = ("sequence_number", "bears_data", "ended", "subscription_id", "available_sequence_numbers", "more_notifications")
        assert [getattr(one, name, None) for name in told[:4]] == [getattr(other, name, None) for name in told[:4]]
        assert list(getattr(one, told[4], ())) == list(getattr(other, told[4], ()))
        assert getattr(one, told[5], None) == getattr(other, told[5], None)
        assert_same(decode_notifications(one, TABLE, RECEIVED), decode_notifications(other, TABLE, RECEIVED))


@settings(max_examples=20, deadline=None)
@given(responses())
def test_a_notification_that_is_sent_again_reads_alike(response: ua.PublishResponse) -> None:
    again = ua.RepublishResponse(NotificationMessage=response.Parameters.NotificationMessage)
    message, first = read_republish_response(struct_to_binary(again)), read_publish_response(struct_to_binary(response))
    assert (message.sequence_number, message.publish_time, message.bears_data, message.ended) == (
        first.sequence_number,
        first.publish_time,
        first.bears_data,
        first.ended,
    )
    assert_same(decode_notifications(message, TABLE, RECEIVED), decode_notifications(first, TABLE, RECEIVED))


@settings(max_examples=12, deadline=None)
@given(responses())
def test_a_response_that_is_cut_short_is_unreadable(response: ua.PublishResponse) -> None:
    body = struct_to_binary(response)
    for length in range(0, len(body), 1 + len(body) // 400):
        with pytest.raises(UnreadableResponse):
            read_publish_response(body[:length])


def test_a_response_cut_at_any_byte_is_unreadable() -> None:
    variety = [item(1, 1.5, SourceTimestamp=NOON), item(2, "LOT"), item(3, [1, 2]), item(4, ua.LocalizedText("a", "b")), item(5, True, StatusCode=None)]
    body = struct_to_binary(response_of([*variety, *(item(6, float(number)) for number in range(40))], variety))
    for length in range(len(body)):
        with pytest.raises(UnreadableResponse):
            read_publish_response(body[:length])
    assert len(read_publish_response(body).items) == 50


def strays_from_the_standard(response: ua.PublishResponse) -> bool:
    """Whether the library reads parts of the response otherwise than OPC UA Part 6 has them."""
    for one in response.Parameters.NotificationMessage.NotificationData:
        for found in one.MonitoredItems or [] if isinstance(one, ua.DataChangeNotification) else []:
            value = found.Value
            if value.SourcePicoseconds is not None and value.ServerTimestamp is not None:
                return True
            if value.Value is not None and value.Value.VariantType is VT.ExtensionObject:
                return True
    return False


@settings(max_examples=300, deadline=None)
@given(responses(), st.data())
def test_changed_bytes_are_unreadable_or_what_they_say(response: ua.PublishResponse, data: st.DataObject) -> None:
    body = bytearray(struct_to_binary(response))
    header = len(struct_to_binary(response.ResponseHeader)) + 4
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1) | st.integers(header, len(body) - 1))
        body[place] = data.draw(st.sampled_from([0, 1, 3, 5, 7, 0x0B, 0x0C, 0x0F, 0x3F, 0x40, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    try:
        found = read_publish_response(bytes(body))
    except (UnreadableResponse, ua.UaStatusCodeError):
        return
    decode_notifications(found, TABLE, RECEIVED)
    if body[:header] != struct_to_binary(response)[:header] or 0x80 in body or 0xC0 in body:
        return  # The library would make an array of nothing as long as four bytes say.
    try:
        library = struct_from_binary(ua.PublishResponse, Buffer(bytes(body)))
        decoded, ended = of_library(library)
    except (ua.UaError, struct.error, ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
        return
    if strays_from_the_standard(library):
        return
    assert found.ended == ended
    assert_same(decode_notifications(found, TABLE, RECEIVED), decoded)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_response_or_unreadable(rest: bytes) -> None:
    for body in (rest, b"\x01\x00\x3d\x03" + rest):
        try:
            read_publish_response(body)
        except (UnreadableResponse, ua.UaStatusCodeError):
            continue


def test_every_mask_is_read_in_the_order_of_the_standard() -> None:
    """The library has another order where both the picoseconds of the source and the server's time are there, so the bytes are made here."""
    tick = 10
    epoch = 11_644_473_600_000_000
    fields = [(0x02, struct.pack("<I", 0x40900480)), (0x04, struct.pack("<q", (RECEIVED + 5 + epoch) * tick)), (0x10, b"\x11\x11")]
    fields += [(0x08, struct.pack("<q", (RECEIVED + 7 + epoch) * tick)), (0x20, b"\x22\x22")]
    for mask, kind in product(range(64), [b"\x0b" + struct.pack("<d", 2.5), b"\x0c\x01\x00\x00\x00a", b"\x86\x01\x00\x00\x00\x01\x00\x00\x00"]):
        value = bytes([mask]) + (kind if mask & 1 else b"") + b"".join(data for bit, data in fields if mask & bit)
        body = response_around([b"\x07\x00\x00\x00" + value] * 2)
        [batch] = decode_notifications(read_publish_response(body), TABLE, RECEIVED).batches
        is_number = mask & 1 and kind[0] == 0x0B
        quality = (Quality.UNCERTAIN_LAST_USABLE_VALUE if mask & 2 else Quality.GOOD) if is_number else Quality.BAD_TYPE_MISMATCH
        assert batch.time.tolist() == [RECEIVED + 5 if mask & 4 else RECEIVED + 7 if mask & 8 else RECEIVED] * 2
        assert batch.quality.tolist() == [quality] * 2
        np.testing.assert_array_equal(np.array(batch.value, np.float64), [2.5 if is_number else np.nan] * 2)


def response_around(items: Sequence[bytes], count: int | None = None) -> bytes:
    """A response with these items as they are."""
    body = struct.pack("<i", len(items) if count is None else count) + b"".join(items) + b"\xff\xff\xff\xff"
    notification = b"\x01\x00\x2b\x03\x01" + struct.pack("<i", len(body)) + body
    header = b"\x01\x00\x3d\x03" + bytes(16) + b"\x00\xff\xff\xff\xff\x00\x00\x00"
    return header + struct.pack("<IiBIqi", 1, -1, 0, 1, 0, 1) + notification + b"\xff\xff\xff\xff" * 2


def test_a_keep_alive_bears_nothing() -> None:
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = 7
    response.Parameters.NotificationMessage.SequenceNumber = 12
    for data in (list[Any](), None):
        response.Parameters.NotificationMessage.NotificationData = data
        found = read_publish_response(struct_to_binary(response))
        assert (found.subscription_id, found.sequence_number, found.bears_data, found.ended, len(found.items)) == (7, 12, False, None, 0)
        assert decode_notifications(found, TABLE, RECEIVED).batches == []


def test_what_came_with_the_end_of_a_subscription_is_not_lost() -> None:
    response = response_of([item(1, 1.0)])
    response.Parameters.NotificationMessage.NotificationData.append(ua.StatusChangeNotification(ua.StatusCode(ua.UInt32(0x800A0000))))
    found = read_publish_response(struct_to_binary(response))
    assert found.ended == 0x800A0000
    assert len(found.items) == 1


def test_a_bad_service_result_is_raised_whatever_follows() -> None:
    response = ua.PublishResponse()
    response.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(ua.StatusCodes.BadTooManyPublishRequests))
    with pytest.raises(ua.uaerrors.BadTooManyPublishRequests):
        read_publish_response(struct_to_binary(response)[:40])


def test_another_response_is_not_taken_for_this_one() -> None:
    with pytest.raises(UnreadableResponse, match="835"):
        read_publish_response(struct_to_binary(ua.RepublishResponse()))


@pytest.mark.parametrize("count", [2**31 - 1, 1000, 3, -2])
def test_more_items_than_there_are_bytes_for_are_unreadable(count: int) -> None:
    with pytest.raises(UnreadableResponse):
        read_publish_response(response_around([b"\x07\x00\x00\x00\x01\x0b" + bytes(8)], count))


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(b"\x80\xff\xff\xff\x7f", id="an array of two thousand million nothings"),
        pytest.param(b"\xcb\x00\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\x7f\xff\xff\xff\x7f", id="dimensions beyond all measure"),
        pytest.param(b"\x18\x18\x18\x86\x01\x00\x00\x00\x01\x00\x00\x00", id="an array in variants in each other"),
        pytest.param(b"\x1e\x03\x00\x00\x00abc", id="a type that is not yet defined"),
        pytest.param(b"\x16\x00\x00\x02\x03\x00\x00\x00abc", id="a structure in XML"),
        pytest.param(b"\x16\x00\x00\x01\xff\xff\xff\xff", id="a structure without bytes"),
        pytest.param(b"\x19\x40\x40\x01\x00\x00\x00\x00", id="diagnostics in each other"),
    ],
)
def test_what_no_tag_holds_is_passed_over_and_costs_no_other_item(variant: bytes) -> None:
    odd, plain = b"\x00\x00\x00\x00\x01" + variant, b"\x01\x00\x00\x00\x01\x03\x09"
    [batch] = decode_notifications(read_publish_response(response_around([plain, odd, plain])), TABLE, RECEIVED).batches
    assert batch.tag_id.tolist() == [1001, 1000, 1001]
    assert batch.quality.tolist() == [Quality.GOOD, Quality.BAD_TYPE_MISMATCH, Quality.GOOD]


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(b"\x4b" + bytes(12), id="dimensions of a scalar"),
        pytest.param(b"\x0c\xfe\xff\xff\xff", id="a text of a negative length"),
        pytest.param(b"\x8b\xff\xff\xff\x7f", id="an array longer than the response"),
        pytest.param(b"\x98\xff\xff\xff\x7f", id="an array of variants longer than the response"),
        pytest.param(b"\x98\x01\x00\x00\x00" * 5000 + b"\x01\x01", id="arrays in each other without end"),
        pytest.param(b"\x17\x01" * 5000 + b"\x01\x01", id="data values in each other without end"),
        pytest.param(b"\x11\x09", id="a node identifier of no form"),
        pytest.param(b"\x16\x00\x00\x07", id="a structure whose body has no form"),
    ],
)
def test_what_cannot_be_is_unreadable(variant: bytes) -> None:
    with pytest.raises(UnreadableResponse):
        read_publish_response(response_around([b"\x00\x00\x00\x00\x01" + variant]))


@pytest.mark.parametrize("cut", range(1, 14))
@pytest.mark.parametrize("items", [1, 2, 40])
def test_an_item_that_leaves_its_notification_is_unreadable(items: int, cut: int) -> None:
    """Though the response goes on behind it."""
    body = bytearray(response_around([b"\x07\x00\x00\x00\x01\x0b" + bytes(8)] * items))
    place = body.index(struct.pack("<i", items), body.index(b"\x2b\x03")) - 4
    (length,) = struct.unpack_from("<i", body, place)
    struct.pack_into("<i", body, place, length - 4 - cut)
    with pytest.raises(UnreadableResponse):
        read_publish_response(bytes(body) + bytes(100))


def test_bits_of_a_mask_that_are_not_defined_say_nothing() -> None:
    plain = b"\x01\x00\x00\x00\xc1\x0b" + struct.pack("<d", 1.5)
    [batch] = decode_notifications(read_publish_response(response_around([plain] * 40)), TABLE, RECEIVED).batches
    assert batch.value.tolist() == [1.5] * 40


def test_a_run_stops_where_the_next_layout_begins() -> None:
    """Also where the bytes of other items look like an item of the run at the places where one would be."""
    mixed = [item(number % 4, float(number)) for number in range(33)] + [item(1, True)] + [item(2, float(number)) for number in range(50)] + [item(4, "a")]
    body = struct_to_binary(response_of(mixed, mixed[::-1], []))
    assert_read_alike(body, struct_from_binary(ua.PublishResponse, Buffer(body)))
    numbers, texts = decode_notifications(read_publish_response(body), TABLE, RECEIVED).batches
    assert isinstance(texts, TextBatch)
    assert (len(numbers), len(texts)) == (168, 2)
