"""Aggregates and trends over every store: roll-ups say what the samples say, whatever the edges, and a loss is never drawn over."""

from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from plant import times
from plant.aggregates import AggregateFunction, AggregateValues, TagSamples, aggregate
from plant.batch import SampleBatch, TextBatch
from plant.errors import StoreUnavailable
from plant.ledger import Gap, GapCause
from plant.quality import Quality
from plant.site import Site
from plant.tag import DataType
from services.historian.metrics import HistorianMetrics
from services.historian.upkeep import LATENESS, MINUTES_FROM, Upkeep
from services.retrieval import Intervals, Processed
from services.retrieval.summaries import SummaryReader
from services.store import HOUR, MINUTE, Commit, DueHours, RollUps, Store, open_store
from tests.samples import batch_of, make_tag

DENSE = make_tag(1)
SPARSE = make_tag(2, "SEP.COL101.PT102")
STEPPED = make_tag(3, "SEP.COL101.XS103", data_type=DataType.BOOLEAN)
TAGS = (DENSE, SPARSE, STEPPED)
SITE = Site("Test", {}, TAGS)
T0 = times.parse_time("2026-11-30T20:00:00Z", 0)  # four hours before a month ends
SECOND = times.MICROSECONDS
HOURS = 8
END = T0 + HOURS * HOUR
QUALITIES = (0, 0, 0, 0, int(Quality.UNCERTAIN_SUB_NORMAL), int(Quality.BAD_SENSOR_FAILURE))
FUNCTIONS = sorted(AggregateFunction)


