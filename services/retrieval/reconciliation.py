"""What a loss cost: of each row of the loss ledger, how many samples should have come, how many are stored, and how many are lost.

Rules:

1. Only tags that report every sample count (no deadband, no thinning): of the others nobody can say how many should have come.
2. A tag should have come once each scan within the gap, its ends not included.
3. What is stored within a gap came after all: from the device's own history, from a queue, or by hand. It is at most what should have come.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from plant.ledger import Gap
from plant.site import Site
from plant.tag import Tag
from services.store import Store


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """``expected`` and ``recovered`` count samples; ``counted`` tags of the device report every sample, of ``tags`` that it has."""

    gap: Gap
    tags: int
    counted: int
    expected: int
    recovered: int

    @property
    def lost(self) -> int:
        return self.expected - self.recovered


def reconciled(store: Store, site: Site, gaps: Sequence[Gap], now: int) -> Sequence[Reconciliation]:
    """One for each gap, in their order; one that lasts is counted up to ``now`` (UTC microseconds). Reads every sample within the gaps."""
    by_device: dict[str, list[Tag]] = {}
    for tag in site.tags:
        by_device.setdefault(tag.device, []).append(tag)
    return [_of(store, gap, by_device.get(gap.device, []), now) for gap in gaps]


def _of(store: Store, gap: Gap, tags: Sequence[Tag], now: int) -> Reconciliation:
    counted = [tag for tag in tags if _reports_every_sample(tag)]
    end = now if gap.end is None else gap.end
    expected = recovered = 0
    for tag in counted:
        due = max(0, -(-(end - gap.start) // (tag.scan_ms * 1000)) - 1)
        expected += due
        recovered += min(due, _stored(store, tag, gap.start + 1, end))
    return Reconciliation(gap, len(tags), len(counted), expected, recovered)


def _reports_every_sample(tag: Tag) -> bool:
    return tag.has_value and tag.deadband is None and tag.compression_deviation is None


def _stored(store: Store, tag: Tag, start: int, end: int) -> int:
    """Samples that say what was: a Bad one tells of the loss itself."""
    batches = store.scan_texts(tag.id, start, end) if tag.data_type.is_text else store.scan(tag.id, start, end)
    return sum(int((batch.quality >= 0).sum()) for batch in batches)
