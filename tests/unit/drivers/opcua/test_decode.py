"""Notifications to columns."""

import math
from datetime import UTC
from enum import IntEnum

import numpy as np
import pytest
from asyncua import ua

from drivers.opcua.decode import Decoded, HandleTable, decode, number_of, refusals, sample_time, text_of
from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.quality import Quality

RECEIVED = 1_795_000_000_000_001
TABLE = HandleTable(np.array([70, 80, 90], np.int32), np.array([False, True, False]))


def item(
    handle: int, variant: ua.Variant | None, code: int = 0, source: ua.DateTime | None = None, server: ua.DateTime | None = None
) -> ua.MonitoredItemNotification:
    value = ua.DataValue(variant, StatusCode=ua.StatusCode(ua.UInt32(code)), SourceTimestamp=source, ServerTimestamp=server)
    return ua.MonitoredItemNotification(ClientHandle=handle, Value=value)


def test_numbers_and_texts_part_and_keep_their_order() -> None:
    decoded = decode(
        [item(2, ua.Variant(1.5)), item(1, ua.Variant("a")), item(0, ua.Variant(True)), item(2, ua.Variant(2.5)), item(1, ua.Variant("b"))], TABLE, RECEIVED
    )
    numbers, texts = decoded.batches
    assert isinstance(numbers, SampleBatch)
    assert isinstance(texts, TextBatch)
    assert (numbers.tag_id.tolist(), numbers.value.tolist()) == ([90, 70, 90], [1.5, 1.0, 2.5])
    assert (texts.tag_id.tolist(), texts.value.tolist()) == ([80, 80], ["a", "b"])
    assert set(numbers.time.tolist()) == {RECEIVED}


def test_nothing_is_no_batch() -> None:
    assert decode([], TABLE, RECEIVED) == Decoded([])
    assert refusals({}, TABLE, RECEIVED) == []


def test_a_handle_that_nobody_gave_is_counted_and_passed_over() -> None:
    decoded = decode([item(3, ua.Variant(1.0)), item(0, ua.Variant(2.0))], TABLE, RECEIVED)
    assert decoded.strangers == 1
    assert [batch.tag_id.tolist() for batch in decoded.batches] == [[70]]


@pytest.mark.parametrize(
    ("code", "overflows"),
    [(0x0480, 1), (0x80050480, 1), (0x0400, 0), (0x0080, 0), (0x0C80, 0), (0x0580, 1), (0, 0)],
)
def test_overflow_is_counted_and_is_no_part_of_the_quality(code: int, overflows: int) -> None:
    decoded = decode([item(0, ua.Variant(1.0), code)], TABLE, RECEIVED)
    assert decoded.overflows == overflows
    assert decoded.batches[0].quality.tolist() == [np.int16(np.uint16(code >> 16))]


@pytest.mark.parametrize(
    ("variant", "code", "value", "quality"),
    [
        (ua.Variant(1.0), 0x80050000, 1.0, Quality.BAD_COMMUNICATION_ERROR),
        (ua.Variant(), 0x80050000, math.nan, Quality.BAD_COMMUNICATION_ERROR),
        (None, 0x80050000, math.nan, Quality.BAD_COMMUNICATION_ERROR),
        (ua.Variant(), 0, math.nan, Quality.BAD_TYPE_MISMATCH),
        (ua.Variant(), 0x40900000, math.nan, Quality.BAD_TYPE_MISMATCH),
        (ua.Variant([1.0]), 0, math.nan, Quality.BAD_TYPE_MISMATCH),
        (ua.Variant("1"), 0, math.nan, Quality.BAD_TYPE_MISMATCH),
        (ua.Variant(ua.DateTime(2026, 1, 1, tzinfo=UTC)), 0, math.nan, Quality.BAD_TYPE_MISMATCH),
    ],
)
def test_what_a_number_cannot_hold_is_bad(variant: ua.Variant | None, code: int, value: float, quality: int) -> None:
    (batch,) = decode([item(0, variant, code)], TABLE, RECEIVED).batches
    np.testing.assert_array_equal(np.array(batch.value, np.float64), [value])
    assert batch.quality.tolist() == [quality]


