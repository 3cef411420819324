"""Layouts of a MonitoredItemNotification on the wire whose size is known from two bytes: the mask of its DataValue and the type of its Variant.

Source: OPC UA Part 4, 7.25.2 (ClientHandle, then DataValue); Part 6, 5.2.2.16 and 5.2.2.17 (the picoseconds of a time follow that time).
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from drivers.opcua.binary_reader import SIZES

VALUE, STATUS, SOURCE_TIME, SERVER_TIME, SOURCE_PICOSECONDS, SERVER_PICOSECONDS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
"""Bits of the mask."""

_RESERVED: Final = 0xC0
_BOOLEAN: Final = 1
WIDE: Final = {8, 9}
"""Int64 and UInt64."""
EXACT_BELOW: Final = 2.0**53
"""Whole numbers of this magnitude and beyond may not be what they are when they are float64."""
_NUMBERS: Final = {1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8", 10: "<f4", 11: "<f8"}
_HEAD: Final = [("handle", "<u4"), ("mask", "u1")]
_FIELDS: Final = (
    (STATUS, "status", "<u4"),
    (SOURCE_TIME, "source_time", "<i8"),
    (SOURCE_PICOSECONDS, "source_picoseconds", "<u2"),
    (SERVER_TIME, "server_time", "<i8"),
    (SERVER_PICOSECONDS, "server_picoseconds", "<u2"),
)


@dataclass(frozen=True, slots=True, eq=False)
class ItemLayout:
    """``dtype`` is packed. It has ``handle`` and, where the item has them, ``number``, ``status``, ``source_time`` and ``server_time``."""

    key: int
    key_size: int
    """Bytes that the key is made of."""
    dtype: np.dtype[Any]
    size: int
    mask: int
    is_number: bool
    is_boolean: bool
    """A Boolean is a byte that is 0 or not. Source: OPC UA Part 6, 5.2.2.1."""
    is_wide: bool


HANDLE: Final = ItemLayout(0, 1, np.dtype([("handle", "<u4")]), 4, 0, is_number=False, is_boolean=False, is_wide=False)
"""What every item begins with."""


@cache
def layout_of(key: int) -> ItemLayout | None:
    """``key`` is the mask and, if it says that there is a Variant, the first byte of that times 256.

    ``None`` where the size depends on more than the key, or the mask has a bit that is not defined.
    """
    mask, kind = key & 0xFF, key >> 8
    if mask & _RESERVED or kind not in SIZES:
        return None
    value: list[tuple[str, str]] = []
    if mask & VALUE:
        value = [("type", "u1"), ("number", _NUMBERS[kind]) if kind in _NUMBERS else ("opaque", f"V{SIZES[kind]}")]
    dtype = np.dtype(_HEAD + [field for field in value if field[1] != "V0"] + _tail(mask))
    return ItemLayout(key, 2 if mask & VALUE else 1, dtype, dtype.itemsize, mask, is_number=kind in _NUMBERS, is_boolean=kind == _BOOLEAN, is_wide=kind in WIDE)


@cache
def layout_without_value(mask: int) -> ItemLayout:
    """Of an item that has all that ``mask`` says but a value; bits that are not defined say nothing."""
    mask &= ~(VALUE | _RESERVED)
    dtype = np.dtype(_HEAD + _tail(mask))
    return ItemLayout(mask, 1, dtype, dtype.itemsize, mask, is_number=False, is_boolean=False, is_wide=False)


def _tail(mask: int) -> list[tuple[str, str]]:
    return [(name, form) for bit, name, form in _FIELDS if mask & bit]
