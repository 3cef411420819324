"""What only the PostgreSQL store does: scripts over old schemas, partitions and chunks, views for people, arrays and the turnstile of due hours."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from psycopg import sql

from plant import times
from plant.aggregates import TagSamples, summarise
from plant.batch import SampleBatch, TextBatch
from plant.edit import EditMode
from plant.errors import ConfigurationError, StoreUnavailable
from plant.quality import Quality
from plant.tag import DataType
from services.store import HOUR, MINUTE, Account, Authorship, Commit, DueHours, Edit, RollUps, open_store
from services.store.postgresql import PostgresqlStore
from tests.conftest import STORES
from tests.samples import batch_of, make_tag, rows_of

TAGS = [make_tag(1), make_tag(2, "SEP.COL101.PT102"), make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING)]
BAD = int(Quality.BAD_NO_COMMUNICATION)
EVER = (-(2**60), 2**60)
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
DAY = 24 * HOUR
OLD_SCHEMA = (Path(__file__).parent / "old_postgresql.sql").read_text()


@pytest.fixture(params=[kind for kind in STORES if kind != "sqlite"])
def url(request: pytest.FixtureRequest) -> str:
    """A fresh database on plain PostgreSQL, and on TimescaleDB where there is one."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def store(url: str) -> Iterator[PostgresqlStore]:
    with contextlib.closing(PostgresqlStore(url)) as opened:
        opened.prepare(TAGS)
        yield opened


def numbers(*rows: tuple[int, int, float, int]) -> Commit:
    return Commit(batch_of(rows), TextBatch.empty())


