"""Where retention removed the samples, hours answer: an interval asked for alone gives what it gives inside a longer question."""

from collections.abc import Iterator

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from plant import times
from plant.aggregates import AggregateConfiguration, AggregateFunction, AggregateValues
from plant.batch import SampleBatch, TextBatch
from plant.ledger import Gap, GapCause
from plant.quality import Quality
from plant.site import Site
from plant.tag import DataType, Tag
from services.historian.metrics import HistorianMetrics
from services.historian.upkeep import Upkeep
from services.retrieval import Intervals, Processed
from services.store import HOUR, MINUTE, Commit, Store, open_store
from tests.samples import batch_of, make_tag

LEVEL = make_tag(1)
SWITCH = make_tag(2, "SEP.COL101.XS103", data_type=DataType.BOOLEAN)
RARE = make_tag(3, "SEP.COL101.TT104")
SITE = Site("Test", {}, (LEVEL, SWITCH, RARE))
BORDER = times.parse_time("2026-12-01T00:00:00Z", 0)
"""What lies before is removed."""

START, END = BORDER - 10 * HOUR, BORDER + 4 * HOUR
FUNCTIONS = [
    AggregateFunction.START_BOUND,
    AggregateFunction.END_BOUND,
    AggregateFunction.INTERPOLATIVE,
    AggregateFunction.TIME_AVERAGE,
    AggregateFunction.TIME_AVERAGE_2,
    AggregateFunction.COUNT,
    AggregateFunction.NUMBER_OF_TRANSITIONS,
    AggregateFunction.WORST_QUALITY_2,
    AggregateFunction.PERCENT_GOOD,
]


def history() -> SampleBatch:
    """Hours that end Bad or Uncertain, hours without a Good sample, an empty one, and a tag that had its last sample months ago."""
    chance = np.random.default_rng(11)
    parts = [batch_of([(RARE.id, BORDER - 100 * 24 * HOUR, 7.5, 0), (LEVEL.id, START - 40 * HOUR, 1.0, 0), (SWITCH.id, START - 40 * HOUR, 1.0, 0)])]
    for tag in (LEVEL, SWITCH):
        time = np.arange(START + MINUTE, END, 7 * MINUTE)
        time = time[(time < START + 3 * HOUR) | (time >= START + 4 * HOUR)]
        hour = (time - START) // HOUR
        value = chance.integers(0, 2, len(time)).astype(float) if tag is SWITCH else np.cumsum(chance.normal(size=len(time)))
        quality = np.where(chance.random(len(time)) < 0.15, int(Quality.UNCERTAIN_SUB_NORMAL), 0).astype(np.int16)
        quality[np.isin(hour, [5, 6])] = int(Quality.BAD_SENSOR_FAILURE)
        quality[np.append(np.diff(hour) > 0, True) & np.isin(hour, [1, 8])] = int(Quality.BAD_SENSOR_FAILURE)
        parts.append(SampleBatch(np.full(len(time), tag.id, np.int32), time, value, quality))
    return SampleBatch.concatenate(parts)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Rolled up; samples before ``BORDER`` are gone."""
    opened = open_store(store_url)
    opened.prepare(SITE.tags)
    opened.commit(Commit(history(), TextBatch.empty()))
    upkeep = Upkeep(opened, SITE, HistorianMetrics(CollectorRegistry()), lambda: False)
    while upkeep.keep_up(END + 24 * HOUR):
        pass
    before = [ask(opened, tag, function, START, END, HOUR) for tag in SITE.tags for function in FUNCTIONS]
    assert opened.drop_before(BORDER)
    after = [ask(opened, tag, function, START, END, HOUR) for tag in SITE.tags for function in FUNCTIONS]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.quality, other.quality)
        np.testing.assert_allclose(one.value, other.value)
    yield opened
    opened.close()


def ask(store: Store, tag: Tag, function: AggregateFunction, start: int, end: int, length: int) -> AggregateValues:
    return Processed(store).aggregates(tag, function, Intervals(start, end, length))


def assert_alone_as_inside(store: Store) -> None:
    for tag in SITE.tags:
        for function in FUNCTIONS:
            inside = ask(store, tag, function, START, END, HOUR)
            alone = [ask(store, tag, function, start, start + HOUR, HOUR) for start in range(START, END, HOUR)]
            for name in ("quality", "value", "percent_good", "partial"):
                found = np.concatenate([getattr(one, name) for one in alone])
                np.testing.assert_allclose(found, getattr(inside, name), err_msg=f"{tag.name} {function} {name}")


def test_an_hour_asked_for_alone_is_as_good_as_inside_a_day(store: Store) -> None:
    assert_alone_as_inside(store)
    assert ask(store, RARE, AggregateFunction.INTERPOLATIVE, START + HOUR, START + 2 * HOUR, 0).value.tolist() == [7.5]


def test_a_loss_in_an_hour_that_is_kept_is_one_for_both(store: Store) -> None:
    store.save_gap(Gap(LEVEL.device, BORDER - 4 * HOUR + 30 * MINUTE, BORDER - 3 * HOUR, GapCause.GATEWAY_STOPPED))
    assert_alone_as_inside(store)


def test_what_is_written_where_samples_are_removed_is_in_no_answer(store: Store) -> None:
    before = ask(store, LEVEL, AggregateFunction.INTERPOLATIVE, BORDER - 2 * HOUR, BORDER - HOUR, 0)
    assert not np.isnan(before.value[0])
    store.commit(Commit(batch_of([(LEVEL.id, BORDER - 2 * HOUR - 1, 1e6, 0), (LEVEL.id, BORDER - HOUR + 1, -1e6, 0)]), TextBatch.empty()))
    assert ask(store, LEVEL, AggregateFunction.INTERPOLATIVE, BORDER - 2 * HOUR, BORDER - HOUR, 0).value.tolist() == before.value.tolist()
    assert_alone_as_inside(store)


def test_a_question_that_reads_samples_has_them_alone(store: Store) -> None:
    mixed = AggregateConfiguration(treat_uncertain_as_bad=False)
    intervals = Intervals(BORDER - HOUR, BORDER, 0)
    found = Processed(store).aggregates(LEVEL, AggregateFunction.TIME_AVERAGE_2, intervals, configuration=mixed)
    assert found.quality.tolist() == [int(Quality.BAD_NO_DATA)]
