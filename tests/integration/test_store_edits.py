"""The store suite: history that is edited and deleted, and what was known before."""

import math
import sqlite3
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.edit import EditMode
from plant.errors import StoreUnavailable, Unstorable
from plant.ledger import Position
from plant.quality import Quality
from plant.tag import DataType
from services.retrieval.as_known import as_known
from services.store import Authorship, Commit, CommitReport, Edit, Revisions, Store, open_store
from services.store.sqlite.write import delete_history
from tests.samples import batch_of, make_tag, rows_of

TAGS = [make_tag(1), make_tag(2, "SEP.COL101.PT102"), make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING)]
BAD = int(Quality.BAD_NO_COMMUNICATION)
EVER = (-(2**60), 2**60)
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
DAY = 86_400 * times.MICROSECONDS
ANNA = Authorship("anna", "transmitter was in test", T0 + 30 * DAY)
NO_TEXTS = TextBatch.empty()
MONTH_ENDS = [times.parse_time(f"{month}-01T00:00:00Z", 0) for month in ("2024-03", "2026-11", "2026-12", "2027-01", "2027-02")]

Row = tuple[int, int, float, int]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    opened.prepare(TAGS)
    yield opened
    opened.close()


def commit(store: Store, *rows: Row) -> CommitReport:
    return store.commit(Commit(batch_of(rows), NO_TEXTS))


def edit(mode: EditMode, *rows: Row, texts: TextBatch = NO_TEXTS) -> Edit:
    return Edit(batch_of(rows), texts, mode, ANNA)


def all_rows(store: Store, tag_id: int = 1) -> list[Row]:
    return rows_of(store.samples(tag_id, *EVER, 100_000))


def changes(revisions: Revisions) -> list[tuple[int, object, object]]:
    """(time, (old value, quality) or None, (new value, quality) or None) of each revision."""
    return [
        (
            int(revisions.time[row]),
            (revisions.old_value[row], int(revisions.old_quality[row])) if revisions.was[row] else None,
            (revisions.new_value[row], int(revisions.new_quality[row])) if revisions.is_now[row] else None,
        )
        for row in range(len(revisions))
    ]


def test_revisions_are_in_the_order_they_were_made_whatever_the_clocks_of_their_authors_say(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0))
    for value, time in ((2.0, ANNA.time + 9), (3.0, ANNA.time + 5)):
        store.edit(Edit(batch_of([(1, T0, value, 0)]), NO_TEXTS, EditMode.UPDATE, Authorship("anna", "", time)))
    revisions = store.revisions(1, *EVER, ANNA.time)
    assert changes(revisions) == [(T0, (1.0, 0), (2.0, 0)), (T0, (2.0, 0), (3.0, 0))]
    assert as_known(store.samples(1, *EVER, 10), revisions).value.tolist() == [1.0]


def test_an_insert_is_kept_with_who_when_and_why_and_refuses_what_is_stored(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0))
    report = store.edit(edit(EditMode.INSERT, (1, T0 + 2, 3.0, 0), (1, T0, 9.0, 0), (1, T0 + 1, 2.0, BAD)))
    assert (report.inserted, report.replaced, report.unchanged, report.rejected.tolist()) == (2, 0, 0, [1])
    assert all_rows(store) == [(1, T0, 1.0, 0), (1, T0 + 1, 2.0, BAD), (1, T0 + 2, 3.0, 0)]
    revisions = store.revisions(1, *EVER, 0)
    assert sorted(changes(revisions), key=lambda change: change[0]) == [(T0 + 1, None, (2.0, BAD)), (T0 + 2, None, (3.0, 0))]
    assert (revisions.revised_at.tolist(), revisions.user.tolist(), revisions.reason.tolist()) == ([ANNA.time] * 2, ["anna"] * 2, [ANNA.reason] * 2)
    assert np.isnan(revisions.old_value).all()
    assert revisions.old_quality.tolist() == [0, 0]


def test_a_replacement_is_kept_and_refuses_what_is_not_stored(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0), (1, T0 + 1, 2.0, 0))
    report = store.edit(edit(EditMode.REPLACE, (1, T0 + 7, 7.0, 0), (1, T0, 1.5, 0), (1, T0 + 1, 2.0, 0)))
    assert (report.inserted, report.replaced, report.unchanged, report.rejected.tolist()) == (0, 1, 1, [0])
    assert all_rows(store) == [(1, T0, 1.5, 0), (1, T0 + 1, 2.0, 0)]
    assert changes(store.revisions(1, *EVER, 0)) == [(T0, (1.0, 0), (1.5, 0))]


