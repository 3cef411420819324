"""SQLite's files: one a month beside the main one, brought up from a single file, damaged, full, read-only, dropped, backed up."""

import contextlib
import logging
import os
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant import times
from plant.aggregates import NO_TIME, STORED_COLUMNS, TagSamples, summarise
from plant.batch import SampleBatch, TextBatch
from plant.errors import ConfigurationError, StoreUnavailable, Unstorable
from plant.event import Event
from plant.ledger import Gap, GapCause, Position
from plant.tag import DataType
from services.store import HOUR, MINUTE, Account, Commit, CommitReport, RollUps, Store, open_store
from services.store.rows import FIRST_TIME, LAST_TIME
from services.store.sqlite.months import LAST_MONTH, end_of, month_named, month_of, months_of, name_of, start_of
from tests.faults.small_disk import SmallDisk, needs_root, small_disk
from tests.samples import batch_of, make_tag, rows_of

ROOT = Path(__file__).parents[2]
TAGS = [make_tag(1), make_tag(2, "SEP.COL101.PT102"), make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING)]
EVER = (-(2**60), 2**60)
NO_TEXTS = TextBatch.empty()
MONTHS = [times.parse_time(f"2026-{month:02d}-15T12:00:00Z", 0) for month in range(1, 13)]

