"""Pages of gaps and of revisions over every store: together they are the whole, also where many rows share one time."""

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest

from plant import times
from plant.batch import TextBatch
from plant.edit import EditMode
from plant.ledger import Gap, GapCause
from plant.tag import DataType
from services.retrieval import BadCursor, Records
from services.store import Authorship, Commit, Edit, Store, open_store
from tests.samples import batch_of, make_tag

LEVEL, OTHER = make_tag(1), make_tag(2, "SEP.COL101.PT102")
LOT = make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING, eu_range=None)
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
MONTHS = [times.parse_time(f"2026-{month:02d}-10T00:00:00Z", 0) for month in (9, 10, 11)]
EVER = (0, 2**61)
NO_TEXTS = TextBatch.empty()
GAPS = [
    Gap("MB-1", T0, T0 + 5, GapCause.BATCH_LOST),
    Gap("MB-1", T0, T0 + 5, GapCause.LINK_LOST),
    Gap("MB-2", T0, T0 + 5, GapCause.BATCH_LOST),
    Gap("MB-2", T0, T0 + 5, GapCause.LINK_LOST),
    Gap("MB-1", T0 + 10, None, GapCause.GATEWAY_STOPPED),
    Gap("MB-1", T0 + 10, T0 + 20, GapCause.QUEUE_OVERFLOW),
    Gap("MB-2", T0 + 10, None, GapCause.GATEWAY_STOPPED),
    Gap("MB-2", T0 + 10, T0 + 20, GapCause.QUEUE_OVERFLOW),
    Gap("MB-1", T0 + 30, T0 + 31, GapCause.LINK_LOST),
    Gap("MB-2", T0 + 30, T0 + 31, GapCause.LINK_LOST),
]
"""As they are read."""


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    opened.prepare([LEVEL, OTHER, LOT])
    yield opened
    opened.close()


def gaps_in_pages(records: Records, start: int, end: int, limit: int) -> list[Gap]:
    found: list[Gap] = []
    cursor = None
    for _ in range(100):
        page = records.gaps(start, end, limit, cursor)
        assert len(page.gaps) <= limit
        found += page.gaps
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError("pages without end")


def revised(records: Records, limit: int, since: int = 0) -> list[float]:
    """New values of the revisions of ``LEVEL``, page by page."""
    found: list[float] = []
    cursor = None
    for _ in range(100):
        page = records.revisions(LEVEL, *EVER, since, limit, cursor)
        assert len(page.revisions) <= limit
        found += [float(value) for value in page.revisions.new_value]
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError("pages without end")


def revise(store: Store, time: int, value: float, made: int) -> None:
    store.edit(Edit(batch_of([(1, time, value, 0)]), NO_TEXTS, EditMode.UPDATE, Authorship("anna", "", made)))


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9, 10, 11])
def test_pages_of_gaps_are_the_whole_where_several_began_at_one_time(store: Store, limit: int) -> None:
    for gap in reversed(GAPS):
        store.save_gap(gap)
    assert list(store.gaps(*EVER)) == GAPS
    assert gaps_in_pages(Records(store), *EVER, limit) == GAPS
    assert gaps_in_pages(Records(store), T0 + 6, T0 + 30, limit) == GAPS[4:8]


def test_a_gap_that_is_told_again_between_two_pages_is_on_one_of_them(store: Store) -> None:
    for gap in GAPS:
        store.save_gap(gap)
    records = Records(store)
    first = records.gaps(*EVER, 5)
    store.save_gap(replace(GAPS[4], end=T0 + 1_000, recovered=True))
    store.save_gap(replace(GAPS[6], end=T0 + 1_000, recovered=True))
    store.save_gap(Gap("MB-3", T0 + 20, T0 + 21, GapCause.LINK_LOST))
    rest = records.gaps(*EVER, 100, first.next)
    keys = [(gap.device, gap.start, gap.cause) for gap in [*first.gaps, *rest.gaps]]
    assert len(set(keys)) == len(keys) == len(GAPS) + 1


@pytest.mark.parametrize("limit", [1, 2, 3, 12, 13])
def test_pages_of_revisions_are_the_whole_over_months_and_equal_times(store: Store, limit: int) -> None:
    for number in range(12):
        revise(store, MONTHS[number % 3] + number // 6, float(number), T0 + number // 5)
    records = Records(store)
    whole = revised(records, 1_000)
    assert sorted(whole) == [float(number) for number in range(12)]
    assert revised(records, limit) == whole
    assert revised(records, limit, since=T0) == [value for value in whole if value >= 5]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_of_revisions_are_the_whole_where_a_clock_ran_backwards(store: Store, limit: int) -> None:
    for number, made in enumerate([9, 5, 7, 9, 1, 20, 3, 8]):
        revise(store, MONTHS[number // 2 % 3], float(number), T0 + made)
    records = Records(store)
    whole = revised(records, 1_000)
    assert sorted(whole) == [float(number) for number in range(8)]
    assert revised(records, limit) == whole


def test_what_is_changed_between_two_pages_comes_behind(store: Store) -> None:
    for number in range(4):
        revise(store, MONTHS[number % 2], float(number), T0 + number)
    records = Records(store)
    first = records.revisions(LEVEL, *EVER, 0, 2)
    revise(store, MONTHS[0], 9.0, T0 + 10)
    rest = records.revisions(LEVEL, *EVER, 0, 100, first.next)
    assert [*first.revisions.new_value, *rest.revisions.new_value] == [0.0, 1.0, 2.0, 3.0, 9.0]


def test_revisions_of_texts_and_of_nothing_have_their_pages(store: Store) -> None:
    records = Records(store)
    nothing = records.revisions(LOT, *EVER, 0, 1)
    assert (len(nothing.revisions), nothing.next) == (0, None)
    for lot in ("LOT-1", "LOT-2"):
        store.commit(Commit(batch_of([]), TextBatch.of([LOT.id], [T0], [lot], [0])))
    page = records.revisions(LOT, *EVER, 0, 1)
    assert page.revisions.new_value.tolist() == ["LOT-2"]
    assert len(records.revisions(LOT, *EVER, 0, 1, page.next).revisions) == 0


NO_CAUSE = base64.urlsafe_b64encode(bytes(8) + b"MB-1\nno cause").decode()


@pytest.mark.parametrize("cursor", ["", "?", "bm9uc2Vuc2U=", NO_CAUSE, "w4TDlsOcw4TDlsOcw4TDlsOc", "é"])
def test_a_cursor_of_another_make_is_refused(store: Store, cursor: str) -> None:
    records = Records(store)
    with pytest.raises(BadCursor, match="begin again"):
        records.gaps(*EVER, 1, cursor)
    with pytest.raises(BadCursor, match="begin again"):
        records.revisions(LEVEL, *EVER, 0, 1, cursor)


def test_a_cursor_of_another_tag_is_refused(store: Store) -> None:
    revise(store, T0, 1.0, T0)
    cursor = Records(store).revisions(LEVEL, *EVER, 0, 1).next
    with pytest.raises(BadCursor, match=r"another tag than SEP\.COL101\.PT102"):
        Records(store).revisions(OTHER, *EVER, 0, 1, cursor)
