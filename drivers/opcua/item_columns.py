"""The items of a DataChangeNotification as columns.

Rules:

1. A run of items of one layout is one array over the bytes received, whatever its length costs nothing an item.
2. Items that alternate between layouts cost one step each, and are then gathered by layout.
3. An item whose size its first bytes do not tell (a text, an array, a structure) is read alone, and makes no other one slower.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from drivers.opcua.binary_reader import ARRAY, DIMENSIONS, LAST_NUMBER, LOCALIZED_TEXT, NULL, STRING, VARIANT, BinaryReader, UnreadableResponse
from drivers.opcua.date_time import NO_TIME, times_of
from drivers.opcua.item_layout import EXACT_BELOW, HANDLE, SERVER_TIME, SOURCE_TIME, STATUS, VALUE, WIDE, ItemLayout, layout_of, layout_without_value
from plant.batch import Float64Column, Int64Column

_LEAST: Final = 5
"""Bytes of the smallest item: handle and mask."""
_SHORTEST_RUN: Final = 32
"""Items; fewer are gathered faster than they are looked at as an array."""
_NUMBERS: Final = tuple(Struct("<" + form) for form in "?bBhHiIqQfd")
"""Boolean to Double, the built-in types 1 to 11."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemColumns:
    """One row an item, in the order received; columns of one length.

    ``handle`` and ``status`` (the whole StatusCode) uint32; ``time`` int64, UTC microseconds of the source, else of the server, else ``NO_TIME``; ``number``
    float64, NaN unless ``is_number``; ``texts`` has the text by row where the value is one. ``is_rounded``: the number is a whole one of more digits than
    float64 holds. ``elements`` are the rows whose value came as the only element of an array.
    """

    handle: npt.NDArray[np.uint32]
    status: npt.NDArray[np.uint32]
    time: Int64Column
    number: Float64Column
    is_number: npt.NDArray[np.bool_]
    is_rounded: npt.NDArray[np.bool_]
    texts: Mapping[int, str]
    elements: Set[int]

    def __len__(self) -> int:
        return len(self.handle)

    @staticmethod
    def concatenate(parts: Sequence["ItemColumns"]) -> "ItemColumns":
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return _Rows(0).columns(b"")
        texts: dict[int, str] = {}
        elements: set[int] = set()
        first = 0
        for part in parts:
            texts.update((first + row, text) for row, text in part.texts.items())
            elements.update(first + row for row in part.elements)
            first += len(part)
        return ItemColumns(
            np.concatenate([part.handle for part in parts]),
            np.concatenate([part.status for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.number for part in parts]),
            np.concatenate([part.is_number for part in parts]),
            np.concatenate([part.is_rounded for part in parts]),
            texts,
            elements,
        )


def read_items(reader: BinaryReader) -> ItemColumns:
    """An array of MonitoredItemNotification, its length included.

    Raises:
        UnreadableResponse
    """
    count = reader.length(_LEAST)
    rows = _Rows(count)
    data, end = reader.data, reader.end
    groups: dict[int, _Group] = {}
    row, position, previous, is_tried = 0, reader.position, -1, False
    while row < count:
        key = mask = data[position + 4] if end - position >= _LEAST else _incomplete(row, count, end)
        if mask & VALUE:
            key = mask | data[position + 5] << 8 if end - position > _LEAST else _incomplete(row, count, end)
        group = groups.get(key)
        if group is None:
            layout = layout_of(key)
            if layout is None:
                reader.position = position
                rows.read_one(row, reader)
                position, previous = reader.position, -1
                row += 1
                continue
            group = groups[key] = _Group(layout)
        if key != previous:
            previous, is_tried = key, False
        elif not is_tried:
            is_tried = True
            if group.begins_run(data, position):
                length = group.run_length(data, position, end, count - row)
                rows.fill(slice(row, row + length), np.ndarray((length,), group.layout.dtype, data, position), group.layout)
                row += length
                position += length * group.size
                continue
        group.rows.append(row)
        group.positions.append(position)
        row += 1
        position += group.size
        if position > end:
            _incomplete(row, count, end)
    reader.position = position
    for group in groups.values():
        rows.gather(group, data)
    return rows.columns(data)


def _incomplete(row: int, count: int, end: int) -> NoReturn:
    raise UnreadableResponse(f"the bytes end at {end}, in item {row} of {count}")


