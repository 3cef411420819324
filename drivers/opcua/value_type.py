"""The exact type of a value to write. Pure: a server refuses an Int64 for an Int16, and takes a number only in the type of its node."""

import math
from typing import Final

import numpy as np
from asyncua import ua

from plant.command import CommandValue
from plant.tag import DataType

_RANGES: Final[dict[ua.VariantType, tuple[int, int]]] = {
    ua.VariantType.Boolean: (0, 1),
    ua.VariantType.SByte: (-(2**7), 2**7 - 1),
    ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: (0, 2**64 - 1),
}
_WRITABLE: Final = {*_RANGES, ua.VariantType.Float, ua.VariantType.Double, ua.VariantType.String}
_LARGEST_FLOAT: Final = float(np.finfo(np.float32).max)
_FLOAT_TOLERANCE: Final = 2.0**-22
"""Two steps of a Float's 24-bit mantissa: a device that scales may round once more than we do."""


class Unwritable(ValueError):
    """The value does not fit the type."""


def exact_type(data_type: ua.DataValue, value: ua.DataValue, configured: DataType) -> ua.VariantType:
    """The type to write, from the node's attributes DataType and Value.

    DataType where it is a built-in type; for types derived from one, the type of the present value; where the server tells neither, that of the tag.
    """
    node = data_type.Value.Value if data_type.Value is not None else None
    if isinstance(node, ua.NodeId) and (declared := built_in_type(node)) is not None:
        return declared
    if value.Value is not None and value.Value.VariantType in _WRITABLE:
        return ua.VariantType(value.Value.VariantType)
    return ua.VariantType[configured.value]


def built_in_type(node: ua.NodeId) -> ua.VariantType | None:
    """The type that a data type's node names, if it is a built-in one that can be written."""
    if node.NamespaceIndex != 0:
        return None
    return next((variant_type for variant_type in _WRITABLE if node.Identifier == variant_type.value), None)


def variant_of(value: CommandValue, variant_type: ua.VariantType) -> ua.Variant:
    """``value`` in the exact type.

    Raises:
        Unwritable: it does not fit.
    """
    if isinstance(value, str) != (variant_type is ua.VariantType.String):
        raise Unwritable(f"the node holds a {variant_type.name}, not {value!r}")
    if isinstance(value, str):
        return ua.Variant(value, variant_type)
    if variant_type in {ua.VariantType.Float, ua.VariantType.Double}:
        if variant_type is ua.VariantType.Float and math.isfinite(value) and abs(value) > _LARGEST_FLOAT:
            raise Unwritable(f"{value:g} is too large for a Float")
        return ua.Variant(float(value), variant_type)
    if not math.isfinite(value) or value != int(value):
        raise Unwritable(f"the node holds a {variant_type.name}, and {value:g} is no whole number")
    low, high = _RANGES[variant_type]
    if not low <= value <= high:
        raise Unwritable(f"the node holds a {variant_type.name} of {low} to {high}, which {value:g} is not")
    return ua.Variant(bool(value) if variant_type is ua.VariantType.Boolean else int(value), variant_type)


def is_equal(written: CommandValue, read: CommandValue, variant_type: ua.VariantType) -> bool:
    """Whether a read-back shows what was written, as exactly as the type can hold it."""
    if isinstance(written, str) or isinstance(read, str) or variant_type is not ua.VariantType.Float:
        return written == read
    return math.isclose(float(np.float32(written)), read, rel_tol=_FLOAT_TOLERANCE)