@pytest.mark.parametrize(
    ("variant", "value", "quality"),
    [
        (ua.Variant("a"), "a", 0),
        (ua.Variant(ua.LocalizedText("b", "en")), "b", 0),
        (ua.Variant("20 \udcb0C"), "20 \ufffdC", Quality.BAD_DECODING_ERROR),
        (ua.Variant(ua.LocalizedText("LOT\0", "en")), "LOT\ufffd", Quality.BAD_DECODING_ERROR),
        (ua.Variant(None, ua.VariantType.String), "", 0),
        (ua.Variant(), "", Quality.BAD_TYPE_MISMATCH),
        (ua.Variant(1.0), "", Quality.BAD_TYPE_MISMATCH),
        (ua.Variant(["a"]), "", Quality.BAD_TYPE_MISMATCH),
    ],
)
def test_what_a_text_cannot_hold_is_bad(variant: ua.Variant, value: str, quality: int) -> None:
    (batch,) = decode([item(1, variant)], TABLE, RECEIVED).batches
    assert (batch.value.tolist(), batch.quality.tolist()) == ([value], [quality])


class Mode(IntEnum):
    MANUAL = 0
    AUTOMATIC = 1


@pytest.mark.parametrize(
    ("variant", "number"),
    [
        (ua.Variant(True), 1.0),
        (ua.Variant(Mode.AUTOMATIC, ua.VariantType.Int32), 1.0),
        (ua.Variant(2**53, ua.VariantType.Int64), 2.0**53),
        (ua.Variant(-128, ua.VariantType.SByte), -128.0),
        (ua.Variant(math.inf), math.inf),
        (None, None),
    ],
)
def test_scalars_are_numbers(variant: ua.Variant | None, number: float | None) -> None:
    assert number_of(variant) == number
    assert text_of(variant) is None


def test_times_are_exact_and_the_source_comes_first() -> None:
    source, server = ua.DateTime(2026, 11, 23, 4, 0, 0, 123_457, UTC), ua.DateTime(2026, 11, 23, 4, 0, 1, 999_999, UTC)
    both = ua.DataValue(ua.Variant(1.0), SourceTimestamp=source, ServerTimestamp=server)
    assert sample_time(both, RECEIVED) == times.from_datetime(source)
    assert sample_time(ua.DataValue(ua.Variant(1.0), SourceTimestamp=source.replace(tzinfo=None)), RECEIVED) == times.from_datetime(source)
    assert sample_time(ua.DataValue(ua.Variant(1.0), ServerTimestamp=server), RECEIVED) == times.from_datetime(server)
    assert sample_time(ua.DataValue(ua.Variant(1.0)), RECEIVED) == RECEIVED


@pytest.mark.parametrize("end", [ua.DateTime(1601, 1, 1, tzinfo=UTC), ua.DateTime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_the_ends_of_a_date_time_are_no_time(end: ua.DateTime) -> None:
    assert sample_time(ua.DataValue(ua.Variant(1.0), SourceTimestamp=end), RECEIVED) == RECEIVED


def test_refusals_carry_the_reason_and_no_value() -> None:
    numbers, texts = refusals({0: Quality.BAD_NODE_ID_UNKNOWN, 1: Quality.BAD_NODE_ID_INVALID}, TABLE, RECEIVED)
    assert (numbers.tag_id.tolist(), numbers.time.tolist(), numbers.quality.tolist()) == ([70], [RECEIVED], [Quality.BAD_NODE_ID_UNKNOWN])
    assert isinstance(numbers, SampleBatch)
    assert np.isnan(numbers.value).all()
    assert (texts.tag_id.tolist(), texts.value.tolist(), texts.quality.tolist()) == ([80], [""], [Quality.BAD_NODE_ID_INVALID])