def test_an_update_inserts_and_replaces_numbers_and_texts(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0))
    store.commit(Commit(SampleBatch.empty(), TextBatch.of([3], [T0], ["LOT-1"], [0])))
    texts = TextBatch.of([3, 3], [T0, T0 + 5], ["LOT-2", "LOT-3"], [0, 0])
    report = store.edit(edit(EditMode.UPDATE, (1, T0, 1.5, 0), (1, T0 + 1, 2.0, 0), texts=texts))
    assert (report.inserted, report.replaced, report.unchanged) == (2, 2, 0)
    assert (report.rejected.tolist(), report.rejected_texts.tolist()) == ([], [])
    assert store.texts(3, *EVER, 10).value.tolist() == ["LOT-2", "LOT-3"]
    assert sorted(changes(store.revisions(3, *EVER, 0)), key=lambda change: change[0]) == [(T0, ("LOT-1", 0), ("LOT-2", 0)), (T0 + 5, None, ("LOT-3", 0))]


def test_rejected_texts_are_positions_of_their_own(store: Store) -> None:
    store.commit(Commit(SampleBatch.empty(), TextBatch.of([3], [T0], ["LOT-1"], [0])))
    report = store.edit(edit(EditMode.INSERT, (1, T0, 1.0, 0), texts=TextBatch.of([3, 3], [T0 + 1, T0], ["LOT-2", "LOT-9"], [0, 0])))
    assert (report.inserted, report.rejected.tolist(), report.rejected_texts.tolist()) == (2, [], [1])


def test_an_edit_over_months_rejects_by_the_order_it_was_given_in(store: Store) -> None:
    borders = [time + step for time in MONTH_ENDS for step in (0, -1)]
    commit(store, *((1, time, 1.0, 0) for time in borders[::3]))
    report = store.edit(edit(EditMode.INSERT, *((1, time, 2.0, 0) for time in borders)))
    assert report.rejected.tolist() == list(range(0, len(borders), 3))
    assert report.inserted == len(borders) - len(report.rejected)
    assert [row[1] for row in all_rows(store)] == sorted(borders)


def test_deleting_keeps_what_was_there(store: Store) -> None:
    rows = [(1, T0 + number * 15 * DAY, float(number), 0) for number in range(6)]
    commit(store, *rows, (2, T0, 5.0, 0))
    assert store.delete(1, rows[1][1], rows[4][1], ANNA) == 3
    assert store.delete(1, rows[1][1], rows[4][1], ANNA) == 0
    assert all_rows(store) == [rows[0], rows[4], rows[5]]
    assert all_rows(store, 2) == [(2, T0, 5.0, 0)]
    assert changes(store.revisions(1, *EVER, 0)) == [(row[1], (row[2], 0), None) for row in rows[1:4]]


def test_texts_are_deleted_too(store: Store) -> None:
    store.commit(Commit(SampleBatch.empty(), TextBatch.of([3, 3], [T0, T0 + 1], ["LOT-1", "LOT-2"], [0, BAD])))
    assert store.delete(3, T0 + 1, T0 + 2, ANNA) == 1
    assert store.texts(3, *EVER, 10).value.tolist() == ["LOT-1"]
    (change,) = changes(store.revisions(3, *EVER, 0))
    assert change == (T0 + 1, ("LOT-2", BAD), None)
    assert store.revisions(3, *EVER, 0).new_value.tolist() == [""]


def test_a_nan_that_was_there_is_not_the_same_as_nothing(store: Store) -> None:
    commit(store, (1, T0, math.nan, BAD))
    store.edit(edit(EditMode.REPLACE, (1, T0, 1.0, 0)))
    store.edit(edit(EditMode.REPLACE, (1, T0, math.nan, BAD)))
    assert store.edit(edit(EditMode.REPLACE, (1, T0, math.nan, BAD))).unchanged == 1
    revisions = store.revisions(1, *EVER, 0)
    assert (revisions.was.tolist(), revisions.is_now.tolist()) == ([True, True], [True, True])
    assert np.isnan(revisions.old_value).tolist() == [True, False]
    assert (revisions.old_quality.tolist(), revisions.new_quality.tolist()) == ([BAD, 0], [0, BAD])


def test_revisions_are_found_by_time_and_by_when_they_were_made(store: Store) -> None:
    for number in range(4):
        author = Authorship("anna", f"try {number}", ANNA.time + number)
        store.edit(Edit(batch_of([(1, T0 + number % 2, float(number), 0)]), NO_TEXTS, EditMode.UPDATE, author))
    assert store.revisions(1, T0, T0 + 1, 0).new_value.tolist() == [0.0, 2.0]
    assert store.revisions(1, T0, T0 + 2, ANNA.time + 1).reason.tolist() == ["try 2", "try 3"]
    assert len(store.revisions(1, T0 + 2, T0 + 9, 0)) == 0
    assert len(store.revisions(2, *EVER, 0)) == 0


