"""From the notifications of one publish response to columns. Pure.

Rules:

1. Quality is the StatusCode that was sent; a Good one over a value that the tag cannot hold becomes ``BAD_TYPE_MISMATCH``.
2. Time is the source's, else the server's, else that of receipt: a server that gives no time is believed to be reporting what is.
3. A text with bytes that are no UTF-8, or with a NUL, is ``BAD_DECODING_ERROR``; U+FFFD stands for what was there. No store holds them.
4. The value of a Bad sample is what was received; NaN (text: empty) where that was nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from asyncua import ua

from plant import times
from plant.batch import Batch, SampleBatch, TextBatch
from plant.quality import Quality, is_bad, stored_form
from plant.tag import Tag

_OVERFLOW: Final = 0x0480
_INFORMATION: Final = 0x0C80
"""Information bits: type DataValue (bit 10 of 10 and 11) with Overflow (bit 7). Source: OPC UA Part 4, 7.39.1."""

_UNREADABLE: Final = re.compile("[\0\ud800-\udfff]")
"""NUL, and the lone surrogates that the library puts for bytes that are no UTF-8."""

_FIRST_TIME: Final = -11_644_473_600_000_000
_LAST_TIME: Final = 253_402_300_799_000_000
"""1601-01-01 and 9999-12-31T23:59:59: the ends of a DateTime, which mean that there is no time. Source: OPC UA Part 6, 5.2.2.5."""


@dataclass(frozen=True, slots=True)
class HandleTable:
    """What a client handle stands for: the position in these columns. ``tag_id`` and ``is_text`` have one entry a tag."""

    tag_id: Sequence[int]
    is_text: Sequence[bool]

    @staticmethod
    def of(tags: Sequence[Tag]) -> "HandleTable":
        return HandleTable([tag.id for tag in tags], [tag.data_type.is_text for tag in tags])


@dataclass(frozen=True, slots=True)
class Decoded:
    """``batches`` holds at most one of each kind and none that is empty; ``overflows`` counts samples flagged Overflow, ``strangers`` handles nobody gave."""

    batches: Sequence[Batch]
    overflows: int = 0
    strangers: int = 0


def decode(items: Iterable[ua.MonitoredItemNotification], table: HandleTable, received: int) -> Decoded:
    """Samples in the order of ``items``. ``received`` is UTC microseconds."""
    numbers: list[tuple[int, int, float, int]] = []
    texts: list[tuple[int, int, str, int]] = []
    overflows = strangers = 0
    for item in items:
        handle = item.ClientHandle
        if handle >= len(table.tag_id):
            strangers += 1
            continue
        data = item.Value
        code = data.StatusCode.value if data.StatusCode is not None else 0
        overflows += code & _INFORMATION == _OVERFLOW
        quality = stored_form(code)
        time = sample_time(data, received)
        if table.is_text[handle]:
            text = text_of(data.Value)
            texts.append((table.tag_id[handle], time, text or "", _mended_text(quality, text)))
        else:
            number = number_of(data.Value)
            numbers.append((table.tag_id[handle], time, np.nan if number is None else number, _mended(quality, number is None)))
    return Decoded(_batches(numbers, texts), overflows, strangers)


def refusals(qualities: Mapping[int, int], table: HandleTable, now: int) -> Sequence[Batch]:
    """One sample without a value for each handle of ``qualities`` (handle -> stored quality), at ``now``, UTC microseconds."""
    return _batches(
        [(table.tag_id[handle], now, np.nan, quality) for handle, quality in qualities.items() if not table.is_text[handle]],
        [(table.tag_id[handle], now, "", quality) for handle, quality in qualities.items() if table.is_text[handle]],
    )


def sample_time(data: ua.DataValue, received: int) -> int:
    """UTC microseconds, exact."""
    for moment in (data.SourceTimestamp, data.ServerTimestamp):
        if isinstance(moment, datetime):
            time = times.from_datetime(moment)
            if _FIRST_TIME < time < _LAST_TIME:
                return time
    return received


def number_of(variant: ua.Variant | None) -> float | None:
    """A Boolean, integer, floating or enumerated scalar; ``None`` for anything else."""
    value = _scalar(variant)
    return float(value) if isinstance(value, (int, float)) else None


def text_of(variant: ua.Variant | None) -> str | None:
    """A String or LocalizedText scalar, the null String being empty; ``None`` for anything else."""
    value = _scalar(variant)
    if isinstance(value, ua.LocalizedText):
        value = value.Text or ""
    if value is None and variant is not None and variant.VariantType is ua.VariantType.String and not variant.is_array:
        return ""
    return _UNREADABLE.sub("\ufffd", value) if isinstance(value, str) else None


def _scalar(variant: ua.Variant | None) -> Any:
    return None if variant is None or variant.is_array else variant.Value


def _mended(quality: int, lacks_value: bool) -> int:
    return Quality.BAD_TYPE_MISMATCH if lacks_value and not is_bad(quality) else quality


def _mended_text(quality: int, text: str | None) -> int:
    if text is not None and "\ufffd" in text and not is_bad(quality):
        return Quality.BAD_DECODING_ERROR
    return _mended(quality, text is None)


def _batches(numbers: Sequence[tuple[int, int, float, int]], texts: Sequence[tuple[int, int, str, int]]) -> Sequence[Batch]:
    batches: list[Batch] = []
    if numbers:
        tag_id, time, value, quality = zip(*numbers, strict=True)
        batches.append(SampleBatch(np.array(tag_id, np.int32), np.array(time, np.int64), np.array(value, np.float64), np.array(quality, np.int16)))
    if texts:
        batches.append(TextBatch.of(*zip(*texts, strict=True)))
    return batches
