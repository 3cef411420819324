"""What the loss ledger says of a tag, over every store: asked for in two queries, however many losses there are."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.ledger import Gap, GapCause
from services.retrieval.losses import begins_of, losses_of
from services.store import FIRST_TIME, Commit, Store, open_store
from tests.samples import batch_of, make_tag

LEVEL, OTHER = make_tag(1), make_tag(2, "SEP.COL101.PT102")
NOVEMBER = times.parse_time("2026-11-01T00:00:00Z", 0)
EVER = 2**62
NO_TEXTS = TextBatch.empty()
LOST = [
    Gap("A", NOVEMBER - 300, NOVEMBER - 200, GapCause.LINK_LOST),
    Gap("A", NOVEMBER - 100, NOVEMBER + 100, GapCause.BATCH_LOST),
    Gap("A", NOVEMBER - 100, NOVEMBER + 50, GapCause.LINK_LOST),
    Gap("A", NOVEMBER + 200, NOVEMBER + 201, GapCause.LINK_LOST),
    Gap("A", NOVEMBER + 300, None, GapCause.GATEWAY_STOPPED),
]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    opened.prepare([LEVEL, OTHER])
    more = [
        Gap("A", NOVEMBER - 90, NOVEMBER - 80, GapCause.LINK_LOST, recovered=True),
        Gap("B", NOVEMBER - 90, NOVEMBER + 80, GapCause.LINK_LOST),
        Gap("B", NOVEMBER - 90, None, GapCause.GATEWAY_STOPPED),
    ]
    opened.commit(Commit(SampleBatch.empty(), NO_TEXTS, gaps=[*LOST, *more]))
    yield opened
    opened.close()


def test_losses_are_those_of_one_device_that_touch_the_open_interval(store: Store) -> None:
    assert list(losses_of(store, "A", -EVER, EVER)) == LOST
    assert list(losses_of(store, "A", NOVEMBER - 200, NOVEMBER + 300)) == LOST[1:4]
    assert list(losses_of(store, "A", NOVEMBER - 201, NOVEMBER + 301)) == LOST
    assert list(losses_of(store, "A", NOVEMBER + 60, NOVEMBER + 61)) == LOST[1:2]
    assert list(losses_of(store, "A", NOVEMBER, NOVEMBER)) == []
    assert list(losses_of(store, "C", -EVER, EVER)) == []


def test_a_loss_begins_behind_its_start_and_behind_the_last_sample_inside(store: Store) -> None:
    offsets = [-400, -300, -250, -240, -200, -150, -60, -50, 60, 70, 100, 200, 201, 300, 310, 400]
    store.commit(Commit(batch_of([(1, NOVEMBER + offset, 1.0, 0) for offset in offsets] + [(2, NOVEMBER + 80, 1.0, 0), (2, NOVEMBER + 999, 1.0, 0)]), NO_TEXTS))
    begins = {-299, -239, -99, 71, -49, 201, 301}
    assert (begins_of(store, 1, LOST, EVER, FIRST_TIME) - NOVEMBER).tolist() == sorted({*begins, 401})
    assert (begins_of(store, 1, LOST, NOVEMBER + 400, FIRST_TIME) - NOVEMBER).tolist() == sorted({*begins, 311})
    assert (begins_of(store, 1, LOST, NOVEMBER + 250, FIRST_TIME) - NOVEMBER).tolist() == sorted(begins)
    assert begins_of(store, 1, [], EVER, FIRST_TIME).tolist() == []
    kept = begins_of(store, 1, LOST, EVER, NOVEMBER) - NOVEMBER
    assert set((kept[kept < 0]).tolist()) == {gap.start + 1 - NOVEMBER for gap in LOST if gap.start + 1 < NOVEMBER}, "samples before count for nothing"


def test_many_losses_cost_one_query(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 2_000
    time = NOVEMBER + np.arange(0, 10 * count, 4, dtype=np.int64)
    store.commit(Commit(SampleBatch(np.full(len(time), 1, np.int32), time, np.ones(len(time)), np.zeros(len(time), np.int16)), NO_TEXTS))
    losses = [Gap("A", NOVEMBER + 10 * number, NOVEMBER + 10 * number + 7, GapCause.LINK_LOST) for number in range(count)]
    asked: list[str] = []

    class Asked:
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return getattr(store, name)

    begins = begins_of(Asked(), 1, losses, EVER, FIRST_TIME)
    assert len(asked) == 1
    starts = np.array([loss.start for loss in losses])
    last = time[np.searchsorted(time, starts + 7) - 1]
    assert np.array_equal(begins, np.unique(np.concatenate([starts + 1, last[last > starts] + 1])))


def test_the_newest_of_each_span_is_found_across_months_where_spans_overlap(store: Store) -> None:
    store.commit(Commit(batch_of([(1, NOVEMBER + offset, 1.0, 0) for offset in (-20, -10, 0, 10)]), NO_TEXTS))
    start = NOVEMBER + np.array([-20, -20, -5, -9, 11, 5], np.int64)
    end = NOVEMBER + np.array([0, 50, 5, -1, 50, 10], np.int64)
    assert sorted((store.newest_in_spans(1, start, end) - NOVEMBER).tolist()) == [-10, 0, 10]
    assert store.newest_in_spans(1, start[:0], end[:0]).tolist() == []
    assert store.newest_in_spans(2, start, end).tolist() == []