def history(seed: int) -> SampleBatch:
    """Eight hours: a tag every second, one every five minutes, one that changes now and then; with Uncertain and Bad samples, and an hour of nothing."""
    chance = np.random.default_rng(seed)
    parts = []
    for tag, period in ((DENSE, SECOND), (SPARSE, 5 * MINUTE), (STEPPED, 90 * SECOND)):
        time = np.arange(T0, END, period) + (chance.integers(0, period // 2) if tag is not DENSE else 0)
        time = time[(time < T0 + 5 * HOUR) | (time >= T0 + 6 * HOUR)]
        value = chance.integers(0, 2, len(time)).astype(float) if tag is STEPPED else np.cumsum(chance.normal(size=len(time)))
        quality = np.where(chance.random(len(time)) < 0.002, chance.choice(QUALITIES, len(time)), 0).astype(np.int16)
        parts.append(SampleBatch(np.full(len(time), tag.id, np.int32), time, value, quality))
    return SampleBatch.concatenate(parts)


def keep_up(store: Store, now: int = END + HOUR) -> None:
    upkeep = Upkeep(store, SITE, HistorianMetrics(CollectorRegistry()), lambda: False)
    while upkeep.keep_up(now):
        pass


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A SQLite history that is rolled up."""
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('processed')}/history.sqlite")
    opened.prepare(TAGS)
    opened.commit(Commit(history(1), TextBatch.empty()))
    keep_up(opened)
    yield opened
    opened.close()


def assert_same(store: Store, tag_id: int, intervals: Intervals, function: AggregateFunction) -> None:
    """The answer by roll-ups is that of the samples."""
    tag = SITE.by_id[tag_id]
    found = Processed(store).aggregates(tag, function, intervals)
    reader = SummaryReader(store, tag, intervals.edges)
    around = reader.surroundings
    expected = aggregate(function, reader.from_samples(uncertain_as_bad=True), intervals.edges, before=around.before, after=around.after)
    np.testing.assert_array_equal(found.quality, expected.quality)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.percent_good, expected.percent_good, rtol=1e-9, atol=1e-9)


EDGES = st.one_of(
    st.integers(0, HOURS).map(lambda hours: hours * HOUR),
    st.integers(0, HOURS * 60).map(lambda minutes: minutes * MINUTE),
    st.integers(-HOUR, HOURS * HOUR + HOUR),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from([1, 2, 3]),
    EDGES,
    EDGES,
    st.sampled_from([0, HOUR, 2 * HOUR, 90 * MINUTE, MINUTE, 7 * MINUTE, 61 * SECOND, 3 * HOUR + 1]),
    st.sampled_from(FUNCTIONS),
)
def test_roll_ups_say_what_the_samples_say(store: Store, tag_id: int, first: int, second: int, length: int, function: AggregateFunction) -> None:
    if first == second:
        return
    assert_same(store, tag_id, Intervals(T0 + min(first, second), T0 + max(first, second), length), function)


def test_roll_ups_are_really_read(store: Store) -> None:
    reader = SummaryReader(store, DENSE, Intervals(T0, END, HOUR).edges)
    assert len(reader.from_roll_ups()) == HOURS - 1
    reader = SummaryReader(store, DENSE, Intervals(T0 + MINUTE, T0 + HOUR, 0).edges)
    assert len(reader.from_roll_ups()) == 59
    assert len(store.minutes(SPARSE.id, T0, END)) == 0, f"fewer than {MINUTES_FROM} samples an hour keep no minutes"


def test_minutes_of_hours_that_lie_near_each_other_are_read_in_one_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each three hours an interval of 90 minutes cuts one."""
    minutes = store.minutes
    reads: list[tuple[int, int]] = []

    def counted(tag_id: int, start: int, end: int, columns: Collection[str]) -> RollUps:
        reads.append((start, end))
        return minutes(tag_id, start, end, columns)

    monkeypatch.setattr(store, "minutes", counted)
    assert_same(store, DENSE.id, Intervals(T0, END, 90 * MINUTE), AggregateFunction.TIME_AVERAGE)
    assert reads == [(T0 + HOUR, END)]


RAGGED = (Intervals(T0 + 12_345_678, END - 1, 47 * MINUTE), Intervals(T0 + 12_345_678, END - 1, 3 * HOUR))


def test_ragged_intervals_are_made_of_samples_minutes_and_hours(store: Store) -> None:
    """Raw edges and rolled-up middles: each way to read has its part in the answers that stores are compared by."""
    fine, wide = (SummaryReader(store, DENSE, intervals.edges).from_roll_ups() for intervals in RAGGED)
    for rows, spans in ((fine, (fine.last_time - fine.first_time)), (wide, (wide.last_time - wide.first_time))):
        assert (spans < MINUTE - SECOND).any(), "samples"
        assert np.count_nonzero(spans == MINUTE - SECOND) > 59, "minutes"
        assert (rows is wide) == bool((spans == HOUR - SECOND).any()), "hours"


@pytest.fixture(scope="module")
def answers(store: Store) -> dict[tuple[int, int, AggregateFunction], AggregateValues]:
    """What SQLite says, by tag, number of the intervals, and function."""
    processed = Processed(store)
    return {
        (tag.id, number, function): processed.aggregates(tag, function, intervals)
        for tag in TAGS
        for number, intervals in enumerate(RAGGED)
        for function in FUNCTIONS
    }


def test_every_store_gives_one_answer(answers: dict[tuple[int, int, AggregateFunction], AggregateValues], store_url: str) -> None:
    """All functions of all kinds of tags, to 1e-9: the answer of another store, and of its samples without any roll-up."""
    store = open_store(store_url)
    try:
        store.prepare(TAGS)
        store.commit(Commit(history(1), TextBatch.empty()))
        keep_up(store)
        processed = Processed(store)
        for tag in TAGS:
            for number, intervals in enumerate(RAGGED):
                reader = SummaryReader(store, tag, intervals.edges)
                samples = TagSamples.concatenate([TagSamples.empty(tag.is_stepped), *reader.samples()])
                around = reader.surroundings
                for function in FUNCTIONS:
                    found = processed.aggregates(tag, function, intervals)
                    of_samples = aggregate(function, samples, intervals.edges, before=around.before, after=around.after)
                    assert_equal(found, answers[tag.id, number, function], f"{function} of {tag.name}, {store.features['product']} and SQLite")
                    assert_equal(found, of_samples, f"{function} of {tag.name}, by roll-ups and by samples")
    finally:
        store.close()


def assert_equal(found: AggregateValues, expected: AggregateValues, what: str) -> None:
    np.testing.assert_array_equal(found.quality, expected.quality, err_msg=what)
    np.testing.assert_array_equal(found.partial, expected.partial, err_msg=what)
    np.testing.assert_array_equal(found.actual_time, expected.actual_time, err_msg=what)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-9, atol=1e-9, err_msg=what)
    np.testing.assert_allclose(found.percent_good, expected.percent_good, rtol=1e-9, atol=1e-9, err_msg=what)


def test_what_comes_late_into_an_hour_that_is_rolled_up_is_in_the_next_answer(store_url: str) -> None:
    store = open_store(store_url)
    try:
        store.prepare(TAGS)
        store.commit(Commit(batch_of([(1, T0 + second * SECOND, 1.0, 0) for second in range(3600)]), TextBatch.empty()))
        keep_up(store)
        whole = Intervals(T0, T0 + HOUR, 0)
        assert Processed(store).aggregates(DENSE, AggregateFunction.MAXIMUM, whole).value.tolist() == [1.0]
        store.commit(Commit(batch_of([(1, T0 + 500_000, 9.0, 0)]), TextBatch.empty()))
        assert Processed(store).aggregates(DENSE, AggregateFunction.MAXIMUM, whole).value.tolist() == [9.0]
        keep_up(store)
        assert len(SummaryReader(store, DENSE, whole.edges).from_roll_ups()) == 1
        assert Processed(store).aggregates(DENSE, AggregateFunction.MAXIMUM, whole).value.tolist() == [9.0]
    finally:
        store.close()


def test_an_hour_is_rolled_up_when_it_is_over_and_a_little_more(store_url: str) -> None:
    store = open_store(store_url)
    try:
        store.prepare(TAGS)
        store.commit(Commit(batch_of([(1, T0, 1.0, 0)]), TextBatch.empty()))
        keep_up(store, T0 + HOUR + LATENESS - 1)
        assert store.due_hours(1, T0, T0 + HOUR).tolist() == [T0]
        keep_up(store, T0 + HOUR + LATENESS)
        assert store.due_hours(1, T0, T0 + HOUR).tolist() == []
        assert store.hours(1, T0, T0 + HOUR).start.tolist() == [T0]
    finally:
        store.close()


def test_a_loss_is_bad_until_the_next_sample_and_no_longer(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    try:
        store.prepare(TAGS)
        store.commit(Commit(batch_of([(1, T0 + second * SECOND, 5.0, 0) for second in range(3600) if not 600 <= second < 1500]), TextBatch.empty()))
        processed = Processed(store)
        whole = Intervals(T0, T0 + HOUR, 0)
        assert processed.aggregates(DENSE, AggregateFunction.PERCENT_GOOD, whole).value[0] > 99.9
        store.save_gap(Gap(DENSE.device, T0 + 599 * SECOND, T0 + 1500 * SECOND, GapCause.GATEWAY_STOPPED))
        for _ in range(2):
            found = processed.aggregates(DENSE, AggregateFunction.PERCENT_GOOD, whole)
            assert found.value[0] == pytest.approx(100 * (3600 - 901) / 3600, abs=0.001)
            points = processed.trend(DENSE, T0, T0 + HOUR, 60)
            assert (points.quality < 0).sum() == 1
            keep_up(store)
        store.save_gap(Gap(DENSE.device, T0 + 599 * SECOND, T0 + 1500 * SECOND, GapCause.GATEWAY_STOPPED, recovered=True))
        assert processed.aggregates(DENSE, AggregateFunction.PERCENT_GOOD, whole).value[0] > 99.9
    finally:
        store.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([1, 2, 3]), st.integers(0, 3 * HOUR), st.integers(4 * HOUR, HOURS * HOUR), st.sampled_from([1, 2, 10, 60, 100, 200, 1000]))
def test_a_trend_loses_no_extreme_and_is_at_most_four_points_a_pixel(store: Store, tag_id: int, start: int, end: int, pixels: int) -> None:
    first, last = T0 + start, T0 + end
    samples = store.samples(tag_id, first, last, 10**6)
    points = Processed(store).trend(SITE.by_id[tag_id], first, last, pixels)
    assert 0 < len(points) <= 4 * pixels
    assert (np.diff(points.time) > 0).all()
    assert first <= points.time[0]
    assert points.time[-1] < last
    usable = samples.quality >= 0
    shown = points.value[points.quality >= 0]
    assert shown.min() == samples.value[usable].min()
    assert shown.max() == samples.value[usable].max()
    assert points.time[0] - samples.time[0] <= (last - first) // pixels + HOUR, "the first sample gives way to a Bad one of its pixel at the most"
    assert points.time[-1] == samples.time[-1]


def test_intervals_beyond_what_an_answer_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="more than the 11000"):
        Intervals(T0, T0 + 20_000 * SECOND, SECOND)
    with pytest.raises(ValueError, match="lies after"):
        Intervals(T0, T0, SECOND)