OLD_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE sample (
    tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL, PRIMARY KEY (tag_id, ts)
) WITHOUT ROWID;
CREATE TABLE sample_text (
    tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, value TEXT NOT NULL, quality INTEGER NOT NULL, PRIMARY KEY (tag_id, ts)
) WITHOUT ROWID;
CREATE TABLE sample_revision (
    id INTEGER PRIMARY KEY, tag_id INTEGER NOT NULL, ts INTEGER NOT NULL, revised_at INTEGER NOT NULL,
    old_value REAL, old_text TEXT, old_quality INTEGER NOT NULL, new_value REAL, new_text TEXT, new_quality INTEGER NOT NULL,
    user TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX sample_revision_of ON sample_revision (tag_id, ts);
CREATE TABLE snapshot (tag_id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL);
CREATE TABLE snapshot_text (tag_id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, value TEXT NOT NULL, quality INTEGER NOT NULL);
CREATE TABLE position (
    device TEXT PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, last_time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE gap (
    device TEXT NOT NULL, cause TEXT NOT NULL, start_ts INTEGER NOT NULL, end_ts INTEGER, recovered INTEGER NOT NULL,
    PRIMARY KEY (device, cause, start_ts)
) WITHOUT ROWID;
CREATE TABLE tag (
    id INTEGER NOT NULL, name VARCHAR NOT NULL, area VARCHAR NOT NULL, unit VARCHAR NOT NULL, description TEXT NOT NULL, data_type VARCHAR NOT NULL,
    engineering_unit VARCHAR NOT NULL, eu_low FLOAT, eu_high FLOAT, stepped BOOLEAN NOT NULL, device VARCHAR NOT NULL, PRIMARY KEY (id), UNIQUE (name)
);
CREATE TABLE event (
    id VARCHAR NOT NULL, time BIGINT NOT NULL, kind VARCHAR NOT NULL, subject VARCHAR NOT NULL, user VARCHAR NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (id)
);
CREATE INDEX ix_event_time ON event (time);
CREATE TABLE account (name VARCHAR NOT NULL, password_hash VARCHAR NOT NULL, role VARCHAR NOT NULL, PRIMARY KEY (name));
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@contextlib.contextmanager
def opened(file: Path, *, prepare: bool = True) -> Iterator[Store]:
    with contextlib.closing(open_store(f"sqlite:///{file}")) as store:
        if prepare:
            store.prepare(TAGS)
        yield store


def numbers(*rows: tuple[int, int, float, int]) -> Commit:
    return Commit(batch_of(rows), NO_TEXTS)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(store: Store) -> None:
    """A sample of tag 1 in each month of 2026; the value is the month."""
    store.commit(numbers(*((1, time, float(month + 1), 0) for month, time in enumerate(MONTHS))))


def test_months_lie_side_by_side_and_are_made_when_their_first_sample_comes(file: Path) -> None:
    with opened(file) as store:
        assert names(file.parent) == ["history.sqlite", "history.sqlite-shm", "history.sqlite-wal"]
        store.commit(numbers((1, MONTHS[10], 1.0, 0)))
        fill(store)
    assert names(file.parent) == [*(f"history.2026-{month:02d}.sqlite" for month in range(1, 13)), "history.sqlite"]


@given(st.integers(FIRST_TIME, LAST_TIME))
def test_every_time_lies_in_its_month(time: int) -> None:
    month = month_of(time)
    assert start_of(month) <= time < end_of(month)
    assert months_of(np.array([time], np.int64)).tolist() == [month]
    assert month_named(name_of(month)) == month


def test_months_follow_each_other_without_a_gap() -> None:
    for month in range(LAST_MONTH):
        assert end_of(month) == start_of(month + 1)
        assert month_of(end_of(month) - 1) == month
    assert (name_of(0), name_of(1), name_of(LAST_MONTH - 1), name_of(LAST_MONTH)) == ("before-1970", "1970-01", "2099-12", "from-2100")
    assert [month_named(name) for name in ("1969-12", "2100-01", "2026-13", "2026-1", "x", "")] == [None] * 6


def test_a_clock_at_random_makes_a_bounded_number_of_files_a_commit_and_in_all(file: Path) -> None:
    with opened(file) as store:
        spread = np.linspace(FIRST_TIME / 2, LAST_TIME / 2, 5000).astype(np.int64)
        batch = SampleBatch(np.full(5000, 1, np.int32), spread, np.zeros(5000), np.zeros(5000, np.int16))
        report = store.commit(Commit(batch, NO_TEXTS))
        assert report.inserted == 5000
        assert len(names(file.parent)) < 200
        dense = np.linspace(0, start_of(LAST_MONTH), 1000).astype(np.int64)
        with pytest.raises(Unstorable, match="months at once"):
            store.commit(Commit(SampleBatch(np.full(1000, 2, np.int32), dense, np.zeros(1000), np.zeros(1000, np.int16)), NO_TEXTS))
        assert len(store.samples(2, *EVER, 10)) == 0
        assert len(store.samples(1, *EVER, 10_000)) == 5000


def test_however_many_months_are_read_few_files_are_open(file: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    with opened(file) as store:
        month = 31 * 86_400 * times.MICROSECONDS
        store.commit(numbers(*((1, number * month, 1.0, 0) for number in range(60))))
        assert len(names(file.parent)) > 60
        for _ in range(3):
            assert len(store.samples(1, *EVER, 1000)) == 60
        assert open_files() < 250
        threads = [threading.Thread(target=store.samples, args=(1, *EVER, 1000)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert open_files() < 350


def test_another_process_sees_months_that_come_go_and_come_again(file: Path) -> None:
    with opened(file) as store, opened(file, prepare=False) as api:
        fill(store)
        assert len(api.samples(1, *EVER, 100)) == 12
        assert list(store.drop_before(MONTHS[2])) == ["history.2026-01.sqlite", "history.2026-02.sqlite"]
        assert api.samples(1, *EVER, 100).value.tolist() == [float(month) for month in range(3, 13)]
        store.commit(numbers((1, MONTHS[0], 99.0, 0)))
        assert api.samples(1, *EVER, 2).value.tolist() == [99.0, 3.0]
        assert "history.2026-02.sqlite-wal" not in names(file.parent)


def test_what_is_being_read_may_be_dropped(file: Path) -> None:
    with opened(file) as store:
        store.commit(Commit(SampleBatch(np.full(50_000, 1, np.int32), MONTHS[0] + np.arange(50_000), np.zeros(50_000), np.zeros(50_000, np.int16)), NO_TEXTS))
        store.commit(numbers((1, MONTHS[3], 1.0, 0)))
        reading = store.scan(1, *EVER)
        read = len(next(reading))
        store.drop_before(MONTHS[2])
        store.commit(numbers((1, MONTHS[0], 1.0, 0)))
        assert read + sum(map(len, reading)) == 50_001
        assert len(store.samples(1, *EVER, 10)) == 2


def old_file(file: Path, rows: int) -> None:
    """A file of the program before there were months: ``rows`` samples of tags 1 and 2 through 2026 and one of 1969, and some of everything else."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(OLD_SCHEMA)
        step = (MONTHS[-1] - MONTHS[0]) // rows
        samples = [(tag_id, MONTHS[0] + number * step, None if number % 10 == 3 else number / 4, 0) for tag_id in (1, 2) for number in range(rows)]
        connection.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", [*samples, (2, -1, 5.0, 0)])
        connection.executemany("INSERT INTO sample_text VALUES (3, ?, ?, 0)", [(time, f"LOT-{time}") for time in MONTHS[::3]])
        revision = "INSERT INTO sample_revision (tag_id, ts, revised_at, old_value, old_quality, new_value, new_quality) VALUES (1, ?, ?, 1.0, 0, 2.0, 0)"
        connection.executemany(revision, [(MONTHS[0], 5), (MONTHS[4], 6), (MONTHS[0], 7)])
        connection.execute("INSERT INTO snapshot VALUES (1, ?, 7.0, 0)", (MONTHS[-1] - 10 * step,))
        connection.execute("INSERT INTO position VALUES ('MB-SEP-01', 3, 4, 5)")
        connection.execute("INSERT INTO gap VALUES ('MB-SEP-01', 'link lost', 10, NULL, 0)")
        tag = "INSERT INTO tag VALUES (?, ?, 'SEP', 'COL101', '', ?, 'bar', 0, 100, 0, 'PLC-SEP-01')"
        connection.executemany(tag, [(one.id, one.name, one.data_type.value) for one in TAGS])
        connection.execute("INSERT INTO event VALUES ('e1', 5, 'x', 's', '', '{}')")
        connection.execute("INSERT INTO account VALUES ('admin', '$argon2id$1', 'admin')")
        connection.commit()


def assert_all_there(store: Store, rows: int) -> None:
    first, second = store.samples(1, *EVER, 10**6), store.samples(2, *EVER, 10**6)
    number = np.arange(rows)
    for batch in (first, second.select(slice(1, None))):
        assert np.array_equal(batch.value, np.where(number % 10 == 3, np.nan, number / 4), equal_nan=True)
        assert batch.time[[0, -1]].tolist() == [MONTHS[0], MONTHS[0] + (rows - 1) * ((MONTHS[-1] - MONTHS[0]) // rows)]
    assert rows_of(second.select(slice(0, 1))) == [(2, -1, 5.0, 0)]
    assert store.texts(3, *EVER, 100).value.tolist() == [f"LOT-{time}" for time in MONTHS[::3]]
    assert store.revisions(1, *EVER, 0).time.tolist() == [MONTHS[0], MONTHS[4], MONTHS[0]]
    assert store.positions() == {"MB-SEP-01": Position("MB-SEP-01", 3, 4, 5)}
    assert list(store.gaps(*EVER)) == [Gap("MB-SEP-01", 10, None, GapCause.LINK_LOST)]
    assert store.account("admin") == Account("admin", "$argon2id$1", "admin")
    assert [event.id for event in store.events(*EVER, 10)] == ["e1"]
    wanted = np.unique(np.concatenate([first.time, second.time]) // HOUR * HOUR)
    assert np.array_equal(np.union1d(store.due_hours(1, *EVER), store.due_hours(2, *EVER)), wanted)
    assert store.snapshot()[0].time.tolist() == [first.time[-1], first.time[-1]]


def test_a_single_file_of_an_older_program_is_moved_into_months(file: Path) -> None:
    old_file(file, 20_000)
    with opened(file) as store:
        assert_all_there(store, 20_000)
        assert store.commit(numbers((1, MONTHS[3] + 1, 1.0, 0))).inserted == 1
    with opened(file) as store:
        assert len(store.samples(1, *EVER, 10**6)) == 20_001
    assert names(file.parent) == [*(f"history.2026-{month:02d}.sqlite" for month in range(1, 13)), "history.before-1970.sqlite", "history.sqlite"]
    with contextlib.closing(sqlite3.connect(file)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert not tables & {"sample", "sample_text", "sample_revision"}


_PREPARE = """
import sys
from services.store import open_store
from tests.integration.test_sqlite_files import TAGS
open_store(sys.argv[1]).prepare(TAGS)
"""


def test_a_kill_while_it_is_moved_loses_nothing(file: Path) -> None:
    old_file(file, 150_000)
    before = file.stat().st_size
    for months in (3, 9):
        moving = subprocess.Popen([sys.executable, "-c", _PREPARE, f"sqlite:///{file}"], cwd=ROOT)
        wait_for_months(file, months, moving)
        moving.send_signal(signal.SIGKILL)
        assert moving.wait(10) == -signal.SIGKILL, "it had ended before it was killed"
        with opened(file, prepare=False) as api, pytest.raises(StoreUnavailable, match="has no tables yet"):
            api.samples(1, *EVER, 10)
    with opened(file) as store:
        assert_all_there(store, 150_000)
    assert file.stat().st_size < before / 2, "the space of what was moved is given back"


def wait_for_months(file: Path, count: int, moving: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while len(list(file.parent.glob("history.2026-??.sqlite"))) < count:
        assert time.monotonic() < deadline
        assert moving.poll() is None
        threading.Event().wait(0.002)


def test_a_kill_in_a_commit_leaves_no_sample_whose_hour_is_not_due(file: Path) -> None:
    """Between the months and the main file: the process ends where positions are written."""
    with opened(file) as store:
        store.commit(Commit(batch_of([(1, MONTHS[0], 1.0, 0)]), NO_TEXTS, [Position("A", 1, 1, MONTHS[0])]))
    program = """
import os, sys
from services.store import Commit, open_store
from services.store.sqlite import store as module
from tests.integration.test_sqlite_files import MONTHS, NO_TEXTS, TAGS, Position, batch_of
store = open_store(sys.argv[1])
store.prepare(TAGS)
module.write_positions = lambda *_: os._exit(9)
store.commit(Commit(batch_of([(1, MONTHS[0] + 1, 2.0, 0), (1, MONTHS[5], 3.0, 0)]), NO_TEXTS, [Position("A", 1, 2, MONTHS[5])]))
"""
    assert subprocess.run([sys.executable, "-c", program, f"sqlite:///{file}"], cwd=ROOT, timeout=60, check=False).returncode == 9
    with opened(file) as store:
        assert store.positions()["A"].sequence == 1
        stored = store.samples(1, *EVER, 10).time // HOUR * HOUR
        assert len(stored) == 3
        assert np.isin(stored, store.due_hours(1, *EVER)).all()
        again = Commit(batch_of([(1, MONTHS[0] + 1, 2.0, 0), (1, MONTHS[5], 3.0, 0)]), NO_TEXTS, [Position("A", 1, 2, MONTHS[5])])
        assert store.commit(again) == CommitReport(0, 2, 0)


def test_a_schema_of_a_newer_program_is_refused_and_left_alone(file: Path) -> None:
    with opened(file) as store:
        fill(store)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(ConfigurationError, match="'9999', this program knows it up to '0003'; start the program that last wrote it"), opened(file):
        pass
    with opened(file, prepare=False) as api, pytest.raises(StoreUnavailable, match="'9999'"):
        api.samples(1, *EVER, 10)


def test_a_month_of_a_newer_program_is_refused_and_left_alone(file: Path) -> None:
    with opened(file) as store:
        fill(store)
    month = file.with_name("history.2026-04.sqlite")
    with contextlib.closing(sqlite3.connect(month)) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(ConfigurationError, match=r"history\.2026-04\.sqlite: the schema is 7, this program knows it up to 1; start the program"), opened(file):
        pass


def spoil(file: Path) -> None:
    """Overwrites all but the first page."""
    size = file.stat().st_size
    with file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xa5" * (size - 4096))


def test_a_damaged_main_file_is_said_with_the_mend(file: Path) -> None:
    with opened(file) as store:
        store.save_events([Event(f"e{number}", number, "x", "s" * 200) for number in range(500)])
    spoil(file)
    with pytest.raises(ConfigurationError, match=r"history\.sqlite: the file is damaged: .*copy the newest backup"), opened(file):
        pass
    file.write_bytes(b"no database at all" * 1000)
    with pytest.raises(ConfigurationError, match=r"history\.sqlite: the file is damaged: .*copy the newest backup"), opened(file):
        pass


@pytest.mark.parametrize("how", ["spoilt", "cut", "foreign", "empty"])
def test_a_damaged_month_is_kept_aside_and_begins_anew(file: Path, caplog: pytest.LogCaptureFixture, how: str) -> None:
    with opened(file) as store:
        fill(store)
        store.commit(Commit(SampleBatch(np.full(5000, 1, np.int32), MONTHS[11] + np.arange(1, 5001), np.zeros(5000), np.zeros(5000, np.int16)), NO_TEXTS))
    month = file.with_name("history.2026-12.sqlite")
    if how == "spoilt":
        spoil(month)
    elif how == "cut":
        os.truncate(month, 8192)
    else:
        month.write_bytes(b"no database at all" * 1000 if how == "foreign" else b"")
    content = month.read_bytes()
    with caplog.at_level(logging.ERROR), opened(file) as store:
        assert store.features["damaged"] == "history.2026-12.sqlite.damaged-1"
        assert len([record for record in caplog.records if "2026-12" in record.getMessage()]) == 1
        assert store.samples(1, *EVER, 100).value.tolist() == [float(month) for month in range(1, 12)]
        assert store.commit(numbers((1, MONTHS[11], 3.0, 0))).inserted == 1
    assert file.with_name("history.2026-12.sqlite.damaged-1").read_bytes() == content
    caplog.clear()
    with caplog.at_level(logging.ERROR), opened(file) as store:
        assert len(store.samples(1, *EVER, 100)) == 12
        assert not caplog.records


def test_damage_that_nobody_looked_for_is_an_outage_that_names_the_file(file: Path) -> None:
    with opened(file) as store:
        fill(store)
        store.commit(Commit(SampleBatch(np.full(5000, 1, np.int32), MONTHS[1] + np.arange(1, 5001), np.zeros(5000), np.zeros(5000, np.int16)), NO_TEXTS))
    with opened(file) as store:
        spoil(file.with_name("history.2026-02.sqlite"))
        with pytest.raises(StoreUnavailable, match=r"history\.2026-02\.sqlite: .*start the historian again"):
            store.samples(1, *EVER, 10_000)
        assert store.samples(1, MONTHS[5], MONTHS[6], 10).value.tolist() == [6.0]
        assert store.commit(numbers((1, MONTHS[11] + 1, 1.0, 0))).inserted == 1


def test_a_single_month_that_somebody_removed_is_no_error(file: Path) -> None:
    with opened(file) as store:
        fill(store)
        file.with_name("history.2026-06.sqlite").unlink()
        assert len(store.samples(1, *EVER, 100)) == 11


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """A file system of 4 MB of its own."""
    with small_disk(4) as disk:
        yield disk


@needs_root
def test_a_full_disk_is_an_outage_that_loses_nothing_and_ends_when_there_is_room(disk: SmallDisk) -> None:
    file = disk.folder / "history.sqlite"
    ballast = disk.folder / "ballast"
    ballast.write_bytes(b"x" * 1_500_000)
    with opened(file) as store:
        written = 0

        def commit_next() -> None:
            nonlocal written
            time = MONTHS[0] + np.arange(written, written + 1000) * (60 * times.MICROSECONDS)
            position = Position("A", 1, written + 1000, int(time[-1]))
            store.commit(Commit(SampleBatch(np.full(1000, 1, np.int32), time, np.sin(time), np.zeros(1000, np.int16)), NO_TEXTS, [position]))
            written += 1000

        def commit_until_it_is_full() -> None:
            while written < 1_000_000:
                commit_next()

        with pytest.raises(StoreUnavailable, match=r"history.*: "):
            commit_until_it_is_full()
        acknowledged = written
        assert acknowledged > 5000
        assert len(store.samples(1, *EVER, 10**6)) >= acknowledged
        assert store.positions()["A"].sequence == acknowledged
        with pytest.raises(StoreUnavailable):
            commit_next()
        ballast.unlink()
        commit_next()
        assert written == acknowledged + 1000
        assert len(store.samples(1, *EVER, 10**6)) == written
        assert store.positions()["A"].sequence == written
        assert np.isin(store.samples(1, *EVER, 10**6).time // HOUR * HOUR, store.due_hours(1, *EVER)).all()
    with opened(file) as store:
        assert len(store.samples(1, *EVER, 10**6)) == written


@needs_root
def test_a_file_system_that_became_read_only_is_an_outage_that_says_so(disk: SmallDisk) -> None:
    file = disk.folder / "history.sqlite"
    with opened(file) as store:
        store.commit(numbers((1, MONTHS[0], 1.0, 0)))
    disk.remount("ro")
    with pytest.raises(StoreUnavailable, match=r"history.*\.sqlite: .*(readonly|read-only|unable to open)"), opened(file):
        pass
    disk.remount("rw")
    with opened(file) as store:
        assert store.commit(numbers((1, MONTHS[1], 1.0, 0))).inserted == 1


def test_a_limit_on_files_leaves_a_month_unmade_and_the_store_whole(file: Path) -> None:
    with opened(file) as store:
        store.commit(numbers((1, MONTHS[0], 1.0, 0)))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
        try:
            with pytest.raises(StoreUnavailable):
                store.commit(numbers((1, MONTHS[1], 1.0, 0)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert store.commit(numbers((1, MONTHS[1], 1.0, 0))).inserted == 1
    assert not [name for name in names(file.parent) if name.endswith(".new")]


def test_a_backup_made_while_history_is_written_is_made_whole_by_what_comes_again(file: Path, tmp_path: Path) -> None:
    commits = [
        Commit(
            batch_of([(tag_id, MONTHS[number % 12] + number * 1000 + row, float(number), 0) for tag_id in (1, 2) for row in range(200)]),
            TextBatch.of([3], [MONTHS[number % 12] + number], [f"LOT-{number}"], [0]),
            [Position("A", 1, number + 1, MONTHS[number % 12])],
        )
        for number in range(300)
    ]
    copied = tmp_path / "backup" / "today"
    failures: list[Exception] = []
    with opened(file) as store, opened(file, prepare=False) as other:
        for commit in commits[:100]:
            store.commit(commit)
        begun, done = threading.Event(), threading.Event()

        def write() -> None:
            try:
                for number, commit in enumerate(commits[100:]):
                    store.commit(commit)
                    if number == 10:
                        begun.set()
                    if number > 150:
                        done.wait(20)
            except StoreUnavailable as error:
                failures.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        begun.wait(20)
        other.backup(copied)
        done.set()
        writer.join()
        assert not failures
        with pytest.raises(ConfigurationError, match="is not empty"):
            store.backup(copied)
        live = [store.samples(tag_id, *EVER, 10**6) for tag_id in (1, 2)]
    assert names(copied) == [*(f"history.2026-{month:02d}.sqlite" for month in range(1, 13)), "history.sqlite"]
    with opened(copied / "history.sqlite") as restored:
        stored = restored.positions()["A"].sequence
        assert 110 <= stored < 300
        found = restored.samples(1, *EVER, 10**6)
        assert len(found) >= stored * 200
        for commit in commits[:stored]:
            assert restored.commit(commit) == CommitReport(0, 401, 0), "what counts as stored is there"
        assert np.isin(found.time // HOUR * HOUR, restored.due_hours(1, *EVER)).all()
        for commit in commits[stored:]:
            restored.commit(commit)
        for tag_id, batch in zip((1, 2), live, strict=True):
            assert rows_of(restored.samples(tag_id, *EVER, 10**6)) == rows_of(batch)


def test_hours_rolled_up_while_a_backup_is_made_are_due_in_it(file: Path, tmp_path: Path) -> None:
    with opened(file) as store:
        store.commit(numbers((1, MONTHS[0], 1.0, 0)))
        due = store.take_due(MONTHS[1], 10)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as backup:
            backup.execute("INSERT INTO backup VALUES (1, ?)", (times.now(),))
            assert len(store.take_due(MONTHS[1], 10)) == 0
            empty = store.hours(1, *EVER)
            store.save_roll_ups(empty, empty, due)
            assert store.due_hours(1, *EVER).tolist() == [MONTHS[0] // HOUR * HOUR]
            backup.execute("UPDATE backup SET alive = ?", (times.now() - 3600 * times.MICROSECONDS,))
        assert len(store.take_due(MONTHS[1], 10)) == 1, "a backup that was killed holds nobody up"
        store.backup(tmp_path / "copy")
    with opened(tmp_path / "copy" / "history.sqlite") as restored:
        assert len(restored.take_due(MONTHS[1], 10)) == 1


def test_a_restore_is_a_copy_of_the_folder(file: Path, tmp_path: Path) -> None:
    with opened(file) as store:
        fill(store)
        store.backup(tmp_path / "backup")
    for path in file.parent.glob("history*"):
        path.unlink()
    for path in (tmp_path / "backup").iterdir():
        shutil.copy(path, file.parent)
    with opened(file) as store:
        assert store.samples(1, *EVER, 100).value.tolist() == [float(month) for month in range(1, 13)]


def test_hours_have_the_columns_of_summaries(file: Path) -> None:
    with opened(file) as store:
        fill(store)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        columns = {name: kind for _, name, kind, *_ in connection.execute("PRAGMA table_info(roll_up_hour)")}
    kinds = {name: "REAL" if dtype.kind == "f" else "INTEGER" for name, dtype in STORED_COLUMNS.items()}
    assert columns == {"tag_id": "INTEGER", "ts": "INTEGER", **kinds}


def test_a_minute_is_the_bytes_that_the_format_says(file: Path) -> None:
    with opened(file) as store:
        fill(store)
        due = store.take_due(MONTHS[1], 1)
        (begin,) = due.hour.tolist()
        summaries = summarise(TagSamples(np.array([begin + 5]), np.array([2.5]), np.array([0], np.int16), False), np.array([begin, begin + MINUTE]))
        store.save_roll_ups(RollUps(np.array([1], np.int32), np.array([begin]), summaries), RollUps.empty(), due)
    with contextlib.closing(sqlite3.connect(file.with_name("history.2026-01.sqlite"))) as connection:
        ((tag_id, ts, summary),) = connection.execute("SELECT * FROM roll_up_minute").fetchall()
    assert (tag_id, ts, len(summary)) == (1, begin, 206)
    assert struct.unpack_from("<qdh", summary) == (begin + 5, 2.5, 0), "the first sample"
    assert struct.unpack_from("<q", summary, 198) == (NO_TIME,), "the first Bad one"


_WRITING = """
import sys, threading
import numpy as np
from plant.aggregates import TagSamples, summarise
from services.store import HOUR, RollUps, open_store
from tests.integration.test_sqlite_files import EVER, MONTHS, TAGS, numbered
store = open_store(sys.argv[1])
store.prepare(TAGS)

def roll_up():
    while True:
        due = store.take_due(MONTHS[-1] + 31 * 24 * HOUR, 3)
        for hour in due.hour.tolist():
            samples = store.samples(1, hour, hour + HOUR, 10**6)
            summaries = summarise(TagSamples(samples.time, samples.value, samples.quality, False), np.array([hour, hour + HOUR]))
            hours = RollUps(np.array([1], np.int32), np.array([hour]), summaries)
            done = type(due)(due.tag_id[due.hour == hour], due.hour[due.hour == hour], due.thinned[due.hour == hour])
            store.save_roll_ups(store.minutes(1, 0, 0), hours, done)

threading.Thread(target=roll_up, daemon=True).start()
positions = store.positions()
number = positions["A"].sequence + 1 if positions else 0
while True:
    store.commit(numbered(number))
    print(number, flush=True)
    number += 1
"""


def numbered(number: int) -> Commit:
    """The commit of that number: 50 samples in each of two months, most in hours that others wrote to before."""
    rows = [(1, MONTHS[month] + number % 5 * HOUR + number * 1000 + row, float(number), 0) for month in (number % 3, 3) for row in range(50)]
    return Commit(batch_of(rows), NO_TEXTS, [Position("A", 1, number, rows[-1][1])])


def test_kills_under_load_lose_nothing_and_leave_no_roll_up_wrong(file: Path) -> None:
    rolled_up = 0
    for delay in (0.2, 0.6, 1.0):
        with subprocess.Popen([sys.executable, "-c", _WRITING, f"sqlite:///{file}"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as writing:
            assert writing.stdout is not None
            told = [writing.stdout.readline()]
            killer = threading.Timer(delay, writing.kill)
            killer.start()
            told += writing.stdout.readlines()
        assert writing.returncode == -signal.SIGKILL
        acknowledged = int(next(line for line in reversed(told) if line.endswith("\n")))
        with opened(file) as store:
            stored = store.positions()["A"].sequence
            assert stored >= acknowledged
            samples = store.samples(1, *EVER, 10**6)
            for number in range(max(0, stored - 50), stored + 1):
                assert np.isin(numbered(number).samples.time, samples.time).all()
            assert stored * 100 < len(samples) <= (stored + 2) * 100
            hours, counts = np.unique(samples.time // HOUR * HOUR, return_counts=True)
            usable = ~np.isin(hours, store.due_hours(1, *EVER))
            made = store.hours(1, *EVER)
            kept = dict(zip(made.start.tolist(), made.summaries.good_count.tolist(), strict=True))
            for hour, count in zip(hours[usable].tolist(), counts[usable].tolist(), strict=True):
                assert kept[hour] == count
            rolled_up += int(np.count_nonzero(usable))
    assert rolled_up, "no hour was ever left alone long enough to be used"
