"""What the loss ledger says of a tag: no value is drawn across a loss, whatever samples stand on its two sides.

A lost link leaves a Bad sample where it was noticed; a gateway that was killed, or a batch that never came, leaves none. So the beginning of every loss
that was not made good counts as a Bad sample, ``BadDataLost``, which holds until the next sample of the tag; and where some of it came after all, so does
the moment behind the last sample that lies inside.
"""

from collections.abc import Sequence

import numpy as np

from plant.aggregates import TagSamples
from plant.batch import Int64Column
from plant.ledger import Gap
from plant.quality import Quality
from services.store import Store


def losses_of(store: Store, device: str, first: int, last: int) -> list[Gap]:
    """Losses of a device that were not made good and touch the open interval from ``first`` to ``last`` (UTC microseconds)."""
    if first >= last:
        return []
    touching = store.gaps(first, last)
    return [gap for gap in touching if gap.device == device and not gap.recovered and gap.start < last and (gap.end is None or gap.end > first)]


def is_inside(losses: Sequence[Gap], time: int) -> bool:
    return any(gap.start < time and (gap.end is None or time < gap.end) for gap in losses)


def begins_of(store: Store, tag_id: int, losses: Sequence[Gap], last: int, kept_from: int) -> Int64Column:
    """Times of the Bad samples that stand for losses, ascending, none twice; ``last``: what lies behind it is not asked for; ``kept_from``: samples before
    count for nothing."""
    begins = [gap.start + 1 for gap in losses]
    for gap in losses:
        inside = store.sample_before(tag_id, (last if gap.end is None else min(gap.end, last)) - 1)
        if len(inside) and int(inside.time[0]) > gap.start and int(inside.time[0]) >= kept_from:
            begins.append(int(inside.time[0]) + 1)
    return np.unique(np.array(begins, np.int64))


def with_losses(samples: TagSamples, begins: Int64Column) -> TagSamples:
    """``samples`` with a Bad one at each of ``begins``, except where there is a sample at that very time."""
    if len(begins):
        begins = begins[~np.isin(begins, samples.time)]
    if not len(begins):
        return samples
    time = np.concatenate([samples.time, begins])
    order = np.argsort(time, kind="stable")
    return TagSamples(
        time[order],
        np.concatenate([samples.value, np.full(len(begins), np.nan)])[order],
        np.concatenate([samples.quality, np.full(len(begins), Quality.BAD_DATA_LOST, np.int16)])[order],
        samples.stepped,
    )
