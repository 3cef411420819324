"""Quality of a value: the OPC UA StatusCode, stored as its upper 16 bits in a signed 16-bit integer.

Rule: the sign and the next bit are the severity, so that a comparison is enough and a column of qualities needs no table:
``0 .. 0x3FFF`` is Good, ``0x4000 .. 0x7FFF`` Uncertain, negative Bad. The lower 16 bits of a StatusCode (information bits such as
Overflow) describe the delivery and not the value; drivers count them, and they are not stored.
Source of codes and names: OPC UA Part 6, Annex A.2 (StatusCode.csv).
"""

from enum import IntEnum
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

UNCERTAIN_FLOOR: Final = 0x4000
"""Lowest stored form of an Uncertain quality."""

QualityRange = tuple[int, int]
"""Lowest and highest stored form of a set of qualities, both included."""

ANY_QUALITY: Final[QualityRange] = (-0x8000, 0x7FFF)
USABLE_RANGE: Final[QualityRange] = (0, 0x7FFF)
"""Not Bad."""
GOOD_RANGE: Final[QualityRange] = (0, UNCERTAIN_FLOOR - 1)


class Quality(IntEnum):
    """The StatusCodes that the product produces or expects to receive; the value is the stored form (int16)."""

    GOOD = 0x0000
    GOOD_OVERLOAD = 0x002F
    GOOD_CLAMPED = 0x0030
    GOOD_LOCAL_OVERRIDE = 0x0096
    GOOD_ENTRY_INSERTED = 0x00A2
    GOOD_ENTRY_REPLACED = 0x00A3
    GOOD_NO_DATA = 0x00A5
    GOOD_MORE_DATA = 0x00A6
    UNCERTAIN = 0x4000
    UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE = 0x408F
    UNCERTAIN_LAST_USABLE_VALUE = 0x4090
    UNCERTAIN_SUBSTITUTE_VALUE = 0x4091
    UNCERTAIN_INITIAL_VALUE = 0x4092
    UNCERTAIN_SENSOR_NOT_ACCURATE = 0x4093
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED = 0x4094
    UNCERTAIN_SUB_NORMAL = 0x4095
    UNCERTAIN_DATA_SUB_NORMAL = 0x40A4
    BAD = 0x8000 - 0x1_0000
    BAD_UNEXPECTED_ERROR = 0x8001 - 0x1_0000
    BAD_INTERNAL_ERROR = 0x8002 - 0x1_0000
    BAD_OUT_OF_MEMORY = 0x8003 - 0x1_0000
    BAD_RESOURCE_UNAVAILABLE = 0x8004 - 0x1_0000
    BAD_COMMUNICATION_ERROR = 0x8005 - 0x1_0000
    BAD_ENCODING_ERROR = 0x8006 - 0x1_0000
    BAD_DECODING_ERROR = 0x8007 - 0x1_0000
    BAD_ENCODING_LIMITS_EXCEEDED = 0x8008 - 0x1_0000
    BAD_UNKNOWN_RESPONSE = 0x8009 - 0x1_0000
    BAD_TIMEOUT = 0x800A - 0x1_0000
    BAD_SERVICE_UNSUPPORTED = 0x800B - 0x1_0000
    BAD_SHUTDOWN = 0x800C - 0x1_0000
    BAD_SERVER_NOT_CONNECTED = 0x800D - 0x1_0000
    BAD_SERVER_HALTED = 0x800E - 0x1_0000
    BAD_TOO_MANY_OPERATIONS = 0x8010 - 0x1_0000
    BAD_DATA_TYPE_ID_UNKNOWN = 0x8011 - 0x1_0000
    BAD_SECURITY_CHECKS_FAILED = 0x8013 - 0x1_0000
    BAD_USER_ACCESS_DENIED = 0x801F - 0x1_0000
    BAD_INVALID_TIMESTAMP = 0x8023 - 0x1_0000
    BAD_SESSION_ID_INVALID = 0x8025 - 0x1_0000
    BAD_SESSION_CLOSED = 0x8026 - 0x1_0000
    BAD_NO_COMMUNICATION = 0x8031 - 0x1_0000
    BAD_WAITING_FOR_INITIAL_DATA = 0x8032 - 0x1_0000
    BAD_NODE_ID_INVALID = 0x8033 - 0x1_0000
    BAD_NODE_ID_UNKNOWN = 0x8034 - 0x1_0000
    BAD_ATTRIBUTE_ID_INVALID = 0x8035 - 0x1_0000
    BAD_INDEX_RANGE_INVALID = 0x8036 - 0x1_0000
    BAD_INDEX_RANGE_NO_DATA = 0x8037 - 0x1_0000
    BAD_DATA_ENCODING_INVALID = 0x8038 - 0x1_0000
    BAD_DATA_ENCODING_UNSUPPORTED = 0x8039 - 0x1_0000
    BAD_NOT_READABLE = 0x803A - 0x1_0000
    BAD_NOT_WRITABLE = 0x803B - 0x1_0000
    BAD_OUT_OF_RANGE = 0x803C - 0x1_0000
    BAD_NOT_SUPPORTED = 0x803D - 0x1_0000
    BAD_NOT_FOUND = 0x803E - 0x1_0000
    BAD_OBJECT_DELETED = 0x803F - 0x1_0000
    BAD_MONITORED_ITEM_ID_INVALID = 0x8042 - 0x1_0000
    BAD_MONITORED_ITEM_FILTER_INVALID = 0x8043 - 0x1_0000
    BAD_MONITORED_ITEM_FILTER_UNSUPPORTED = 0x8044 - 0x1_0000
    BAD_FILTER_NOT_ALLOWED = 0x8045 - 0x1_0000
    BAD_WRITE_NOT_SUPPORTED = 0x8073 - 0x1_0000
    BAD_TYPE_MISMATCH = 0x8074 - 0x1_0000
    BAD_NO_SUBSCRIPTION = 0x8079 - 0x1_0000
    BAD_REQUEST_TIMEOUT = 0x8085 - 0x1_0000
    BAD_CONFIGURATION_ERROR = 0x8089 - 0x1_0000
    BAD_NOT_CONNECTED = 0x808A - 0x1_0000
    BAD_DEVICE_FAILURE = 0x808B - 0x1_0000
    BAD_SENSOR_FAILURE = 0x808C - 0x1_0000
    BAD_OUT_OF_SERVICE = 0x808D - 0x1_0000
    BAD_DEADBAND_FILTER_INVALID = 0x808E - 0x1_0000
    BAD_NO_DATA = 0x809B - 0x1_0000
    BAD_DATA_LOST = 0x809D - 0x1_0000
    BAD_DATA_UNAVAILABLE = 0x809E - 0x1_0000
    BAD_NO_ENTRY_EXISTS = 0x80A0 - 0x1_0000
    BAD_INVALID_ARGUMENT = 0x80AB - 0x1_0000
    BAD_CONNECTION_REJECTED = 0x80AC - 0x1_0000
    BAD_DISCONNECT = 0x80AD - 0x1_0000
    BAD_CONNECTION_CLOSED = 0x80AE - 0x1_0000
    BAD_INVALID_STATE = 0x80AF - 0x1_0000
    BAD_NO_DATA_AVAILABLE = 0x80B1 - 0x1_0000
    BAD_REQUEST_TOO_LARGE = 0x80B8 - 0x1_0000
    BAD_RESPONSE_TOO_LARGE = 0x80B9 - 0x1_0000
    BAD_AGGREGATE_NOT_SUPPORTED = 0x80D5 - 0x1_0000
    BAD_AGGREGATE_INVALID_INPUTS = 0x80D6 - 0x1_0000
    BAD_TOO_MANY_MONITORED_ITEMS = 0x80DB - 0x1_0000

    @property
    def symbol(self) -> str:
        """Name as OPC UA writes it: ``BadCommunicationError``."""
        return self.name.title().replace("_", "")

    @property
    def status_code(self) -> int:
        """The 32-bit StatusCode, information bits zero."""
        return (self.value & 0xFFFF) << 16


