"""The store suite: what every store does, on every database there is."""

import contextlib
import math
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.errors import ConfigurationError, StoreUnavailable, Unstorable
from plant.event import Event
from plant.ledger import Gap, GapCause, Position
from plant.quality import Quality
from plant.tag import DataType
from services.store import FIRST_TIME, LAST_TIME, Account, Commit, CommitReport, InputChange, Store, open_store
from tests.postgres import PostgresServer
from tests.samples import batch_of, make_tag, rows_of

TAGS = [make_tag(1), make_tag(2, "SEP.COL101.PT102"), make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING)]
BAD = int(Quality.BAD_NO_COMMUNICATION)
EVER = (-(2**60), 2**60)
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    opened.prepare(TAGS)
    yield opened
    opened.close()


def numbers(*rows: tuple[int, int, float, int]) -> Commit:
    return Commit(batch_of(rows), TextBatch.empty())


def all_rows(store: Store, tag_id: int = 1) -> list[tuple[int, int, float, int]]:
    return rows_of(store.samples(tag_id, *EVER, 1000))


def test_samples_come_back_as_they_were_and_in_order(store: Store) -> None:
    rows = [(1, T0 + 1, 1.5, 0), (1, T0 - 5, -math.inf, BAD), (2, T0, 7.0, 0), (1, T0 + 3, 1e-300, 0x4093)]
    assert store.commit(numbers(*rows)) == CommitReport(4, 0, 0)
    assert all_rows(store) == sorted(row for row in rows if row[0] == 1)
    assert all_rows(store, 2) == [(2, T0, 7.0, 0)]


def test_nan_is_a_value_like_another(store: Store) -> None:
    store.commit(numbers((1, T0, math.nan, BAD)))
    assert store.commit(numbers((1, T0, math.nan, BAD))) == CommitReport(0, 1, 0)
    (row,) = all_rows(store)
    assert math.isnan(row[2])
    assert row[3] == BAD


def test_changes_of_inputs_are_replaced_as_a_whole(store: Store, store_url: str) -> None:
    assert store.input_changes() == []
    changes = [InputChange(2, T0, T0 + 1, by_hand=True), InputChange(1, T0 + 9, LAST_TIME, by_hand=False), InputChange(1, FIRST_TIME, T0, by_hand=False)]
    store.save_input_changes(changes)
    with contextlib.closing(open_store(store_url)) as other:
        assert other.input_changes() == [changes[2], changes[1], changes[0]]
    store.save_input_changes(changes[:1])
    assert store.input_changes() == changes[:1]
    store.save_input_changes([])
    assert store.input_changes() == []


def test_changes_of_inputs_that_cannot_be_replaced_stay_as_they_were(store: Store) -> None:
    kept = [InputChange(1, T0, T0 + 1, by_hand=True)]
    store.save_input_changes(kept)
    with pytest.raises((Unstorable, StoreUnavailable)):
        store.save_input_changes([InputChange(2, T0, T0 + 5, by_hand=False), InputChange(2, T0, T0 + 9, by_hand=True)])
    assert store.input_changes() == kept


def test_text_comes_back_as_it_was(store: Store) -> None:
    batch = TextBatch.of([3, 3, 3], [T0, T0 + 1, T0 + 2], ["LOT-1", "", "größer ☃"], [0, BAD, 0])
    store.commit(Commit(SampleBatch.empty(), batch))
    back = store.texts(3, *EVER, 10)
    assert (back.time.tolist(), back.value.tolist(), back.quality.tolist()) == (batch.time.tolist(), batch.value.tolist(), batch.quality.tolist())


def test_from_is_included_and_to_is_not(store: Store) -> None:
    store.commit(numbers(*((1, T0 + second, float(second), 0) for second in range(10))))
    assert store.samples(1, T0 + 2, T0 + 5, 100).value.tolist() == [2, 3, 4]
    assert store.samples(1, T0 + 2, T0 + 9, 3).value.tolist() == [2, 3, 4]
    assert len(store.samples(1, T0 + 5, T0 + 5, 100)) == 0
    assert len(store.samples(99, *EVER, 100)) == 0