def roll_up(store: PostgresqlStore, due: DueHours, width: int) -> RollUps:
    """Roll-ups of hours, as the historian makes them."""
    parts = []
    for tag_id, hour in zip(due.tag_id.tolist(), due.hour.tolist(), strict=True):
        samples = store.samples(tag_id, hour, hour + HOUR, 100_000)
        starts = np.unique(samples.time // width) * width
        edges = np.append(starts, hour + HOUR)
        summaries = summarise(TagSamples(samples.time, samples.value, samples.quality, False), edges)
        parts.append(RollUps(np.full(len(starts), tag_id, np.int32), starts, summaries))
    return parts[0]


def test_an_old_database_is_brought_up_with_all_that_is_in_it(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as old:
        old.execute(OLD_SCHEMA)
    with contextlib.closing(PostgresqlStore(postgres_url)) as store:
        store.prepare(TAGS)
        assert rows_of(store.samples(1, *EVER, 10)) == [(1, T0, 1.5, 0), (1, T0 + 60_000_000, 2.5, BAD), (1, T0 + 30 * DAY, 3.5, 0)]
        assert store.texts(3, *EVER, 10).value.tolist() == ["LOT-1"]
        revisions = store.revisions(1, *EVER, 0)
        assert (revisions.old_value.tolist(), revisions.new_value.tolist(), revisions.was.tolist()) == ([1.0], [1.5], [True])
        assert store.positions()["PLC-SEP-01"].sequence == 7
        assert [gap.device for gap in store.gaps(*EVER)] == ["PLC-SEP-01"]
        assert [event.id for event in store.events(*EVER, 10)] == ["e1"]
        assert store.account("admin") == Account("admin", "$argon2id$1", "admin")
        assert rows_of(store.snapshot()[0]) == [(1, T0 + 30 * DAY, 3.5, 0)]
        assert store.commit(numbers((1, T0 + 1, 9.0, 0), (1, T0 + 90 * DAY, 9.0, 0))).inserted == 2
        store.prepare(TAGS)
        assert len(store.samples(1, *EVER, 10)) == 5
    with psycopg.connect(postgres_url) as server:
        assert server.execute("SELECT version_num FROM alembic_version").fetchall() == [("0003",)]


def test_a_schema_of_a_newer_program_is_refused_and_left_alone(store: PostgresqlStore, url: str) -> None:
    with psycopg.connect(url) as server:
        server.execute("UPDATE alembic_version SET version_num = '0815'")
    with pytest.raises(ConfigurationError, match="'0815', this program knows it up to '0003'"):
        store.prepare(TAGS)
    with psycopg.connect(url) as server:
        assert server.execute("SELECT version_num FROM alembic_version").fetchall() == [("0815",)]


def test_two_services_prepare_at_once(url: str) -> None:
    failures: list[Exception] = []

    def prepare() -> None:
        try:
            with contextlib.closing(PostgresqlStore(url)) as one:
                one.prepare(TAGS)
        except (StoreUnavailable, ConfigurationError) as error:
            failures.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_an_hour_that_changes_while_it_is_in_hand_is_due_again(store: PostgresqlStore) -> None:
    store.commit(numbers((1, T0, 1.0, 0), (1, T0 + HOUR, 1.0, 0), (2, T0, 1.0, 0)))
    assert len(store.take_due(T0 + HOUR - 1, 10)) == 0
    due = store.take_due(T0 + HOUR, 10)
    assert (due.tag_id.tolist(), due.hour.tolist(), due.thinned.tolist()) == ([1, 2], [T0, T0], [False, False])
    store.commit(numbers((1, T0 + 5, 2.0, 0)))
    assert len(store.take_due(T0 + HOUR, 10)) == 0, "an hour is in one pair of hands at a time"
    hours = roll_up(store, due, HOUR)
    store.save_roll_ups(hours, hours, due)
    again = store.take_due(T0 + HOUR, 10)
    assert (again.tag_id.tolist(), again.hour.tolist()) == ([1], [T0])
    store.save_roll_ups(hours, hours, again)
    assert store.due_hours(1, *EVER).tolist() == [T0 + HOUR]
    assert store.due_hours(2, *EVER).tolist() == []


def test_what_was_in_hand_is_due_when_prepared_again(store: PostgresqlStore) -> None:
    store.commit(numbers((1, T0, 1.0, 0)))
    store.take_due(T0 + HOUR, 10)
    assert store.due_hours(1, T0 + 5, T0 + 6).tolist() == [T0]
    store.prepare(TAGS)
    assert store.take_due(T0 + HOUR, 10).hour.tolist() == [T0]


def test_an_hour_is_marked_once_and_a_replay_marks_nothing(store: PostgresqlStore, url: str) -> None:
    store.commit(numbers((1, T0, 1.0, 0)))
    with psycopg.connect(url) as server:
        server.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'marked'; END $$")
        server.execute("CREATE TRIGGER no BEFORE INSERT OR UPDATE ON roll_up_due FOR EACH STATEMENT EXECUTE FUNCTION no()")
    store.commit(numbers((1, T0 + 1, 1.0, 0)))
    with contextlib.closing(PostgresqlStore(url)) as another:
        assert another.commit(numbers((1, T0, 1.0, 0), (1, T0 + 1, 1.0, 0))).unchanged == 2
        with pytest.raises(StoreUnavailable, match="marked"):
            another.commit(numbers((1, T0 + 2, 1.0, 0)))


def test_commits_from_many_threads_leave_no_hour_unmarked(store: PostgresqlStore) -> None:
    """Each sample that was committed is in its hour's roll-up, or the hour is still due."""
    stop = threading.Event()
    seen: dict[int, int] = {}

    def write(offset: int) -> None:
        for number in range(60):
            store.commit(numbers((1, T0 + 1000 * number + offset, 1.0, 0)))

    def take() -> None:
        while not stop.is_set():
            due = store.take_due(T0 + HOUR, 10)
            if len(due):
                seen[T0] = len(store.samples(1, T0, T0 + HOUR, 1000))
                hours = roll_up(store, due, HOUR)
                store.save_roll_ups(hours, hours, due)

    taker = threading.Thread(target=take)
    writers = [threading.Thread(target=write, args=(offset,)) for offset in range(3)]
    for thread in (taker, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    taker.join()
    assert len(store.samples(1, T0, T0 + HOUR, 1000)) == 180
    assert seen[T0] == 180 or store.due_hours(1, *EVER).tolist() == [T0]


def test_roll_ups_come_back_as_they_were_saved_and_replace_each_other(store: PostgresqlStore) -> None:
    store.commit(numbers(*((1, T0 + second * 1_000_000, float(second % 7), BAD if second % 50 == 0 else 0) for second in range(1800))))
    due = store.take_due(T0 + HOUR, 10)
    minutes, hours = roll_up(store, due, MINUTE), roll_up(store, due, HOUR)
    store.save_roll_ups(minutes, hours, due)
    back = store.minutes(1, T0, T0 + HOUR)
    assert back.start.tolist() == [T0 + minute * MINUTE for minute in range(30)]
    for name in ("mean", "minimum", "maximum", "good_count", "bad_count", "integral", "first_time", "last_quality", "bad_time"):
        assert np.array_equal(getattr(back.summaries, name), getattr(minutes.summaries, name), equal_nan=True), name
    assert store.minutes(1, T0 + MINUTE, T0 + 3 * MINUTE).start.tolist() == [T0 + MINUTE, T0 + 2 * MINUTE]
    assert len(store.hours(1, T0, T0 + HOUR)) == 1
    store.delete(1, T0, T0 + HOUR, Authorship("admin", "calibration"))
    again = store.take_due(T0 + HOUR, 10)
    nothing = np.zeros(len(minutes), np.bool_)
    none = RollUps(minutes.tag_id[nothing], minutes.start[nothing], minutes.summaries.select(nothing))
    store.save_roll_ups(none, none, again)
    assert len(store.minutes(1, *EVER)) == len(store.hours(1, *EVER)) == 0


def test_that_an_hour_was_thinned_outlives_its_being_due(store: PostgresqlStore) -> None:
    rows = [(1, T0 + second, float(second), 0) for second in range(5)]
    store.commit(numbers(*rows))
    due = store.take_due(T0 + HOUR, 10)
    assert store.thin(batch_of(rows[1:4]), due).tolist() == [True]
    assert store.samples(1, *EVER, 10).value.tolist() == [0.0, 4.0]
    store.commit(numbers((1, T0 + 2, 20.0, 0)))
    hours = roll_up(store, due, HOUR)
    store.save_roll_ups(hours, hours, due)
    again = store.take_due(T0 + HOUR, 10)
    assert again.thinned.tolist() == [True]
    store.save_roll_ups(hours, hours, again)
    assert store.due_hours(1, *EVER).tolist() == []
    store.commit(numbers((1, T0 + 9, 9.0, 0)))
    assert store.take_due(T0 + HOUR, 10).thinned.tolist() == [True], "an hour is thinned once"


def test_edits_are_revisions_by_who_made_them(store: PostgresqlStore) -> None:
    author = Authorship("anna", "calibration")
    store.commit(Commit(batch_of([(1, T0, 1.0, 0), (1, T0 + 1, 2.0, 0)]), TextBatch.of([3], [T0], ["LOT-1"], [0])))
    batch = batch_of([(1, T0 + 5, 5.0, 0), (1, T0, 1.0, 0), (1, T0 + 1, 9.0, BAD)])
    inserted = store.edit(Edit(batch, TextBatch.of([3], [T0], ["x"], [0]), EditMode.INSERT, author))
    assert (inserted.inserted, inserted.replaced, inserted.unchanged) == (1, 0, 0)
    assert (inserted.rejected.tolist(), inserted.rejected_texts.tolist()) == ([1, 2], [0])
    replaced = store.edit(Edit(batch_of([(1, T0 + 7, 7.0, 0), (1, T0, 1.0, 0), (1, T0 + 1, 9.0, BAD)]), TextBatch.empty(), EditMode.REPLACE, author))
    assert (replaced.inserted, replaced.replaced, replaced.unchanged, replaced.rejected.tolist()) == (0, 1, 1, [0])
    updated = store.edit(Edit(batch_of([(1, T0 + 7, 7.0, 0), (1, T0, 8.0, 0)]), TextBatch.of([3], [T0], ["LOT-2"], [0]), EditMode.UPDATE, author))
    assert (updated.inserted, updated.replaced, updated.unchanged, len(updated.rejected)) == (1, 2, 0, 0)
    assert store.delete(1, T0 + 5, T0 + 6, author) == 1
    assert rows_of(store.samples(1, *EVER, 10)) == [(1, T0, 8.0, 0), (1, T0 + 1, 9.0, BAD), (1, T0 + 7, 7.0, 0)]
    made = store.revisions(1, *EVER, 0)
    assert made.time.tolist() == [T0 + 5, T0 + 1, T0 + 7, T0, T0 + 5]
    assert (made.was.tolist(), made.is_now.tolist()) == ([False, True, False, True, True], [True, True, True, True, False])
    assert np.array_equal(made.old_value, [np.nan, 2.0, np.nan, 1.0, 5.0], equal_nan=True)
    assert np.array_equal(made.new_value, [5.0, 9.0, 7.0, 8.0, np.nan], equal_nan=True)
    assert made.new_quality.tolist() == [0, BAD, 0, 0, 0]
    assert set(made.user) == {"anna"}
    assert set(made.reason) == {"calibration"}
    assert len(store.revisions(1, *EVER, int(made.revised_at[-1]))) == 0
    words = store.revisions(3, *EVER, 0)
    assert (words.old_value.tolist(), words.new_value.tolist()) == (["LOT-1"], ["LOT-2"])


def test_a_scan_sees_one_state_of_history_in_pages(store: PostgresqlStore) -> None:
    count = 120_000
    time = np.arange(T0, T0 + count, dtype=np.int64)
    store.commit(Commit(SampleBatch(np.ones(count, np.int32), time, np.arange(count, dtype=np.float64), np.zeros(count, np.int16)), TextBatch.empty()))
    pages = store.scan(1, T0, T0 + 2 * count)
    first = next(pages)
    store.commit(numbers((1, T0 + count, 1.0, 0)))
    rest = list(pages)
    assert max(map(len, [first, *rest])) <= 50_000
    assert np.array_equal(np.concatenate([page.time for page in [first, *rest]]), time)
    for _ in range(10):
        abandoned = store.scan(1, *EVER)
        next(abandoned)
        del abandoned  # gives its connection back: there are eight
    assert sum(len(page) for page in store.scan(1, T0 + 10, T0 + 20)) == 10


def test_people_read_minutes_and_hours_and_the_reader_nothing_else(store: PostgresqlStore, url: str, request: pytest.FixtureRequest) -> None:
    store.commit(numbers(*((1, T0 + second * 1_000_000, float(second), 0 if second % 10 else BAD) for second in range(120))))
    due = store.take_due(T0 + HOUR, 10)
    store.save_roll_ups(roll_up(store, due, MINUTE), roll_up(store, due, HOUR), due)
    minute = ("SEP.COL101.PT101", "SEP", "bar", 1.0, 59.0, 30.0, 1.0, 59.0, 60, 54, 90.0)
    with psycopg.connect(url) as server:
        rows = server.execute("SELECT * FROM sample_minute ORDER BY time").fetchall()
        assert [times.from_datetime(row[0]) for row in rows] == [T0, T0 + MINUTE]
        assert rows[0][1:5] == minute[:4]
        assert rows[0][5:] == pytest.approx(minute[4:])
        (hour,) = server.execute("SELECT minimum, maximum, average, first, last, count, good, percent_good FROM sample_hour").fetchall()
        assert hour == pytest.approx((1.0, 119.0, 60.0, 1.0, 119.0, 120, 108, 90.0))
    if "timescale" not in request.node.name:
        request.getfixturevalue("reader_dsn")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("DO $$ BEGIN IF to_regrole('monazite_reader') IS NULL THEN CREATE ROLE monazite_reader; END IF; END $$")
        store.prepare(TAGS)
        server.execute("SET ROLE monazite_reader")
        for view in ("sample_view", "snapshot_view", "sample_minute", "sample_hour", "gap_view", "event_view", "sample_revision"):
            server.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(view)))
        for statement in ("SELECT * FROM account", "DELETE FROM sample", "INSERT INTO roll_up_hour SELECT * FROM roll_up_hour", "UPDATE tag SET name = ''"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                server.execute(statement)


def test_retention_drops_what_ends_before_and_keeps_hours(store: PostgresqlStore) -> None:
    old = T0 - 400 * DAY
    store.commit(Commit(batch_of([(1, old, 1.0, 0), (1, T0, 2.0, 0)]), TextBatch.of([3], [old], ["LOT-1"], [0])))
    due = store.take_due(old + HOUR, 1)
    store.save_roll_ups(roll_up(store, due, MINUTE), roll_up(store, due, HOUR), due)
    before = store.size()
    names = store.drop_before(T0)
    assert any("sample" in name or "chunk" in name for name in names)
    assert rows_of(store.samples(1, *EVER, 10)) == [(1, T0, 2.0, 0)]
    assert len(store.texts(3, *EVER, 10)) == 0
    assert len(store.minutes(1, *EVER)) == 0
    assert store.hours(1, *EVER).start.tolist() == [old]
    assert store.due_hours(3, *EVER).tolist() == []
    assert store.due_hours(1, *EVER).tolist() == [T0]
    assert store.size() < before
    assert store.commit(numbers((1, old, 1.0, 0))).inserted == 1
    assert store.due_hours(1, old, old + HOUR).tolist() == [], "its roll-up is all that tells of it"


def test_a_partition_that_another_process_dropped_is_made_again(postgres_url: str) -> None:
    with contextlib.closing(PostgresqlStore(postgres_url)) as store, contextlib.closing(PostgresqlStore(postgres_url)) as another:
        store.prepare(TAGS)
        store.commit(numbers((1, T0, 1.0, 0)))
        assert another.drop_before(T0 + 90 * DAY)
        with pytest.raises(StoreUnavailable, match="partition was dropped"):
            store.commit(numbers((1, T0 + 1, 1.0, 0)))
        assert store.commit(numbers((1, T0 + 1, 1.0, 0))).inserted == 1


def test_a_backup_names_the_tools(store: PostgresqlStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"pg_dump .* pg_basebackup"):
        store.backup(tmp_path)


def test_a_plant_that_grows_gets_days_and_keeps_its_months(postgres_url: str) -> None:
    many = [make_tag(number, f"SEP.COL102.PT{number}", scan_ms=1) for number in range(11, 16)]
    with contextlib.closing(PostgresqlStore(postgres_url)) as store:
        store.prepare(TAGS)
        store.commit(numbers((1, T0, 1.0, 0)))
        assert store.features["chunk"] == "1 month"
        store.prepare([*TAGS, *many])
        assert store.features["chunk"] == "1 day"
        assert store.commit(numbers((1, T0 + DAY, 1.0, 0), (1, T0 + 30 * DAY, 1.0, 0), (1, T0 + 31 * DAY, 1.0, 0))).inserted == 3
        store.prepare(TAGS)
        assert store.commit(numbers((1, T0 + 32 * DAY, 1.0, 0), (1, T0 + 90 * DAY, 1.0, 0))).inserted == 2
        assert len(store.samples(1, *EVER, 10)) == 6
    with psycopg.connect(postgres_url) as server:
        rows = server.execute("SELECT relname FROM pg_class WHERE relname ~ '^sample_20' AND relkind = 'r' ORDER BY 1").fetchall()
    assert [row[0] for row in rows] == ["sample_2026_11", "sample_2026_12_23", "sample_2026_12_24", "sample_2026_12_25", "sample_2027_02"]


def test_another_process_edits_a_history_that_the_historian_prepared(store: PostgresqlStore, url: str) -> None:
    with contextlib.closing(open_store(url)) as another:
        edit = Edit(batch_of([(1, T0 - 90 * DAY, 1.0, 0)]), TextBatch.empty(), EditMode.INSERT, Authorship("anna", ""))
        assert another.edit(edit).inserted == 1
    assert store.take_due(T0, 10).hour.tolist() == [T0 - 90 * DAY]
    assert store.commit(numbers((1, T0 - 90 * DAY + 1, 1.0, 0))).inserted == 1