def stored_form(status_code: int) -> int:
    """Stored form (int16) of any 32-bit StatusCode, one of ``Quality`` or not; its information bits are dropped."""
    upper = (status_code >> 16) & 0xFFFF
    return upper - 0x1_0000 if upper >= 0x8000 else upper


def is_good(stored: int) -> bool:
    return 0 <= stored < UNCERTAIN_FLOOR


def is_bad(stored: int) -> bool:
    return stored < 0


@cache
def quality_name(stored: int) -> str:
    """Name of a stored quality. A code that has no name here keeps its severity and its number: ``Bad(0x80FE)``."""
    try:
        return Quality(stored).symbol
    except ValueError:
        severity = "Bad" if stored < 0 else "Uncertain" if stored >= UNCERTAIN_FLOOR else "Good"
        return f"{severity}(0x{stored & 0xFFFF:04X})"


_BY_NAME: Final = {quality.symbol: quality.value for quality in Quality}


def quality_from_name(name: str) -> int:
    """Stored form of what ``quality_name`` wrote.

    Raises:
        ValueError: no StatusCode has this name.
    """
    known = _BY_NAME.get(name)
    if known is not None:
        return known
    severity, bracket, digits = name.partition("(0x")
    if bracket and severity in {"Good", "Uncertain", "Bad"} and digits.endswith(")"):
        stored = stored_form(int(digits[:-1], 16) << 16)
        if quality_name(stored) == name:
            return stored
    raise ValueError(f"{name!r} is no OPC UA StatusCode; write it as in 'Good' or 'BadCommunicationError'")


def good_mask(quality: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    """True where a stored quality is Good; same shape as ``quality``."""
    return (quality >= 0) & (quality < UNCERTAIN_FLOOR)