class _Group:
    """Items of one layout that are in no run, by row and by the position where they begin."""

    __slots__ = ("_kinds", "_masks", "layout", "positions", "rows", "size")

    def __init__(self, layout: ItemLayout) -> None:
        self.layout = layout
        self.size = layout.size
        self.rows: list[int] = []
        self.positions: list[int] = []
        self._masks = bytes([layout.mask]) * _SHORTEST_RUN
        self._kinds = bytes([layout.key >> 8]) * _SHORTEST_RUN if layout.key_size > 1 else b""

    def begins_run(self, data: bytes, position: int) -> bool:
        """Whether the item and those that follow it are enough for an array of their own to be cheaper."""
        reach = _SHORTEST_RUN * self.size
        kinds = data[position + 5 : position + 5 + reach : self.size] if self._kinds else self._kinds
        return kinds == self._kinds and data[position + 4 : position + 4 + reach : self.size] == self._masks

    def run_length(self, data: bytes, position: int, end: int, left: int) -> int:
        """Items of the layout, one after the other. Looks twice as far each time, so that a run costs what it is long and not what follows it."""
        left = min(left, (end - position) // self.size)
        found, width = 0, _SHORTEST_RUN
        while found < left:
            width = min(width, left - found)
            keys: npt.NDArray[Any] = np.ndarray((width,), f"<u{self.layout.key_size}", data, position + found * self.size + 4, (self.size,))
            alike = keys == self.layout.key
            if not alike.all():
                return found + int(alike.argmin())
            found += width
            width *= 2
        return found


class _Rows:
    """Columns while they are filled."""

    def __init__(self, count: int) -> None:
        self._handle = np.zeros(count, np.uint32)
        self._status = np.zeros(count, np.uint32)
        self._time = np.full(count, NO_TIME, np.int64)
        self._number = np.full(count, np.nan, np.float64)
        self._is_number = np.zeros(count, np.bool_)
        self._is_rounded = np.zeros(count, np.bool_)
        self._texts: dict[int, str] = {}
        self._elements: set[int] = set()
        self._alone = _Group(HANDLE)
        self._tails: dict[int, _Group] = {}

    def columns(self, data: bytes) -> ItemColumns:
        for tails in self._tails.values():
            self.gather(tails, data)
        self.gather(self._alone, data)
        return ItemColumns(self._handle, self._status, self._time, self._number, self._is_number, self._is_rounded, self._texts, self._elements)

    def gather(self, group: _Group, data: bytes) -> None:
        if group.rows:
            anywhere: npt.NDArray[Any] = np.ndarray((len(data) - group.size + 1,), group.layout.dtype, data, strides=(1,))
            self.fill(np.array(group.rows, np.intp), anywhere[np.array(group.positions, np.intp)], group.layout)

    def fill(self, rows: slice | npt.NDArray[np.intp], records: npt.NDArray[Any], layout: ItemLayout) -> None:
        """``records`` has the dtype of ``layout``."""
        self._handle[rows] = records["handle"]
        if layout.is_number:
            self._number[rows] = records["number"] != 0 if layout.is_boolean else records["number"]
            self._is_number[rows] = True
            if layout.is_wide:
                self._is_rounded[rows] = np.abs(self._number[rows]) >= EXACT_BELOW
        if layout.mask & STATUS:
            self._status[rows] = records["status"]
        if layout.mask & SERVER_TIME:
            self._time[rows] = times_of(records["server_time"])
        if layout.mask & SOURCE_TIME:
            time = times_of(records["source_time"])
            self._time[rows] = np.where(time == NO_TIME, self._time[rows], time)

    def read_one(self, row: int, reader: BinaryReader) -> None:
        """Any item at all. What follows its value is laid out as in an item without one, and is gathered with those like it; the handle then comes last."""
        self._alone.rows.append(row)
        self._alone.positions.append(reader.skip(_LEAST))
        mask = reader.data[reader.position - 1]
        if mask & VALUE:
            self._read_variant(row, reader)
        tails = self._tails.get(mask)
        if tails is None:
            tails = self._tails[mask] = _Group(layout_without_value(mask))
        tails.rows.append(row)
        tails.positions.append(reader.skip(tails.size - _LEAST) - _LEAST)

    def _read_variant(self, row: int, reader: BinaryReader) -> None:
        first = reader.byte()
        while first == VARIANT:
            # Forbidden, and harmless: a Variant in a Variant, with its value inside. Source: OPC UA Part 6, 5.2.2.16.
            first = reader.byte()
        if first & ARRAY and not first & DIMENSIONS:
            begin = reader.position
            if reader.uint32() == 1 and self._read_value(row, first & ~ARRAY, reader):
                self._elements.add(row)
                return
            reader.position = begin
        if not self._read_value(row, first, reader):
            reader.skip_variant(first)

    def _read_value(self, row: int, kind: int, reader: BinaryReader) -> bool:
        """Whether ``kind`` is one that a tag can hold."""
        if kind == STRING:
            self._texts[row] = reader.text()
        elif kind == LOCALIZED_TEXT:
            self._texts[row] = reader.localized_text()
        elif NULL < kind <= LAST_NUMBER:
            number = self._number[row] = reader.unpack(_NUMBERS[kind - 1])[0]
            self._is_number[row] = True
            self._is_rounded[row] = kind in WIDE and abs(number) >= EXACT_BELOW
        else:
            return False
        return True