def test_a_loss_that_was_filled_in_part_is_bad_behind_what_came(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    try:
        store.prepare(TAGS)
        store.commit(Commit(batch_of([(1, T0 - SECOND, 5.0, 0), (1, T0 + 600 * SECOND, 5.0, 0), (1, T0 + HOUR + SECOND, 5.0, 0)]), TextBatch.empty()))
        store.save_gap(Gap(DENSE.device, T0 - SECOND, T0 + HOUR, GapCause.GATEWAY_STOPPED))
        for _ in range(2):
            found = Processed(store).aggregates(DENSE, AggregateFunction.PERCENT_GOOD, Intervals(T0, T0 + HOUR, 0))
            assert found.value[0] < 0.001
            keep_up(store)
    finally:
        store.close()


def test_an_hour_is_thinned_once_within_its_deviation_and_what_comes_late_is_kept(store_url: str) -> None:
    smooth = make_tag(1, compression_deviation=0.5)
    site = Site("Test", {}, (smooth,))
    chance = np.random.default_rng(3)
    rows = [(1, T0 + second * SECOND, float(np.sin(second / 300) * 20 + chance.normal(scale=0.05)), 0) for second in range(3600)]
    store = open_store(store_url)
    try:
        store.prepare(site.tags)
        store.commit(Commit(batch_of(rows), TextBatch.empty()))
        upkeep = Upkeep(store, site, HistorianMetrics(CollectorRegistry()), lambda: False)
        assert upkeep.keep_up(T0 + 2 * HOUR) is False
        kept = store.samples(1, T0, T0 + HOUR, 10_000)
        assert len(kept) < 400
        raw = np.array([row[2] for row in rows])
        drawn = np.interp(np.array([row[1] for row in rows]), kept.time, kept.value)
        assert np.abs(drawn - raw).max() <= 0.5
        report = store.compression(1)
        assert report is not None
        assert (report.raw, report.kept) == (3600, len(kept))
        assert report.worst_error == pytest.approx(np.abs(drawn - raw).max())
        assert store.hours(1, T0, T0 + HOUR).summaries.good_count.tolist() == [len(kept)]
        late = [(1, T0 + second * SECOND + 1, 0.0, 0) for second in range(1000, 1100)]
        store.commit(Commit(batch_of(late), TextBatch.empty()))
        upkeep.keep_up(T0 + 2 * HOUR)
        assert len(store.samples(1, T0, T0 + HOUR, 10_000)) == len(kept) + len(late)
    finally:
        store.close()


def test_what_comes_while_an_hour_is_thinned_finds_it_whole(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    smooth = make_tag(1, compression_deviation=1.0)
    site = Site("Test", {}, (smooth,))
    rows = [(1, T0 + second * SECOND, float(second), 0) for second in range(2 * 3600)]
    spike = (1, T0 + 1800 * SECOND + 1, -5000.0, 0)
    store = open_store(store_url)
    try:
        store.prepare(site.tags)
        store.commit(Commit(batch_of(rows), TextBatch.empty()))
        upkeep = Upkeep(store, site, HistorianMetrics(CollectorRegistry()), lambda: False)
        thin = store.thin

        def late(samples: SampleBatch, done: DueHours) -> npt.NDArray[np.bool_]:
            store.commit(Commit(batch_of([spike]), TextBatch.empty()))
            return thin(samples, done)

        with monkeypatch.context() as patched:
            patched.setattr(store, "thin", late)
            upkeep.keep_up(T0 + 3 * HOUR)
        assert len(store.samples(1, T0, T0 + HOUR, 10_000)) == 3601
        second = store.samples(1, T0 + HOUR, T0 + 2 * HOUR, 10_000)
        report = store.compression(1)
        assert report is not None
        assert (report.raw, report.kept) == (3600, len(second))
        assert len(second) < 10
        upkeep.keep_up(T0 + 3 * HOUR)
        kept = store.samples(1, T0, T0 + HOUR, 10_000)
        assert len(kept) < 20
        assert spike[2] in kept.value
        raw = np.array([row[2] for row in rows[:3600]])
        assert np.abs(np.interp(np.array([row[1] for row in rows[:3600]]), kept.time, kept.value) - raw).max() <= 1.0
    finally:
        store.close()


def test_hours_that_a_failing_store_did_not_save_are_rolled_up_when_it_is_well(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(store_url)
    try:
        store.prepare(TAGS)
        store.commit(Commit(history(1), TextBatch.empty()))
        upkeep = Upkeep(store, SITE, HistorianMetrics(CollectorRegistry()), lambda: False)

        def fail(minutes: RollUps, hours: RollUps, done: DueHours) -> None:
            raise StoreUnavailable("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(store, "save_roll_ups", fail)
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    upkeep.keep_up(END + HOUR)
        upkeep.keep_up(END + HOUR)
        for tag in TAGS:
            assert len(store.due_hours(tag.id, T0, END)) == 0
            assert len(store.hours(tag.id, T0, END)) == HOURS - 1
    finally:
        store.close()
