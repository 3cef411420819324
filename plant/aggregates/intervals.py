"""The intervals of a request (OPC UA Part 13, 5.4.2.2)."""

import numpy as np

from plant.batch import Int64Column


def interval_edges(start: int, end: int, processing_interval: int) -> Int64Column:
    """Edges int64 (microseconds) of the intervals from ``start`` to ``end``, ``processing_interval`` long; the last may be shorter.

    0, or more than the whole, gives one interval. Time flows forward only.

    Raises:
        ValueError: ``end`` is not after ``start``, or the interval is negative.
    """
    if end <= start:
        raise ValueError("the end of the intervals is not after their start")
    if processing_interval < 0:
        raise ValueError("an interval is 0 (one for the whole) or longer")
    if processing_interval == 0 or processing_interval >= end - start:
        return np.array([start, end], np.int64)
    inner = np.arange(start, end, processing_interval, dtype=np.int64)
    return np.append(inner, np.int64(end))
