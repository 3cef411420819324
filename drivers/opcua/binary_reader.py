"""Reads OPC UA Binary from front to back. Source: OPC UA Part 6, 5.2.

Rules:

1. Nothing is read beyond the end, and a length is held against the bytes that are left before anything is made of it.
2. What no tag can hold is passed over, not decoded: its size is all that matters.
"""

from struct import Struct
from typing import Any, Final

_BYTE: Final = Struct("<B")
_UINT16: Final = Struct("<H")
_INT32: Final = Struct("<i")
_UINT32: Final = Struct("<I")
_INT64: Final = Struct("<q")

NULL, LAST_NUMBER = 0, 11
STRING, BYTE_STRING, XML_ELEMENT, NODE_ID, EXPANDED_NODE_ID = 12, 15, 16, 17, 18
QUALIFIED_NAME, LOCALIZED_TEXT, EXTENSION_OBJECT, DATA_VALUE, VARIANT, DIAGNOSTIC_INFO = 20, 21, 22, 23, 24, 25
"""Built-in types. Those from 1 (Boolean) to 11 (Double) are numbers. Source: OPC UA Part 6, 5.1.2, Table 1."""

SIZES: Final = {0: 0, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 14: 16, 19: 4}
"""Bytes of the types that have one size; Null has none."""

_LEAST: Final = {
    STRING: 4,
    NODE_ID: 2,
    EXPANDED_NODE_ID: 2,
    QUALIFIED_NAME: 6,
    LOCALIZED_TEXT: 1,
    EXTENSION_OBJECT: 3,
    DATA_VALUE: 1,
    VARIANT: 1,
    DIAGNOSTIC_INFO: 1,
}
"""Bytes of the smallest value of the others; a type that is not here is, or is taken for, a ByteString (4)."""

_NODE_ID_NUMBERS: Final = {0: Struct("<B"), 1: Struct("<BH"), 2: Struct("<HI")}
"""What follows the first byte of a NodeId with a numeric identifier. Source: OPC UA Part 6, 5.2.2.9."""

_DEEPEST: Final = 100
"""Levels of nesting that a decoder must take. Source: OPC UA Part 6, 5.1.5."""

ARRAY: Final = 0x80
DIMENSIONS: Final = 0x40
_TYPE: Final = 0x3F
"""Parts of the first byte of a Variant. Source: OPC UA Part 6, 5.2.2.16."""

_DATA_VALUE_SIZES: Final = ((0x02, 4), (0x04, 8), (0x10, 2), (0x08, 8), (0x20, 2))
"""Mask bit and size of what may follow the value of a DataValue, in the order on the wire. Source: OPC UA Part 6, 5.2.2.17."""


class UnreadableResponse(ValueError):
    """The bytes are not what they should be."""


