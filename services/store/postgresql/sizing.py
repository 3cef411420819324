"""How history is cut and when it is compressed, from the rate at which the plant makes samples. Pure.

A chunk (TimescaleDB) or partition is written as rows before it is compressed or left alone: its index should stay in memory while samples come, and a year
should not be thousands of chunks, since each is planned for in a query that spans it. A row with its index takes about a hundred bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from plant.tag import Tag

_INTERVALS: Final = tuple(timedelta(hours=hours) for hours in (1, 2, 4, 12, 24, 7 * 24, 30 * 24))
_ROWS_A_CHUNK: Final = 20_000_000
"""About 2 GB of rows with their index."""

_ROWS_UNCOMPRESSED: Final = 500_000_000
"""About 50 GB."""

_LATE: Final = timedelta(days=7)
"""What comes later than this is rare, and pays for what is compressed already."""

_ROWS_A_PARTITION: Final = 500_000_000
"""A partition that is larger is slow to index, to vacuum and to back up."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """``chunk`` time that a chunk covers; ``compress_after`` age at which it moves to the columnstore; ``is_daily`` native partitions of days, not months."""

    chunk: timedelta
    compress_after: timedelta
    is_daily: bool


def rate_of(tags: Iterable[Tag]) -> float:
    """Samples a second if every tag is reported at each scan: the most there can be, deadbands only lessen it."""
    return sum(1000 / tag.scan_ms for tag in tags if tag.scan_ms > 0)


def sizing_of(rate: float) -> Sizing:
    """The sizing of ``rate`` rows a second.

    The longest interval of at most twenty million rows, an hour at least. Compressed after seven days or half a thousand million rows, whichever is
    sooner, and not before the chunk that is written and the one before it are full.
    """
    chunk = max((interval for interval in _INTERVALS if rate * interval.total_seconds() <= _ROWS_A_CHUNK), default=_INTERVALS[0])
    room = timedelta(seconds=_ROWS_UNCOMPRESSED / rate) if rate * _LATE.total_seconds() > _ROWS_UNCOMPRESSED else _LATE
    compress_after = timedelta(hours=max(room, 2 * chunk) // timedelta(hours=1))
    return Sizing(chunk, compress_after, rate * timedelta(days=30).total_seconds() > _ROWS_A_PARTITION)
