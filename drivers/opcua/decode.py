"""From the notifications of one publish response to columns. Pure.

Rules:

1. Quality is the StatusCode that was sent; a Good one over a value that the tag cannot hold becomes ``BAD_TYPE_MISMATCH``.
2. Time is the source's, else the server's, else that of receipt: a server that gives no time is believed to be reporting what is.
3. A text with bytes that are no UTF-8, or with a NUL, is ``BAD_DECODING_ERROR``; U+FFFD stands for what was there. No store holds them.
4. A whole number that float64 does not hold exactly is Uncertain, ``UNCERTAIN_SENSOR_NOT_ACCURATE``: reduced accuracy.
5. The value of a Bad sample is what was received; NaN (text: empty) where that was nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from asyncua import ua

from drivers.opcua.date_time import FIRST_TIME, LAST_TIME, NO_TIME
from drivers.opcua.item_columns import ItemColumns
from drivers.opcua.item_layout import EXACT_BELOW
from plant import times
from plant.batch import Batch, Int32Column, Int64Column, SampleBatch, TextBatch
from plant.device import OpcuaAddress
from plant.quality import UNCERTAIN_FLOOR, Quality, is_bad, stored_form
from plant.tag import Tag

_OVERFLOW: Final = 0x0480
_INFORMATION: Final = 0x0C80
"""Information bits: type DataValue (bit 10 of 10 and 11) with Overflow (bit 7). Source: OPC UA Part 4, 7.39.1."""

_WIDE: Final = {ua.VariantType.Int64, ua.VariantType.UInt64}
_UNREADABLE: Final = re.compile("[\0\ud800-\udfff]")
"""NUL, and the lone surrogates that the library puts for bytes that are no UTF-8."""


@dataclass(frozen=True, slots=True, eq=False)
class HandleTable:
    """What a client handle stands for: the position in these columns, which have one entry a tag."""

    tag_id: Int32Column
    is_text: npt.NDArray[np.bool_]
    elements: Set[int] = frozenset()
    """Handles of tags that are one element of an array."""

    @staticmethod
    def of(tags: Sequence[Tag]) -> "HandleTable":
        elements = {handle for handle, tag in enumerate(tags) if isinstance(tag.source, OpcuaAddress) and tag.source.index is not None}
        return HandleTable(np.array([tag.id for tag in tags], np.int32), np.array([tag.data_type.is_text for tag in tags], np.bool_), elements)


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
    tag_id, is_text = table.tag_id.tolist(), table.is_text.tolist()
    overflows = strangers = 0
    for item in items:
        handle = item.ClientHandle
        if handle >= len(tag_id):
            strangers += 1
            continue
        data = item.Value
        code = data.StatusCode.value if data.StatusCode is not None else 0
        overflows += code & _INFORMATION == _OVERFLOW
        quality = stored_form(code)
        time = sample_time(data, received)
        is_element = handle in table.elements
        if is_text[handle]:
            text = text_of(data.Value, is_element=is_element)
            texts.append((tag_id[handle], time, text or "", _mended_text(quality, text)))
        else:
            number = number_of(data.Value, is_element=is_element)
            if 0 <= quality < UNCERTAIN_FLOOR and number is not None and is_rounded(data.Value, number):
                quality = Quality.UNCERTAIN_SENSOR_NOT_ACCURATE
            numbers.append((tag_id[handle], time, np.nan if number is None else number, _mended(quality, number is None)))
    return Decoded(_batches(numbers, texts), overflows, strangers)


def decode_columns(items: ItemColumns, table: HandleTable, received: int) -> Decoded:
    """As ``decode``, from columns."""
    known = items.handle < len(table.tag_id)
    strangers = len(known) - int(np.count_nonzero(known))
    overflows = int(np.count_nonzero(((items.status & _INFORMATION) == _OVERFLOW) & known))
    rows = np.flatnonzero(known)
    is_text = table.is_text[items.handle[rows]]
    batches: list[Batch] = []
    if len(rows) > np.count_nonzero(is_text):
        batches.append(_numbers_of(items, rows[~is_text], table, received))
    if is_text.any():
        batches.append(_texts_of(items, rows[is_text], table, received))
    return Decoded(batches, overflows, strangers)


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
            if FIRST_TIME < time < LAST_TIME:
                return time
    return received


def number_of(variant: ua.Variant | None, *, is_element: bool = False) -> float | None:
    """A Boolean, integer, floating or enumerated scalar, or with ``is_element`` the only element of an array; ``None`` for anything else."""
    value = _single(variant, is_element)
    return float(value) if isinstance(value, (int, float)) else None


def is_rounded(variant: ua.Variant | None, number: float) -> bool:
    """Whether ``number`` may not be what an Int64 or UInt64 ``variant`` holds, having more digits than float64."""
    return variant is not None and variant.VariantType in _WIDE and abs(number) >= EXACT_BELOW


def text_of(variant: ua.Variant | None, *, is_element: bool = False) -> str | None:
    """A String or LocalizedText scalar, the null String being empty, or with ``is_element`` as in ``number_of``; ``None`` for anything else."""
    value = _single(variant, is_element)
    if isinstance(value, ua.LocalizedText):
        value = value.Text or ""
    if value is None and variant is not None and variant.VariantType is ua.VariantType.String and _is_single(variant, is_element):
        return ""
    return _legible(value) if isinstance(value, str) else None


def _single(variant: ua.Variant | None, is_element: bool) -> Any:
    if variant is None or not _is_single(variant, is_element):
        return None
    return variant.Value[0] if is_element else variant.Value


def _is_single(variant: ua.Variant, is_element: bool) -> bool:
    """A server that does not know index ranges sends the whole array, which is no element."""
    if is_element:
        return bool(variant.is_array) and not variant.Dimensions and isinstance(variant.Value, list) and len(variant.Value) == 1
    return not variant.is_array


def _legible(text: str) -> str:
    return _UNREADABLE.sub("\ufffd", text)


def _mended(quality: int, lacks_value: bool) -> int:
    return Quality.BAD_TYPE_MISMATCH if lacks_value and not is_bad(quality) else quality


def _mended_text(quality: int, text: str | None) -> int:
    if text is not None and "\ufffd" in text and not is_bad(quality):
        return Quality.BAD_DECODING_ERROR
    return _mended(quality, text is None)


def _numbers_of(items: ItemColumns, rows: npt.NDArray[np.intp], table: HandleTable, received: int) -> SampleBatch:
    quality = _stored_forms(items.status[rows])
    is_good = (quality >= 0) & (quality < UNCERTAIN_FLOOR)
    quality[items.is_rounded[rows] & is_good] = Quality.UNCERTAIN_SENSOR_NOT_ACCURATE
    is_number, number = items.is_number[rows], items.number[rows]
    if items.elements or table.elements:
        is_number = is_number & ~_is_misplaced(items, rows, table)
        number = np.where(is_number, number, np.nan)
    quality[~is_number & (quality >= 0)] = Quality.BAD_TYPE_MISMATCH
    return SampleBatch(table.tag_id[items.handle[rows]], _received_at(items.time[rows], received), number, quality)


def _texts_of(items: ItemColumns, rows: npt.NDArray[np.intp], table: HandleTable, received: int) -> TextBatch:
    misplaced = set(rows[_is_misplaced(items, rows, table)].tolist()) if items.elements or table.elements else set()
    found = [None if row in misplaced else items.texts.get(row) for row in rows.tolist()]
    texts = [None if text is None else _legible(text) for text in found]
    qualities = [_mended_text(quality, text) for quality, text in zip(_stored_forms(items.status[rows]).tolist(), texts, strict=True)]
    tag_ids, times_ = table.tag_id[items.handle[rows]].tolist(), _received_at(items.time[rows], received).tolist()
    return TextBatch.of(tag_ids, times_, [text or "" for text in texts], qualities)


def _is_misplaced(items: ItemColumns, rows: npt.NDArray[np.intp], table: HandleTable) -> npt.NDArray[np.bool_]:
    """An array for a tag that is one value, or one value for a tag that is an element."""
    came = np.isin(rows, list(items.elements))
    wanted = np.isin(items.handle[rows], list(table.elements))
    misplaced: npt.NDArray[np.bool_] = came != wanted
    return misplaced


def _stored_forms(status: npt.NDArray[np.uint32]) -> npt.NDArray[np.int16]:
    """``plant.quality.stored_form`` of a column."""
    return (status >> 16).astype(np.uint16).view(np.int16)


def _received_at(time: Int64Column, received: int) -> Int64Column:
    return np.where(time == NO_TIME, received, time)


def _batches(numbers: Sequence[tuple[int, int, float, int]], texts: Sequence[tuple[int, int, str, int]]) -> Sequence[Batch]:
    batches: list[Batch] = []
    if numbers:
        tag_id, time, value, quality = zip(*numbers, strict=True)
        batches.append(SampleBatch(np.array(tag_id, np.int32), np.array(time, np.int64), np.array(value, np.float64), np.array(quality, np.int16)))
    if texts:
        batches.append(TextBatch.of(*zip(*texts, strict=True)))
    return batches
