"""Where retention removed the samples, hours answer: an interval asked for alone gives what it gives inside a longer question, and nothing is invented for
one that cuts an hour."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from plant import times
from plant.aggregates import AggregateConfiguration, AggregateFunction, AggregateValues
from plant.batch import SampleBatch, TextBatch
from plant.ledger import Gap, GapCause
from plant.quality import Quality, good_mask
from plant.site import Site
from plant.tag import DataType, Tag
from services.historian.metrics import HistorianMetrics
from services.historian.upkeep import Upkeep
from services.retrieval import History, Intervals, Processed
from services.store import HOUR, MINUTE, Commit, Store, open_store
from tests.samples import batch_of, make_tag

LEVEL = make_tag(1)
SWITCH = make_tag(2, "SEP.COL101.XS103", data_type=DataType.BOOLEAN)
RARE = make_tag(3, "SEP.COL101.TT104")
NOTE = make_tag(4, "SEP.COL101.XT105", data_type=DataType.STRING)
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
TELL_WHAT_IS_GOOD = [AggregateFunction.DURATION_GOOD, AggregateFunction.PERCENT_GOOD]
TELL_WHAT_IS_BAD = [AggregateFunction.DURATION_BAD, AggregateFunction.PERCENT_BAD]
TELL_OF_THE_WORST = [AggregateFunction.WORST_QUALITY, AggregateFunction.WORST_QUALITY_2]
SEVERAL = [
    *FUNCTIONS,
    AggregateFunction.TOTAL,
    AggregateFunction.MAXIMUM,
    AggregateFunction.MINIMUM_2,
    AggregateFunction.DELTA,
    AggregateFunction.STANDARD_DEVIATION_SAMPLE,
    AggregateFunction.DURATION_IN_STATE_ZERO,
    *TELL_WHAT_IS_GOOD[:1],
    *TELL_WHAT_IS_BAD[:1],
]
CUTTING = [
    (START, END, 30 * MINUTE),
    (START, END, 90 * MINUTE),
    (BORDER - 2 * HOUR, BORDER + HOUR, MINUTE),
    (START + 20 * MINUTE, END - 20 * MINUTE, HOUR),
    (START + 20 * MINUTE, BORDER - 20 * MINUTE, 0),
    (START, BORDER + HOUR // 2, HOUR),
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
def whole(store_url: str) -> Iterator[Store]:
    """Rolled up, and nothing gone yet."""
    opened = open_store(store_url)
    opened.prepare([*SITE.tags, NOTE])
    opened.commit(Commit(history(), TextBatch.empty()))
    upkeep = Upkeep(opened, SITE, HistorianMetrics(CollectorRegistry()), lambda: False)
    while upkeep.keep_up(END + 24 * HOUR):
        pass
    yield opened
    opened.close()


@pytest.fixture
def store(whole: Store) -> Store:
    """Rolled up; samples before ``BORDER`` are gone."""
    before = [ask(whole, tag, function, START, END, HOUR) for tag in SITE.tags for function in FUNCTIONS]
    assert whole.drop_before(BORDER)
    after = [ask(whole, tag, function, START, END, HOUR) for tag in SITE.tags for function in FUNCTIONS]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.quality, other.quality)
        np.testing.assert_allclose(one.value, other.value)
    return whole


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
    store.save_gap(Gap(LEVEL.device, BORDER - 3 * HOUR + 30 * MINUTE, BORDER - HOUR, GapCause.GATEWAY_STOPPED))
    assert ask(store, LEVEL, AggregateFunction.PERCENT_GOOD, BORDER - 3 * HOUR, BORDER - 2 * HOUR, 0).value.tolist() == [0.0], "which were before it?"
    assert_alone_as_inside(store)
    before = [ask(store, LEVEL, function, START, END, HOUR) for function in FUNCTIONS]
    store.commit(Commit(batch_of([(LEVEL.id, BORDER - 2 * HOUR + 40 * MINUTE, 1e6, 0)]), TextBatch.empty()))
    for function, one in zip(FUNCTIONS, before, strict=True):
        np.testing.assert_array_equal(ask(store, LEVEL, function, START, END, HOUR).value, one.value)


def answers(store: Store, functions: Iterable[AggregateFunction]) -> dict[tuple[Tag, AggregateFunction, tuple[int, int, int]], AggregateValues]:
    return {(tag, function, cut): ask(store, tag, function, *cut) for tag in SITE.tags for function in functions for cut in CUTTING}


def test_an_interval_that_cuts_an_hour_is_never_good_and_other_than_it_was(whole: Store) -> None:
    before = answers(whole, SEVERAL)
    assert whole.drop_before(BORDER)
    bad = 0
    for (tag, function, cut), after in answers(whole, SEVERAL).items():
        was, what = before[tag, function, cut], f"{function} of {tag.name} in {cut}"
        same = (after.quality == was.quality) & np.isclose(after.value, was.value, equal_nan=True) & np.isclose(after.percent_good, was.percent_good)
        assert same[Intervals(*cut).edges[:-1] >= BORDER].all(), what
        assert (after.percent_good <= was.percent_good + 1e-9).all(), what
        value_is_same = np.isclose(after.value, was.value, equal_nan=True)
        if function in TELL_WHAT_IS_GOOD:
            assert (value_is_same | (after.value < was.value)).all(), what
        elif function in TELL_WHAT_IS_BAD:
            assert (value_is_same | (after.value > was.value)).all(), what
        elif function in TELL_OF_THE_WORST:
            assert (value_is_same | (after.value < 0) | (after.quality < 0)).all(), what
        else:
            assert (value_is_same | ~good_mask(after.quality)).all(), what
        if tag is RARE:
            assert same.all(), "an hour of nothing lost nothing"
        bad += int((after.quality < 0).sum() - (was.quality < 0).sum())
    assert bad > 1000


@pytest.mark.parametrize("pixels", [1, 8, 12, 14, 24, 100, 2000])
def test_a_trend_keeps_the_extremes_of_hours_however_wide_its_pixels(whole: Store, pixels: int) -> None:
    samples = whole.samples(LEVEL.id, START, END, 10_000)
    assert whole.drop_before(BORDER)
    points = Processed(whole).trend(LEVEL, START, END, pixels)
    assert len(points) <= 4 * pixels
    good = good_mask(samples.quality)
    shown = points.value[good_mask(points.quality)]
    assert (shown.min(), shown.max()) == (samples.value[good].min(), samples.value[good].max())
    if pixels < 100:
        return
    for hour in range(START, END, HOUR):
        inside = (samples.time >= hour) & (samples.time < hour + HOUR)
        drawn = (points.time >= hour) & (points.time < hour + HOUR)
        assert drawn.any() == inside.any()
        if inside.any():
            assert points.time[drawn][[0, -1]].tolist() == samples.time[inside][[0, -1]].tolist()
        if (inside & good).any():
            usable = drawn & good_mask(points.quality)
            assert points.value[usable].min() == samples.value[inside & good].min()
            assert points.value[usable].max() == samples.value[inside & good].max()
        assert (points.quality[drawn] < 0).any() == (samples.quality[inside] < 0).any(), "a gap"
    ragged = Processed(whole).trend(LEVEL, START + 10 * MINUTE, BORDER - 10 * MINUTE, pixels)
    inner = (points.time >= START + 10 * MINUTE) & (points.time < BORDER - 10 * MINUTE)
    assert ragged.time.tolist() == points.time[inner].tolist()


def test_a_trend_has_the_gap_of_a_loss_where_samples_are_removed(store: Store) -> None:
    store.save_gap(Gap(LEVEL.device, BORDER - 3 * HOUR + 30 * MINUTE, BORDER - 2 * HOUR, GapCause.GATEWAY_STOPPED))
    for pixels in (8, 100, 2000):
        points = Processed(store).trend(LEVEL, BORDER - 3 * HOUR, BORDER, pixels)
        assert (points.quality == Quality.BAD_DATA_LOST).sum() == 1


def test_what_is_written_where_samples_are_removed_is_in_no_answer(store: Store) -> None:
    before = ask(store, LEVEL, AggregateFunction.INTERPOLATIVE, BORDER - 2 * HOUR, BORDER - HOUR, 0)
    assert not np.isnan(before.value[0])
    store.commit(Commit(batch_of([(LEVEL.id, BORDER - 2 * HOUR - 1, 1e6, 0), (LEVEL.id, BORDER - HOUR + 1, -1e6, 0)]), TextBatch.empty()))
    assert ask(store, LEVEL, AggregateFunction.INTERPOLATIVE, BORDER - 2 * HOUR, BORDER - HOUR, 0).value.tolist() == before.value.tolist()
    assert_alone_as_inside(store)


def test_what_is_written_where_samples_are_removed_is_in_no_interval_that_cuts_an_hour_and_in_no_trend(store: Store) -> None:
    mixed = AggregateConfiguration(treat_uncertain_as_bad=False)
    before = answers(store, [AggregateFunction.MAXIMUM, AggregateFunction.COUNT, AggregateFunction.INTERPOLATIVE])
    curves = [Processed(store).trend(LEVEL, START, END, pixels).time.tolist() for pixels in (12, 100, 2000)]
    late = [BORDER - 3 * HOUR, BORDER - 2 * HOUR + 10 * MINUTE, BORDER - MINUTE]
    store.commit(Commit(batch_of([(tag.id, time, 1e6, 0) for tag in SITE.tags for time in late]), TextBatch.empty()))
    for (tag, function, cut), was in before.items():
        np.testing.assert_array_equal(ask(store, tag, function, *cut).value, was.value, err_msg=f"{function} of {tag.name} in {cut}")
    assert curves == [Processed(store).trend(LEVEL, START, END, pixels).time.tolist() for pixels in (12, 100, 2000)]
    found = Processed(store).aggregates(LEVEL, AggregateFunction.MAXIMUM, Intervals(START, END, HOUR // 2), configuration=mixed)
    assert np.nanmax(found.value) < 1e6


def test_a_sample_that_is_written_where_samples_are_removed_is_the_value_at_its_own_time_and_no_other(store: Store) -> None:
    late = BORDER - 2 * HOUR
    texts = TextBatch(np.array([NOTE.id], np.int32), np.array([late], np.int64), np.array(["lot 4711"], np.object_), np.array([0], np.int16))
    store.commit(Commit(batch_of([(tag.id, late, 5.0, 0) for tag in (LEVEL, SWITCH)]), texts))
    history = History(store)
    for tag, value in ((LEVEL, 5.0), (SWITCH, 5.0), (NOTE, "lot 4711")):
        found = history.at(tag, late)
        assert (found.value, found.quality) == (value, Quality.GOOD)
        assert len(history.page(tag, START, BORDER, 10).batch) == 1, "what is stored is shown"
        for time in (late + 1, BORDER - 1, BORDER):
            assert history.at(tag, time).quality == Quality.BAD_NO_DATA
    first = store.sample_after(LEVEL.id, BORDER - 1)
    assert history.at(LEVEL, int(first.time[0])).value == first.value[0]


def test_a_question_that_reads_samples_has_them_alone(store: Store) -> None:
    mixed = AggregateConfiguration(treat_uncertain_as_bad=False)
    intervals = Intervals(BORDER - HOUR, BORDER, 0)
    found = Processed(store).aggregates(LEVEL, AggregateFunction.TIME_AVERAGE_2, intervals, configuration=mixed)
    assert found.quality.tolist() == [int(Quality.BAD_NO_DATA)]