def test_bounds_are_found_on_both_sides(store: Store) -> None:
    store.commit(numbers((1, T0, 1.0, 0), (1, T0 + 10, 2.0, 0)))
    store.commit(Commit(SampleBatch.empty(), TextBatch.of([3], [T0], ["LOT-1"], [0])))
    assert store.sample_before(1, T0).value.tolist() == [1.0]
    assert store.sample_before(1, T0 + 9).value.tolist() == [1.0]
    assert len(store.sample_before(1, T0 - 1)) == 0
    assert store.sample_after(1, T0).value.tolist() == [2.0]
    assert len(store.sample_after(1, T0 + 10)) == 0
    assert store.text_before(3, T0 + 5).value.tolist() == ["LOT-1"]
    assert store.text_after(3, T0 - 5).value.tolist() == ["LOT-1"]


def test_writing_again_changes_nothing(store: Store) -> None:
    rows = [(1, T0 + second, float(second), 0) for second in range(20)]
    texts = TextBatch.of([3], [T0], ["LOT-1"], [0])
    assert store.commit(Commit(batch_of(rows), texts)) == CommitReport(21, 0, 0)
    assert store.commit(Commit(batch_of([*rows, (1, T0 + 20, 20.0, 0)]), texts)) == CommitReport(1, 21, 0)
    assert len(all_rows(store)) == 21


def test_of_doubles_in_one_commit_the_last_counts(store: Store) -> None:
    assert store.commit(numbers((1, T0, 1.0, 0), (2, T0, 5.0, 0), (1, T0, 2.0, 0))) == CommitReport(2, 0, 0)
    assert all_rows(store) == [(1, T0, 2.0, 0)]


def test_another_value_at_the_same_time_is_a_revision(store: Store) -> None:
    store.commit(Commit(batch_of([(1, T0, 1.0, 0)]), TextBatch.of([3], [T0], ["LOT-1"], [0])))
    again = Commit(batch_of([(1, T0, 1.0, BAD), (1, T0 + 1, 3.0, 0)]), TextBatch.of([3], [T0], ["LOT-2"], [0]))
    assert store.commit(again) == CommitReport(1, 0, 2)
    assert all_rows(store) == [(1, T0, 1.0, BAD), (1, T0 + 1, 3.0, 0)]
    revised, revised_text = store.revisions(1, *EVER, 0), store.revisions(3, *EVER, 0)
    assert (revised.time.tolist(), revised.was.tolist(), revised.is_now.tolist()) == ([T0], [True], [True])
    assert (revised.old_value.tolist(), revised.old_quality.tolist()) == ([1.0], [0])
    assert (revised.new_value.tolist(), revised.new_quality.tolist()) == ([1.0], [BAD])
    assert (revised_text.old_value.tolist(), revised_text.new_value.tolist()) == (["LOT-1"], ["LOT-2"])


@pytest.mark.parametrize("year", ["0001-01-01", "1970-01-01", "2020-03-09", "2106-02-07", "9999-12-31"])
def test_any_year_of_the_calendar_is_stored(store: Store, year: str) -> None:
    time = times.parse_time(f"{year}T10:14:33.000001Z", 0)
    store.commit(numbers((1, time, 1.0, 0)))
    assert all_rows(store) == [(1, time, 1.0, 0)]


@pytest.mark.parametrize("time", [2**62, -(2**62)])
def test_a_time_outside_the_calendar_is_refused_and_nothing_is_written(store: Store, time: int) -> None:
    with pytest.raises(Unstorable, match="years 1 to 9999"):
        store.commit(numbers((2, T0, 1.0, 0), (1, time, 1.0, 0)))
    assert all_rows(store, 2) == []