class BinaryReader:
    """``position`` is where the next value begins, ``end`` where the bytes end."""

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        return self.end - self.position

    def skip(self, size: int) -> int:
        """Where the ``size`` bytes begin that are passed over."""
        begin = self.position
        if size > self.end - begin:
            raise UnreadableResponse(f"{size} bytes wanted at byte {begin}, and there are {self.end - begin}")
        self.position = begin + size
        return begin

    def unpack(self, form: Struct) -> tuple[Any, ...]:
        return form.unpack_from(self.data, self.skip(form.size))

    def byte(self) -> int:
        return self.data[self.skip(1)]

    def uint16(self) -> int:
        return int(self.unpack(_UINT16)[0])

    def uint32(self) -> int:
        return int(self.unpack(_UINT32)[0])

    def int64(self) -> int:
        return int(self.unpack(_INT64)[0])

    def length(self, least: int) -> int:
        """Elements of an array whose elements have at least ``least`` bytes; none for a null one."""
        count = int(self.unpack(_INT32)[0])
        if count < -1 or count * least > self.left:
            raise UnreadableResponse(f"{count} elements announced at byte {self.position - 4}, and {self.left} bytes follow")
        return max(count, 0)

    def part(self) -> "BinaryReader":
        """A reader of the ByteString that begins here, which is passed over."""
        size = self.length(1)
        begin = self.skip(size)
        return BinaryReader(self.data, begin, begin + size)

    def text(self) -> str:
        """A String, the null one being empty. A byte that is no UTF-8 becomes a lone surrogate."""
        size = self.length(1)
        begin = self.skip(size)
        return self.data[begin : begin + size].decode("utf-8", "surrogateescape")

    def localized_text(self) -> str:
        """The text; its locale is passed over."""
        mask = self.byte()
        if mask & 0x01:
            self.skip(self.length(1))
        return self.text() if mask & 0x02 else ""

    def node_id(self) -> int | None:
        """The identifier if it is a number in the namespace of OPC UA itself, else ``None``."""
        first = self.byte()
        form, number = first & _TYPE, None
        if form in _NODE_ID_NUMBERS:
            *namespace, number = self.unpack(_NODE_ID_NUMBERS[form])
            number = None if any(namespace) or first != form else int(number)
        elif form in (3, 5):
            self.skip(2)
            self.skip(self.length(1))
        elif form == 4:
            self.skip(18)
        else:
            raise UnreadableResponse(f"a NodeId of form {form} at byte {self.position - 1}, which is none")
        if first & 0x80:
            self.skip(self.length(1))
        if first & 0x40:
            self.skip(4)
        return number

    def skip_array(self, kind: int, depth: int = 0) -> None:
        """Passes over an array of a built-in type, its length included."""
        size = SIZES.get(kind)
        if size is not None:
            self.skip(self.length(size) * size)
            return
        for _ in range(self.length(_LEAST.get(kind, 4))):
            self.skip_value(kind, depth)

    def skip_value(self, kind: int, depth: int = 0) -> None:
        """Passes over one value of a built-in type. ``depth`` is the number of values around it."""
        if depth > _DEEPEST:
            raise UnreadableResponse(f"more than {_DEEPEST} values in each other at byte {self.position}")
        if kind in SIZES:
            self.skip(SIZES[kind])
        elif kind in (NODE_ID, EXPANDED_NODE_ID):
            self.node_id()
        elif kind == QUALIFIED_NAME:
            self.skip(2)
            self.skip(self.length(1))
        elif kind == LOCALIZED_TEXT:
            self.localized_text()
        elif kind == EXTENSION_OBJECT:
            self.node_id()
            self._skip_body()
        elif kind == DATA_VALUE:
            self._skip_data_value(depth + 1)
        elif kind == VARIANT:
            self.skip_variant(self.byte(), depth + 1)
        elif kind == DIAGNOSTIC_INFO:
            self._skip_diagnostic_info()
        else:
            self.skip(self.length(1))

    def skip_variant(self, first: int, depth: int = 0) -> None:
        """Passes over what follows the ``first`` byte of a Variant."""
        if first & ARRAY:
            self.skip_array(first & _TYPE, depth)
            if first & DIMENSIONS:
                self.skip_array(6)
        elif first & DIMENSIONS:
            raise UnreadableResponse(f"dimensions of a value that is no array at byte {self.position - 1}")
        else:
            self.skip_value(first & _TYPE, depth)

    def _skip_data_value(self, depth: int) -> None:
        mask = self.byte()
        if mask & 0x01:
            self.skip_variant(self.byte(), depth)
        for bit, size in _DATA_VALUE_SIZES:
            if mask & bit:
                self.skip(size)

    def _skip_body(self) -> None:
        form = self.byte()
        if form in (1, 2):
            self.skip(self.length(1))
        elif form != 0:
            raise UnreadableResponse(f"an ExtensionObject whose body has form {form} at byte {self.position - 1}, which is none")

    def _skip_diagnostic_info(self) -> None:
        """Source: OPC UA Part 6, 5.2.2.12."""
        inner = True
        while inner:
            mask = self.byte()
            self.skip(4 * (mask & 0x0F).bit_count())
            if mask & 0x10:
                self.skip(self.length(1))
            if mask & 0x20:
                self.skip(4)
            inner = bool(mask & 0x40)