def test_a_corrected_value_of_the_device_is_a_revision_of_nobody(store: Store) -> None:
    commit(store, (1, T0, 1.0, 0))
    assert commit(store, (1, T0, 2.0, 0), (1, T0 + 1, 3.0, 0)) == CommitReport(1, 0, 1)
    revisions = store.revisions(1, *EVER, 0)
    assert changes(revisions) == [(T0, (1.0, 0), (2.0, 0))]
    assert (revisions.user.tolist(), revisions.reason.tolist()) == ([""], [""])
    assert times.now() - 60 * times.MICROSECONDS < revisions.revised_at[0] <= times.now()


def test_an_edit_outside_the_calendar_is_refused_and_writes_nothing(store: Store) -> None:
    with pytest.raises(Unstorable, match="years 1 to 9999"):
        store.edit(edit(EditMode.UPDATE, (1, T0, 1.0, 0), (1, 2**62, 1.0, 0)))
    assert all_rows(store) == []


def test_a_commit_over_a_month_border_is_whole_and_told_again_changes_nothing(store: Store) -> None:
    rows = [(tag_id, time + step, float(step), 0) for tag_id in (1, 2) for time in MONTH_ENDS for step in (-2, -1, 0, 1)]
    told = Commit(batch_of(rows), TextBatch.of([3] * len(MONTH_ENDS), MONTH_ENDS, ["x"] * len(MONTH_ENDS), [0] * len(MONTH_ENDS)), [Position("A", 1, 2, T0)])
    assert store.commit(told) == CommitReport(len(rows) + len(MONTH_ENDS), 0, 0)
    assert store.commit(told) == CommitReport(0, len(rows) + len(MONTH_ENDS), 0)
    assert all_rows(store) + all_rows(store, 2) == sorted(rows)
    assert store.texts(3, *EVER, 100).time.tolist() == MONTH_ENDS
    assert store.positions() == {"A": Position("A", 1, 2, T0)}


def test_bounds_are_found_months_away(store: Store) -> None:
    commit(store, (1, MONTH_ENDS[0] - 1, 1.0, 0), (1, MONTH_ENDS[4], 2.0, 0), (2, MONTH_ENDS[2], 9.0, 0))
    assert store.sample_before(1, MONTH_ENDS[4] - 1).value.tolist() == [1.0]
    assert store.sample_before(1, MONTH_ENDS[4] + 400 * DAY).value.tolist() == [2.0]
    assert store.sample_after(1, MONTH_ENDS[0] - 1).value.tolist() == [2.0]
    assert store.sample_after(1, 0).value.tolist() == [1.0]
    assert len(store.sample_after(1, MONTH_ENDS[4])) == len(store.sample_before(1, MONTH_ENDS[0] - 2)) == 0
    assert len(store.text_before(3, MONTH_ENDS[4])) == len(store.text_after(3, 0)) == 0


def test_a_scan_is_what_a_read_is_in_batches(store: Store) -> None:
    count = 120_000
    time = MONTH_ENDS[2] - 60_000 + np.arange(count, dtype=np.int64)
    value = np.where(np.arange(count) % 7 == 0, np.nan, np.arange(count))
    store.commit(Commit(SampleBatch(np.full(count, 1, np.int32), time, value, np.zeros(count, np.int16)), NO_TEXTS))
    batches = list(store.scan(1, int(time[10]), int(time[-10])))
    assert max(map(len, batches)) <= 50_000
    whole = SampleBatch.concatenate(batches)
    assert np.array_equal(whole.time, time[10:-10])
    assert np.array_equal(whole.value, value[10:-10], equal_nan=True)
    assert list(store.scan(2, *EVER)) == []


def test_a_scan_of_texts(store: Store) -> None:
    store.commit(Commit(SampleBatch.empty(), TextBatch.of([3] * 5, MONTH_ENDS, list("abcde"), [0] * 5)))
    assert TextBatch.concatenate(list(store.scan_texts(3, MONTH_ENDS[1], MONTH_ENDS[4]))).value.tolist() == ["b", "c", "d"]


def test_a_scan_that_is_left_leaves_nothing_behind(store: Store) -> None:
    commit(store, *((1, T0 + number, 1.0, 0) for number in range(60_000)))
    for _ in range(40):
        reading = store.scan(1, *EVER)
        next(reading)
        reading.close()  # type: ignore[attr-defined]  # iterators of stores are generators
    assert commit(store, (1, T0 - 1, 1.0, 0)).inserted == 1
    assert store.delete(1, *EVER, ANNA) == 60_001