def test_positions_and_gaps_are_one_transaction_that_is_never_ahead_of_the_samples(store: Store) -> None:
    position = Position("MB-SEP-01", 1, 5, T0)
    gap = Gap("MB-SEP-01", T0, T0 + 5, GapCause.BATCH_LOST)
    store.commit(Commit(batch_of([(1, T0, 1.0, 0)]), TextBatch.empty(), [position], [gap]))
    assert store.positions() == {"MB-SEP-01": position}
    assert list(store.gaps(*EVER)) == [gap]
    moved = Position("MB-SEP-01", 2, 0, T0 + 9)
    unwritable = Gap("MB-\ud800", T0 + 9, None, GapCause.BATCH_LOST)
    with pytest.raises(UnicodeEncodeError):
        store.commit(Commit(batch_of([(1, T0 + 9, 2.0, 0)]), TextBatch.empty(), [moved], [gap, unwritable]))
    assert store.positions() == {"MB-SEP-01": position}, "the position was written before the gap, and is not there"
    assert list(store.gaps(*EVER)) == [gap]
    if store.features["product"] == "PostgreSQL":
        assert all_rows(store) == [(1, T0, 1.0, 0)], "SQLite has samples in files of their own, which come first"


def test_a_gap_told_again_is_the_same_row(store: Store) -> None:
    store.save_gap(Gap("MB-SEP-01", T0, None, GapCause.LINK_LOST))
    assert [gap.end for gap in store.gaps(T0 + 1000, T0 + 2000)] == [None]
    store.save_gap(Gap("MB-SEP-01", T0, T0 + 50, GapCause.LINK_LOST, recovered=True))
    assert list(store.gaps(*EVER)) == [Gap("MB-SEP-01", T0, T0 + 50, GapCause.LINK_LOST, recovered=True)]
    assert list(store.gaps(T0 + 1000, T0 + 2000)) == []


def test_the_snapshot_keeps_the_newest_of_each_tag(store: Store) -> None:
    store.save_snapshot(batch_of([(1, T0, 1.0, 0), (2, T0, 2.0, BAD)]), TextBatch.of([3], [T0], ["LOT-1"], [0]))
    store.save_snapshot(batch_of([(1, T0 + 1, 9.0, 0)]), TextBatch.empty())
    samples, texts = store.snapshot()
    assert rows_of(samples) == [(1, T0 + 1, 9.0, 0), (2, T0, 2.0, BAD)]
    assert texts.value.tolist() == ["LOT-1"]


def test_what_was_committed_and_not_in_the_snapshot_is_in_it_when_prepared_again(store: Store) -> None:
    store.save_snapshot(batch_of([(1, T0, 1.0, 0)]), TextBatch.of([3], [T0], ["LOT-0"], [0]))
    store.commit(
        Commit(batch_of([(1, T0, 1.0, 0), (1, T0 + 5, 5.0, BAD), (1, T0 + 4, 4.0, 0), (2, T0 + 1, 2.0, 0)]), TextBatch.of([3], [T0 + 1], ["LOT-1"], [0]))
    )
    store.prepare(TAGS)
    samples, texts = store.snapshot()
    assert rows_of(samples) == [(1, T0 + 5, 5.0, BAD), (2, T0 + 1, 2.0, 0)]
    assert texts.value.tolist() == ["LOT-1"]


def test_a_gap_that_was_closed_stays_closed_though_its_opening_is_told_again(store: Store) -> None:
    opened = Gap("MB-SEP-01", T0, None, GapCause.LINK_LOST)
    closed = Gap("MB-SEP-01", T0, T0 + 5, GapCause.LINK_LOST, recovered=True)
    for gap in (opened, closed, opened):
        store.save_gap(gap)
    assert list(store.gaps(*EVER)) == [closed]


def test_what_postgresql_can_never_index_is_unstorable_and_not_an_outage(store: Store) -> None:
    if store.features["product"] == "SQLite":
        store.save_events([Event("e" * 12_000, T0, "x", "s")])
    else:
        with pytest.raises(Unstorable):
            store.save_events([Event("".join(map(chr, range(256, 12_000))), T0, "x", "s")])
    store.save_events([Event("e2", T0, "x", "s")])
    assert "e2" in {event.id for event in store.events(*EVER, 10)}


def test_a_commit_of_a_device_whose_clock_is_at_random_is_no_outage(store: Store) -> None:
    month = 31 * 86_400 * times.MICROSECONDS
    commit = numbers(*((1, T0 + number * month, 1.0, 0) for number in range(1000)))
    if store.features["timescaledb"] != "none":
        assert store.commit(commit).inserted == 1000
    else:
        with pytest.raises(Unstorable, match="months at once"):
            store.commit(commit)
    assert store.commit(numbers((2, T0, 1.0, 0))).inserted == 1


