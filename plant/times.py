"""Times are UTC microseconds since 1970 (int); on the outside RFC 3339 with microseconds and ``Z``."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

MICROSECONDS: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"us": 1, "ms": 1_000, "s": MICROSECONDS, "m": 60 * MICROSECONDS, "h": 3_600 * MICROSECONDS, "d": 86_400 * MICROSECONDS}
_DURATION: Final = re.compile(r"(\d{1,9})(us|ms|s|m|h|d)", re.ASCII)


def now() -> int:
    """Wall clock, UTC microseconds."""
    return time.time_ns() // 1_000


def from_datetime(moment: datetime) -> int:
    """Microseconds of an aware ``datetime``; a naive one is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(microseconds: int) -> datetime:
    """Aware UTC ``datetime``.

    Raises:
        OverflowError: the year lies outside 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=microseconds)


def format_time(microseconds: int) -> str:
    """``2026-11-23T04:00:00.000000Z``"""
    return to_datetime(microseconds).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def parse_duration(text: str) -> int:
    """Microseconds of ``250ms``, ``10s``, ``1m``, ``1h``, ``7d``.

    Raises:
        ValueError: the text is no duration.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration; write a whole number and one of us, ms, s, m, h, d, as in '10s'")
    return int(match[1]) * _UNITS[match[2]]


def parse_time(text: str, reference: int) -> int:
    """Microseconds of an RFC 3339 time, of ``now``, or of an offset from ``reference`` (now) such as ``-1h``.

    Raises:
        ValueError: the text is no time, or carries no zone.
    """
    if text == "now":
        return reference
    if text.startswith(("-", "+")):
        offset = parse_duration(text[1:])
        return reference - offset if text[0] == "-" else reference + offset
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write '2026-11-23T04:00:00Z', 'now' or an offset such as '-1h'") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone; end it with 'Z' for UTC or an offset such as '+01:00'")
    return from_datetime(moment)
