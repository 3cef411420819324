"""The store suite: hours that are due, their roll-ups, thinning and retention."""

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest

from plant import times
from plant.aggregates import STORED_COLUMNS, Summaries, TagSamples, summarise
from plant.batch import TextBatch
from plant.compression_report import CompressionReport
from plant.edit import EditMode
from plant.quality import Quality
from plant.tag import DataType
from services.store import HOUR, MINUTE, Authorship, Commit, DueHours, Edit, RollUps, Store, open_store
from tests.samples import batch_of, make_tag, rows_of

TAGS = [make_tag(1), make_tag(2, "SEP.COL101.PT102")]
BAD = int(Quality.BAD_NO_COMMUNICATION)
UNCERTAIN = int(Quality.UNCERTAIN_LAST_USABLE_VALUE)
EVER = (-(2**60), 2**60)
T0 = times.parse_time("2026-11-30T22:00:00Z", 0)
LATER = T0 + 1000 * HOUR
ANNA = Authorship("anna", "")
NO_TEXTS = TextBatch.empty()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    opened.prepare(TAGS)
    yield opened
    opened.close()


def commit(store: Store, *rows: tuple[int, int, float, int]) -> None:
    store.commit(Commit(batch_of(rows), NO_TEXTS))


def pairs(due: DueHours) -> list[tuple[int, int]]:
    """(tag id, hours since T0)"""
    return list(zip(due.tag_id.tolist(), ((due.hour - T0) // HOUR).tolist(), strict=True))


def due_of(store: Store, tag_id: int = 1) -> list[int]:
    """Hours since T0 that are not to be used."""
    return [(hour - T0) // HOUR for hour in store.due_hours(tag_id, *EVER).tolist()]


def rolled_up(store: Store, due: DueHours, width: int) -> RollUps:
    """Roll-ups of the hours of one tag, as its samples have them."""
    edges = np.unique(np.concatenate([np.arange(hour, hour + HOUR + 1, width) for hour in due.hour.tolist()]))
    samples = store.samples(int(due.tag_id[0]), int(edges[0]), int(edges[-1]), 100_000)
    summaries = summarise(TagSamples(samples.time, samples.value, samples.quality, stepped=False), edges)
    kept = summaries.filled & np.isin(edges[:-1] // HOUR * HOUR, due.hour)
    return RollUps(np.full(np.count_nonzero(kept), due.tag_id[0], np.int32), edges[:-1][kept], summaries.select(kept))


def roll_up(store: Store, before: int = LATER) -> DueHours:
    """What the historian does with hours of one tag that are due."""
    due = store.take_due(before, 1000)
    assert len(due)
    store.save_roll_ups(rolled_up(store, due, MINUTE), rolled_up(store, due, HOUR), due)
    return due


def assert_same(found: RollUps, wanted: RollUps) -> None:
    assert (found.tag_id.tolist(), found.start.tolist()) == (wanted.tag_id.tolist(), wanted.start.tolist())
    assert isinstance(found.summaries, Summaries)
    for name, dtype in STORED_COLUMNS.items():
        column = getattr(found.summaries, name)
        assert column.dtype == dtype, name
        np.testing.assert_array_equal(column, getattr(wanted.summaries, name), err_msg=name)


def test_the_hours_of_what_was_written_are_due(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0), (1, T0 + HOUR - 1, 1.0, 0), (1, T0 + HOUR, 1.0, 0), (2, T0 + 5 * HOUR, 1.0, 0), (1, T0 - 1, 1.0, BAD))
    assert due_of(store) == [-1, 0, 1]
    assert due_of(store, 2) == [5]
    assert pairs(store.take_due(T0 + HOUR, 10)) == [(1, -1), (1, 0)]
    assert pairs(store.take_due(LATER, 1)) == [(1, 1)]
    assert pairs(store.take_due(LATER, 10)) == [(2, 5)]
    assert pairs(store.take_due(LATER, 10)) == []
    assert due_of(store) == [-1, 0, 1], "what is in hand is not to be used either"


def test_due_hours_are_those_that_touch_the_span(store: Store) -> None:
    commit(store, *((1, T0 + number * HOUR, 1.0, 0) for number in range(5)))
    assert [(hour - T0) // HOUR for hour in store.due_hours(1, T0 + 2 * HOUR - 1, T0 + 3 * HOUR).tolist()] == [1, 2]
    assert [(hour - T0) // HOUR for hour in store.due_hours(1, T0 + 2 * HOUR, T0 + 3 * HOUR + 1).tolist()] == [2, 3]


def test_hours_before_1970_are_hours_too(store: Store) -> None:
    time = times.parse_time("1969-12-31T23:59:59Z", 0)
    commit(store, (1, time, 1.0, 0), (1, 0, 1.0, 0))
    assert store.due_hours(1, *EVER).tolist() == [-HOUR, 0]
    assert store.take_due(0, 10).hour.tolist() == [-HOUR]


def test_roll_ups_come_back_as_they_were(store: Store) -> None:
    rows = [(1, T0 + number * 20 * times.MICROSECONDS, float(number % 100) / 3, (0, 0, UNCERTAIN, BAD)[number % 4]) for number in range(1000)]
    commit(store, *rows, (1, T0 + 8 * HOUR, float("nan"), BAD))
    due = store.take_due(LATER, 1000)
    minutes, hours = rolled_up(store, due, MINUTE), rolled_up(store, due, HOUR)
    assert len(minutes) > 300
    assert np.isnan(hours.summaries.mean[-1])
    store.save_roll_ups(minutes, hours, due)
    assert due_of(store) == []
    assert_same(store.hours(1, *EVER), hours)
    assert_same(store.minutes(1, *EVER), minutes)
    assert store.hours(1, T0, T0 + HOUR).start.tolist() == [T0]
    assert store.hours(1, T0 + 1, T0 + HOUR + 1).start.tolist() == [T0 + HOUR]
    assert store.minutes(1, T0 + HOUR, T0 + HOUR + 2 * MINUTE).start.tolist() == [T0 + HOUR, T0 + HOUR + MINUTE]
    assert len(store.hours(2, *EVER)) == len(store.minutes(2, *EVER)) == 0


def test_an_hour_that_changed_is_due_again_and_rolled_up_anew(store: Store) -> None:
    commit(store, (1, T0 + 3 * HOUR, 1.0, 0), (1, T0 + 3 * HOUR + 9 * MINUTE, 2.0, 0), (1, T0, 5.0, 0))
    roll_up(store)
    commit(store, (1, T0 + 3 * HOUR, 7.0, 0))
    assert due_of(store) == [3]
    store.delete(1, T0 + 3 * HOUR + MINUTE, T0 + 4 * HOUR, ANNA)
    assert pairs(roll_up(store)) == [(1, 3)]
    assert store.minutes(1, *EVER).summaries.maximum.tolist() == [5.0, 7.0]
    assert store.hours(1, *EVER).summaries.good_count.tolist() == [1, 1]
    store.delete(1, T0 + 3 * HOUR, T0 + 4 * HOUR, ANNA)
    store.edit(Edit(batch_of([(1, T0 + 7 * HOUR, 1.0, 0)]), NO_TEXTS, EditMode.INSERT, ANNA))
    assert due_of(store) == [3, 7]
    roll_up(store)
    assert store.hours(1, *EVER).start.tolist() == [T0, T0 + 7 * HOUR]
    assert store.minutes(1, *EVER).start.tolist() == [T0, T0 + 7 * HOUR]


def test_an_hour_that_changes_while_it_is_in_hand_stays_due(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0), (1, T0 + HOUR, 1.0, 0))
    due = store.take_due(LATER, 10)
    minutes, hours = rolled_up(store, due, MINUTE), rolled_up(store, due, HOUR)
    commit(store, (1, T0 + 1, 9.0, 0))
    store.save_roll_ups(minutes, hours, due)
    assert due_of(store) == [0]
    assert pairs(roll_up(store)) == [(1, 0)]
    assert store.hours(1, *EVER).summaries.maximum.tolist() == [9.0, 1.0]
    assert due_of(store) == []


def test_hours_in_the_hands_of_a_historian_that_died_are_due_again(store: Store, store_url: str) -> None:
    commit(store, (1, T0, 1.0, 0), (1, T0 + 2 * HOUR, 1.0, 0))
    assert len(store.take_due(LATER, 10)) == 2
    again = open_store(store_url)
    again.prepare(TAGS)
    assert pairs(again.take_due(LATER, 10)) == [(1, 0), (1, 2)]
    again.close()


def test_hours_that_are_taken_back_are_due_again(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0), (1, T0 + 2 * HOUR, 1.0, 0))
    assert len(store.take_due(LATER, 10)) == 2
    store.take_back()
    assert pairs(store.take_due(LATER, 10)) == [(1, 0), (1, 2)]


def test_what_changes_nothing_may_make_an_hour_due_but_never_wrong(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0))
    roll_up(store)
    commit(store, (1, T0, 1.0, 0))
    if due_of(store):
        roll_up(store)
    assert due_of(store) == []
    assert store.hours(1, *EVER).summaries.good_count.tolist() == [1]


def test_thinning_removes_samples_without_a_revision_and_is_remembered(store: Store) -> None:
    rows = [(1, T0 + 90 * MINUTE + number, float(number), 0) for number in range(0, 120 * MINUTE, 10 * MINUTE)]
    commit(store, *rows)
    due = store.take_due(LATER, 10)
    assert not due.thinned.any()
    assert store.thin(batch_of(rows[1:-1]), due).tolist() == [True, True, True]
    assert due_of(store) == [1, 2, 3], "they are still in hand"
    assert rows_of(store.samples(1, *EVER, 100)) == [rows[0], rows[-1]]
    assert len(store.revisions(1, *EVER, 0)) == 0
    store.save_roll_ups(rolled_up(store, due, MINUTE), rolled_up(store, due, HOUR), due)
    assert due_of(store) == []
    commit(store, (1, rows[3][1] + 1, 3.0, 0), (1, T0 + 9 * HOUR, 1.0, 0))
    again = store.take_due(LATER, 10)
    assert (pairs(again), again.thinned.tolist()) == ([(1, 2), (1, 9)], [True, False])


def test_an_hour_that_changed_since_it_was_read_is_left_whole_and_thinned_the_next_time(store: Store) -> None:
    rows = [(1, T0 + number * MINUTE, float(number), 0) for number in range(100)]
    commit(store, *rows)
    due = store.take_due(LATER, 10)
    left_out = batch_of(rows[1:59] + rows[61:99])
    commit(store, (1, T0 + 1, -5000.0, 0), (1, T0 + 2 * MINUTE, 50.0, 0))
    assert store.thin(left_out, due).tolist() == [False, True]
    assert store.samples(1, T0, T0 + HOUR, 100).value.tolist() == [0.0, -5000.0, 1.0, 50.0, *map(float, range(3, 60))]
    assert store.samples(1, T0 + HOUR, T0 + 2 * HOUR, 100).value.tolist() == [60.0, 99.0]
    store.save_roll_ups(rolled_up(store, due, MINUTE), rolled_up(store, due, HOUR), due)
    again = store.take_due(LATER, 10)
    assert (pairs(again), again.thinned.tolist()) == ([(1, 0)], [False])
    assert store.thin(left_out, again).tolist() == [True]
    assert store.samples(1, T0, T0 + HOUR, 100).value.tolist() == [0.0, -5000.0, 50.0, 59.0], "one that was corrected is not the one that was left out"


def test_what_thinning_did_adds_up(store: Store) -> None:
    assert store.compression(1) is None
    store.add_compression([])
    store.add_compression([CompressionReport(1, 100, 10, 0.5), CompressionReport(2, 7, 7, 0.0)])
    store.add_compression([CompressionReport(1, 50, 1, 0.25)])
    assert store.compression(1) == CompressionReport(1, 150, 11, 0.5)


def test_retention_drops_samples_and_minutes_and_keeps_hours(store: Store) -> None:
    months = [times.parse_time(f"2026-{month:02d}-15T00:00:00Z", 0) for month in (7, 8, 9, 10)]
    commit(store, *((1, time, float(number), 0) for number, time in enumerate(months)))
    roll_up(store)
    commit(store, (1, months[0] + HOUR, 9.0, 0), (1, months[3] + HOUR, 9.0, 0))
    hours = store.hours(1, *EVER)
    assert store.drop_before(times.parse_time("2026-06-01T00:00:00Z", 0)) == []
    assert store.drop_before(months[2] - HOUR if store.features["timescaledb"] != "none" else times.parse_time("2026-09-01T00:00:00Z", 0))
    assert store.samples(1, *EVER, 10).time.tolist() == [*months[2:], months[3] + HOUR]
    assert store.minutes(1, *EVER).start.tolist() == months[2:]
    assert_same(store.hours(1, *EVER), hours)
    assert store.sample_after(1, 0).time.tolist() == [months[2]]
    assert store.size() > 0
    if store.features["product"] == "SQLite":
        assert store.due_hours(1, *EVER).tolist() == [months[3] + HOUR]
    commit(store, (1, months[1], 1.0, 0))
    assert store.sample_after(1, 0).time.tolist() == [months[1]]


def test_what_comes_into_a_time_that_retention_dropped_leaves_its_roll_ups_as_they_are(store: Store, store_url: str) -> None:
    old = times.parse_time("2026-01-10T10:00:00Z", 0)
    commit(store, *((1, old + number * MINUTE, 50.0, 0) for number in range(60)), (1, T0, 1.0, 0))
    roll_up(store)
    hours = store.hours(1, *EVER)
    store.edit(Edit(batch_of([(1, old + 1, 60.0, 0)]), NO_TEXTS, EditMode.INSERT, ANNA))
    in_hand = store.take_due(LATER, 10)
    assert pairs(in_hand) == [(1, (old - T0) // HOUR)]
    assert store.drop_before(T0 - 60 * 24 * HOUR)
    commit(store, (1, old + 5, 0.0, 0))
    store.save_roll_ups(rolled_up(store, in_hand, MINUTE), rolled_up(store, in_hand, HOUR), in_hand)
    store.edit(Edit(batch_of([(1, old + 6, 0.0, 0)]), NO_TEXTS, EditMode.INSERT, ANNA))
    store.delete(1, old + 6, old + 7, ANNA)
    with contextlib.closing(open_store(store_url)) as again:
        again.prepare(TAGS)
        commit(again, (1, old + 7, 0.0, 0))
    assert due_of(store) == []
    assert_same(store.hours(1, *EVER), hours)
    commit(store, (1, T0 + 1, 1.0, 0), (1, old + 8, 0.0, 0))
    assert due_of(store) == [0]
    roll_up(store)
    assert store.hours(1, *EVER).summaries.good_count.tolist() == [60, 2]


def test_nothing_that_retention_did_not_drop_is_kept_from_being_rolled_up(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0))
    assert store.drop_before(T0 - 60 * 24 * HOUR) == []
    commit(store, (1, T0 - 100 * 24 * HOUR, 1.0, 0))
    assert due_of(store) == [-2400, 0]


def test_hours_of_a_tag_that_is_stepped_now_and_was_not_are_due(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0), (1, T0 + 5 * HOUR, 1.0, 0))
    roll_up(store, T0 + 2 * HOUR)
    commit(store, (2, T0, 1.0, 0))
    roll_up(store, T0 + 2 * HOUR)
    assert store.hours(1, *EVER).start.tolist() == store.hours(2, *EVER).start.tolist() == [T0]
    store.prepare(TAGS)
    assert due_of(store) == [5]
    stepped = [make_tag(1, data_type=DataType.INT16), TAGS[1]]
    store.prepare(stepped)
    assert (due_of(store), due_of(store, 2)) == ([0, 5], [])
    assert pairs(store.take_due(LATER, 10)) == [(1, 0), (1, 5)]
    store.prepare(stepped)
    store.prepare(TAGS)
    assert due_of(store) == [0, 5]