def test_a_table_that_somebody_locks_is_an_outage_and_not_for_ever(postgres_url: str) -> None:
    with contextlib.closing(open_store(postgres_url)) as store, psycopg.connect(postgres_url) as other:
        store.prepare(TAGS)
        store.commit(numbers((1, T0, 1.0, 0)))
        other.execute("LOCK TABLE sample IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            store.commit(numbers((1, T0 + 1, 1.0, 0)))
        other.rollback()
        assert store.commit(numbers((1, T0 + 1, 1.0, 0))).inserted == 1


def test_an_empty_postgresql_is_away_until_the_historian_made_its_tables(postgres_url: str) -> None:
    with contextlib.closing(open_store(postgres_url)) as early, contextlib.closing(open_store(postgres_url)) as historian:
        for ask in (early.snapshot, early.positions, lambda: early.samples(1, *EVER, 1), lambda: early.account("admin")):
            with pytest.raises(StoreUnavailable):
                ask()
        historian.prepare(TAGS)
        assert len(early.snapshot()[0]) == 0


def test_events_are_kept_once(store: Store) -> None:
    events = [Event(f"e{number}", T0 + number, "command.done", "SEP.COL101.FIC101.SP", "admin", {"value": 8.0, "none": None}) for number in range(3)]
    store.save_events(events)
    store.save_events(events[1:])
    assert list(store.events(T0, T0 + 2, 10)) == events[:2]
    assert list(store.events(*EVER, 1)) == events[:1]


def test_accounts_are_found_by_name(store: Store) -> None:
    assert store.account("admin") is None
    store.save_account(Account("admin", "$argon2id$1", "admin"))
    store.save_account(Account("admin", "$argon2id$2", "admin"))
    assert store.account("admin") == Account("admin", "$argon2id$2", "admin")


def test_preparing_again_keeps_everything(store: Store) -> None:
    store.commit(numbers((1, T0, 1.0, 0)))
    store.prepare([*TAGS, make_tag(4, "SEP.COL101.PT104")])
    assert all_rows(store) == [(1, T0, 1.0, 0)]


def test_an_id_is_never_given_to_another_tag(store: Store) -> None:
    with pytest.raises(ConfigurationError, match=r"id 1 of SEP\.COL101\.XX101 keeps the history of SEP\.COL101\.PT101"):
        store.prepare([make_tag(1, "SEP.COL101.XX101")])
    with pytest.raises(ConfigurationError, match=r"SEP\.COL101\.PT101 has id 9, its history is kept under 1"):
        store.prepare([make_tag(9, "SEP.COL101.PT101")])


def test_reading_goes_on_while_something_is_written(store: Store, store_url: str) -> None:
    reader = open_store(store_url)
    failures: list[Exception] = []

    def write() -> None:
        try:
            for number in range(50):
                store.commit(numbers(*((1, T0 + 1000 * number + row, 1.0, 0) for row in range(100))))
        except StoreUnavailable as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    counts = []
    while writer.is_alive():
        counts.append(len(reader.samples(1, *EVER, 10_000)))
    writer.join()
    reader.close()
    assert not failures
    assert counts == sorted(counts)
    assert all(count % 100 == 0 for count in counts), "a commit is seen whole or not at all"


def test_a_large_commit_of_columns(store: Store) -> None:
    count = 50_000
    batch = SampleBatch(
        np.repeat(np.array([1, 2], np.int32), count // 2),
        np.arange(T0, T0 + count, dtype=np.int64),
        np.arange(count, dtype=np.float64),
        np.zeros(count, np.int16),
    )
    assert store.commit(Commit(batch, TextBatch.empty())).inserted == count
    back = store.samples(2, *EVER, count)
    assert np.array_equal(back.value, np.arange(count // 2, count))


def test_what_was_found_is_said(store: Store, store_url: str) -> None:
    assert store.features["product"] == ("SQLite" if store_url.startswith("sqlite") else "PostgreSQL")


@pytest.mark.parametrize("url", ["mysql://x", "sqlite://", "sqlite:///", "", "postgres"])
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write sqlite:///FILE or postgresql://"):
        open_store(url)


def test_a_folder_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigurationError, match="make the folder"):
        open_store("sqlite:////nowhere/at/all/history.sqlite")


def test_postgresql_that_dies_is_unavailable_and_comes_back_with_everything() -> None:
    server = PostgresServer()
    try:
        server.start()
        store = open_store(server.dsn)
        store.prepare(TAGS)
        store.commit(numbers((1, T0, 1.0, 0)))
        server.kill()
        with pytest.raises(StoreUnavailable):
            store.commit(numbers((1, T0 + 1, 2.0, 0)))
        with pytest.raises(StoreUnavailable):
            store.samples(1, *EVER, 10)
        with pytest.raises(StoreUnavailable):
            store.account("admin")
        server.start()
        assert store.commit(numbers((1, T0 + 1, 2.0, 0))).inserted == 1
        assert len(all_rows(store)) == 2
        assert store.account("admin") is None
        store.close()
    finally:
        server.close()


def test_text_that_postgresql_cannot_hold_is_refused_for_good(postgres_url: str) -> None:
    store = open_store(postgres_url)
    store.prepare(TAGS)
    with pytest.raises(Unstorable):
        store.commit(Commit(batch_of([(1, T0, 1.0, 0)]), TextBatch.of([3], [T0], ["a\0b"], [0])))
    assert all_rows(store) == []
    store.close()


_FULL_DISK = """
import resource, sys
from plant.errors import StoreUnavailable
from services.store import open_store
from tests.integration.test_store import T0, TAGS, all_rows, numbers
store = open_store(sys.argv[1])
store.prepare(TAGS)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
written = 0
try:
    while written < 10_000_000:
        store.commit(numbers(*((1, T0 + written + row, 1.0, 0) for row in range(1000))))
        written += 1000
except StoreUnavailable as error:
    print("unavailable:", error)
assert len(store.samples(1, T0, T0 + 2**40, 10_000_000)) == written
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.commit(numbers((1, T0 - 1, 1.0, 0))).inserted == 1
print("whole:", written)
"""


def test_sqlite_on_a_full_disk_keeps_what_was_committed_and_goes_on_when_there_is_room(sqlite_url: str) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", _FULL_DISK, sqlite_url], capture_output=True, text=True, cwd=root, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "unavailable:" in ran.stdout
    assert "whole: 0" not in ran.stdout


def test_grafanas_reader_sees_history_and_no_account(postgres_url: str, reader_dsn: str) -> None:
    store = open_store(postgres_url)
    store.prepare(TAGS)
    store.commit(numbers((1, T0, 1.0, 0)))
    store.close()
    with psycopg.connect(f"{reader_dsn}/{postgres_url.rpartition('/')[2]}", autocommit=True) as reader:
        assert reader.execute("SELECT tag, unit, value, quality_name, severity FROM sample_view").fetchall() == [
            ("SEP.COL101.PT101", "bar", 1.0, "Good", "Good")
        ]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SELECT * FROM account")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("DELETE FROM sample")


def test_spans_are_scanned_in_one_go(store: Store) -> None:
    """Across a month's end, with spans that hold nothing, one that is a single sample, and more samples than one batch holds."""
    first = times.parse_time("2026-11-30T12:00:00Z", 0)
    time = first + np.arange(86_400) * times.MICROSECONDS
    batch = SampleBatch(np.full(len(time), 1, np.int32), time, np.arange(len(time)) / 8, np.zeros(len(time), np.int16))
    store.commit(Commit(batch, TextBatch.empty()))
    start = first + np.array([-7200, 10, 100, 40_000, 90_000]) * times.MICROSECONDS
    end = first + np.array([-3600, 11, 39_000, 86_000, 91_000]) * times.MICROSECONDS
    found = SampleBatch.concatenate(list(store.scan_spans(1, start, end)))
    inside = ((time[:, None] >= start) & (time[:, None] < end)).any(axis=1)
    np.testing.assert_array_equal(found.time, time[inside])
    np.testing.assert_array_equal(found.value, batch.value[inside])
    assert list(store.scan_spans(1, start[:0], end[:0])) == []
