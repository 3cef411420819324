"""What the library's decoder makes of lengths that lie, once it is bounded."""

import struct
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary, variant_from_binary, variant_to_binary

from drivers.opcua.decoder_bounds import bound_decoder
from drivers.opcua.link_errors import speaking_of
from plant.errors import DeviceProtocolError

_HUGE = 2**31 - 1
_NO_RESULTS = 8
"""Bytes at the end of a read response without any: the lengths of its results and of their diagnostics."""


@pytest.fixture(autouse=True)
def _bounded() -> None:
    bound_decoder()
    bound_decoder()


def read_response(results: bytes) -> bytes:
    empty = struct_to_binary(ua.ReadResponse(Results=[]))
    return empty[:-_NO_RESULTS] + struct.pack("<i", _HUGE) + results


@pytest.mark.parametrize(
    "results",
    [b"\x01\x80" + struct.pack("<i", _HUGE), b"\x01\xc0" + struct.pack("<i", _HUGE), b"\x01\x0c" + struct.pack("<i", -6)],
    ids=["an array of Nulls", "one with dimensions", "a text of negative length"],
)
def test_an_answer_of_some_bytes_that_announces_billions_is_refused_at_once(results: bytes) -> None:
    with pytest.raises(DeviceProtocolError), speaking_of("a read"):
        struct_from_binary(ua.ReadResponse, Buffer(read_response(results)))


@pytest.mark.parametrize(
    "variant",
    [
        ua.Variant([None, None], ua.VariantType.Null, is_array=True),
        ua.Variant([], ua.VariantType.Null, is_array=True),
        ua.Variant([1.0, 2.0], ua.VariantType.Double),
        ua.Variant(["a", None, ""], ua.VariantType.String),
        ua.Variant(None),
    ],
    ids=str,
)
def test_proper_values_are_read_as_before(variant: ua.Variant) -> None:
    encoded: Any = variant_to_binary(variant) + b"what follows"
    assert variant_from_binary(Buffer(encoded)) == variant
