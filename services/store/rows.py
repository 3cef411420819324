"""What every store does with columns before it writes them: pure."""

from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from plant.batch import Int32Column, Int64Column, SampleBatch, TextBatch
from plant.errors import Unstorable
from plant.event import Event
from plant.ledger import Gap
from services.store.interface import HOUR, DueHours

FIRST_TIME: Final = -62_135_596_800_000_000
"""Year 1, UTC microseconds: what calendars of Python and SQL share begins here."""

LAST_TIME: Final = 253_402_300_799_999_999
"""End of year 9999."""

BatchT = TypeVar("BatchT", SampleBatch, TextBatch)


def distinct(batch: BatchT) -> BatchT:
    """The batch with each (tag, time) once, the last one; ordered by tag and time, as the tables are."""
    if not len(batch):
        return batch
    order = np.lexsort((batch.time, batch.tag_id))  # stable: of equals, the last arrival stands last
    tag_id, time = batch.tag_id[order], batch.time[order]
    last = np.append((tag_id[1:] != tag_id[:-1]) | (time[1:] != time[:-1]), True)
    return batch.select(order[last])


def rows_in(hours: DueHours, tag_id: Int32Column, time: Int64Column) -> npt.NDArray[np.bool_]:
    """Which rows, of equal length (n,), lie in one of the hours of their tag; bool (n,)."""
    return np.isin(_hour_keys(tag_id, time), _hour_keys(hours.tag_id, hours.hour))


def _hour_keys(tag_id: Int32Column, time: Int64Column) -> Int64Column:
    """Tag and hour in one number: from year 1 to 9999 there are fewer than 2 ** 27 hours."""
    return (tag_id.astype(np.int64) << 32) + time // HOUR


def check_storable(batch: SampleBatch | TextBatch) -> None:
    """Raises ``Unstorable`` when a source time lies outside the years 1 to 9999."""
    if len(batch):
        _check_time(int(batch.time.min()))
        _check_time(int(batch.time.max()))


def check_event(event: Event) -> None:
    """Raises ``Unstorable`` as ``check_storable``."""
    _check_time(event.time)


def check_gap(gap: Gap) -> None:
    """Raises ``Unstorable`` as ``check_storable``."""
    _check_time(gap.start)
    if gap.end is not None:
        _check_time(gap.end)


def _check_time(time: int) -> None:
    if not FIRST_TIME <= time <= LAST_TIME:
        raise Unstorable(f"time {time} (UTC microseconds) lies outside the years 1 to 9999")
