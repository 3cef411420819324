"""The exact type of a write."""

import math

import numpy as np
import pytest
from asyncua import ua

from drivers.opcua.value_type import Unwritable, exact_type, is_equal, variant_of
from plant.tag import DataType


def type_node(identifier: int, namespace: int = 0) -> ua.DataValue:
    return ua.DataValue(ua.Variant(ua.NodeId(ua.Int32(identifier), ua.Int16(namespace))))


NOTHING = ua.DataValue(ua.Variant(), StatusCode=ua.StatusCode(ua.UInt32(ua.StatusCodes.BadNotReadable)))


@pytest.mark.parametrize(
    ("data_type", "value", "expected"),
    [
        (type_node(ua.ObjectIds.Int16), ua.DataValue(ua.Variant(1.0)), ua.VariantType.Int16),
        # Duration is a Double with a name; a vendor's enumeration holds an Int32.
        (type_node(ua.ObjectIds.Duration), ua.DataValue(ua.Variant(1.0)), ua.VariantType.Double),
        (type_node(3001, 4), ua.DataValue(ua.Variant(1, ua.VariantType.Int32)), ua.VariantType.Int32),
        # The same number in another namespace is another type.
        (type_node(ua.ObjectIds.Int16, 4), ua.DataValue(ua.Variant(1.0)), ua.VariantType.Double),
        (NOTHING, NOTHING, ua.VariantType.Float),
    ],
)
def test_the_node_tells_and_then_its_value_and_then_the_tag(data_type: ua.DataValue, value: ua.DataValue, expected: ua.VariantType) -> None:
    assert exact_type(data_type, value, DataType.FLOAT) is expected


@pytest.mark.parametrize("configured", list(DataType))
def test_every_type_of_a_tag_can_be_written(configured: DataType) -> None:
    variant_type = exact_type(NOTHING, NOTHING, configured)
    assert variant_type.name == configured.value
    assert variant_of("1" if configured.is_text else 1.0, variant_type).VariantType is variant_type


@pytest.mark.parametrize(("variant_type", "dtype"), [(ua.VariantType.SByte, np.int8), (ua.VariantType.UInt16, np.uint16), (ua.VariantType.Int32, np.int32)])
def test_integers_are_whole_and_in_range(variant_type: ua.VariantType, dtype: type[np.integer]) -> None:
    limits = np.iinfo(dtype)
    for fits in (int(limits.min), int(limits.max)):
        assert variant_of(float(fits), variant_type).Value == fits
    for misfit in (float(limits.min) - 1, float(limits.max) + 1, 0.5, math.nan, math.inf):
        with pytest.raises(Unwritable):
            variant_of(misfit, variant_type)


@pytest.mark.parametrize(
    ("value", "variant_type"),
    [(2.0, ua.VariantType.Boolean), ("1", ua.VariantType.Double), (1.0, ua.VariantType.String), (3.5e38, ua.VariantType.Float)],
)
def test_other_misfits_are_refused(value: float | str, variant_type: ua.VariantType) -> None:
    with pytest.raises(Unwritable):
        variant_of(value, variant_type)


def test_a_float_is_read_back_as_exactly_as_a_float_can() -> None:
    assert is_equal(0.1, float(np.float32(0.1)), ua.VariantType.Float)
    assert not is_equal(0.1, 0.10001, ua.VariantType.Float)
    assert not is_equal(0.1, float(np.float32(0.1)), ua.VariantType.Double)
    assert is_equal("a", "a", ua.VariantType.String)
    assert not is_equal(1.0, 0.0, ua.VariantType.Boolean)