def test_a_scan_does_not_see_what_is_written_meanwhile(store: Store) -> None:
    commit(store, *((1, T0 + 2 * number, 1.0, 0) for number in range(60_000)))
    reading = store.scan(1, *EVER)
    seen = len(next(reading))
    commit(store, *((1, T0 + 2 * number + 1, 2.0, 0) for number in range(60_000)))
    assert seen + sum(len(batch) for batch in reading) == 60_000
    assert len(all_rows(store)) == 100_000


moments = st.sampled_from(MONTH_ENDS).flatmap(lambda end: st.integers(-3, 3).map(lambda step: end + step))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(moments, max_size=25), moments, moments, st.integers(1, 5))
def test_pages_over_month_borders_lose_and_double_nothing(store: Store, stored: set[int], start: int, end: int, limit: int) -> None:
    store.delete(1, *EVER, ANNA)
    commit(store, *((1, time, float(time - T0), 0) for time in stored))
    wanted = sorted(time for time in stored if start <= time < end)
    found: list[int] = []
    begin = start
    while page := store.samples(1, begin, end, limit).time.tolist():
        assert len(page) <= limit
        found += page
        begin = page[-1] + 1
    assert found == wanted
    assert [time for batch in store.scan(1, start, end) for time in batch.time.tolist()] == wanted
    assert store.sample_before(1, start).time.tolist() == sorted(time for time in stored if time <= start)[-1:]
    assert store.sample_after(1, start).time.tolist() == sorted(time for time in stored if time > start)[:1]


def current(store: Store) -> list[Row | tuple[int, int, str]]:
    numbers, texts = store.snapshot()
    return [*rows_of(numbers), *zip(texts.tag_id.tolist(), texts.time.tolist(), texts.value.tolist(), strict=True)]


def test_the_newest_that_is_left_is_current_when_the_newest_is_deleted(store: Store) -> None:
    commit(store, (1, T0 - 40 * DAY, 1.0, 0), (1, T0, 2.0, 0), (1, T0 + 1, 3.0, 0), (2, T0, 5.0, 0))
    store.commit(Commit(batch_of([]), TextBatch.of([3, 3], [T0, T0 + 5], ["LOT-1", "LOT-2"], [0, 0])))
    store.prepare(TAGS)  # brings the snapshot up
    other, lot = (2, T0, 5.0, 0), (3, T0 + 5, "LOT-2")
    assert current(store) == [(1, T0 + 1, 3.0, 0), other, lot]
    store.delete(1, T0, T0 + 1, ANNA)
    assert current(store) == [(1, T0 + 1, 3.0, 0), other, lot], "an older one changes nothing"
    store.delete(1, T0 + 1, T0 + DAY, ANNA)
    assert current(store) == [(1, T0 - 40 * DAY, 1.0, 0), other, lot]
    store.delete(3, T0 + 1, T0 + DAY, ANNA)
    assert current(store) == [(1, T0 - 40 * DAY, 1.0, 0), other, (3, T0, "LOT-1")]
    store.delete(1, *EVER, ANNA)
    store.delete(3, *EVER, ANNA)
    assert current(store) == [other]
    store.prepare(TAGS)
    assert current(store) == [other]


def test_a_kill_in_a_deletion_leaves_no_current_value_that_history_does_not_have(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(sqlite_url)
    store.prepare(TAGS)
    commit(store, *((1, month, float(number), 0) for number, month in enumerate(MONTH_ENDS)))
    store.prepare(TAGS)
    delete = delete_history

    def killed(connection: sqlite3.Connection, tag_id: int, start: int, end: int, author: Authorship) -> int:
        deleted = delete(connection, tag_id, start, end, author)
        if deleted and connection.execute("SELECT count(*) FROM sample_revision WHERE ts = ?", (MONTH_ENDS[3],)).fetchone() != (0,):
            raise StoreUnavailable("killed")
        return deleted

    with monkeypatch.context() as patched:
        patched.setattr("services.store.sqlite.store.delete_history", killed)
        with pytest.raises(StoreUnavailable, match="killed"):
            store.delete(1, MONTH_ENDS[1], MONTH_ENDS[4] + 1, ANNA)
    store.close()
    store = open_store(sqlite_url)
    store.prepare(TAGS)
    left = all_rows(store)
    assert len(left) == 3
    assert current(store) == left[-1:]
    store.delete(1, MONTH_ENDS[1], MONTH_ENDS[4] + 1, ANNA)
    assert current(store) == [(1, MONTH_ENDS[0], 0.0, 0)]
    store.close()
