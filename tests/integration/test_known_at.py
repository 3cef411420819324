"""Pages of history as it was known, over every store: together they are what was there, however much was changed since, and each reads a bounded part of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.edit import EditMode
from plant.tag import DataType, Tag
from services.retrieval import History
from services.store import Authorship, Commit, Edit, Revisions, Store, open_store
from tests.samples import batch_of, make_tag

LEVEL = make_tag(1)
LOT = make_tag(2, "SEP.COL101.UY101", data_type=DataType.STRING, eu_range=None)
T0 = times.parse_time("2026-10-31T23:59:59.999970Z", 0)
"""Thirty microseconds before November."""

ANNA = Authorship("anna", "")
EVER = (0, 2**61)
AT_ONCE, MOST_READS = 7, 3


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    opened.prepare([LEVEL, LOT])
    yield opened
    opened.close()


def write(store: Store, tag: Tag, values: dict[int, float], mode: EditMode | None = None) -> None:
    """Samples at ``T0`` and so many microseconds; by hand, where a mode is given."""
    numbers, texts = SampleBatch.empty(), TextBatch.empty()
    if tag is LOT:
        texts = TextBatch.of([tag.id] * len(values), [T0 + offset for offset in values], [f"LOT-{value}" for value in values.values()], [0] * len(values))
    else:
        numbers = batch_of([(tag.id, T0 + offset, value, 0) for offset, value in values.items()])
    if mode is None:
        store.commit(Commit(numbers, texts))
    else:
        store.edit(Edit(numbers, texts, mode, ANNA))


def pages(history: History, tag: Tag, limit: int, known_at: int) -> list[list[tuple[int, Any]]]:
    found, cursor = [], None
    for _ in range(1_000):
        page = history.page(tag, *EVER, limit, cursor=cursor, known_at=known_at)
        found.append(list(zip((page.batch.time - T0).tolist(), page.batch.value.tolist(), strict=True)))
        assert len(page.batch) <= limit
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError("pages without end")


def change(store: Store, tag: Tag) -> None:
    """What was known before it is every even offset from 0 to 98."""
    for number in range(20):
        write(store, tag, {40: float(number)})  # of one sample more revisions than one read holds
    write(store, tag, dict.fromkeys(range(1, 60, 2), -1.0), EditMode.INSERT)  # for longer than several reads nothing of it was there
    store.delete(tag.id, T0 + 50, T0 + 90, ANNA)  # and here there is nothing now
    write(store, tag, {60: 5.0, 200: 5.0}, EditMode.INSERT)
    write(store, tag, dict.fromkeys(range(200, 300), -2.0), EditMode.UPDATE)
    write(store, tag, {98: 7.0})
    write(store, tag, {400: 1.0})  # late: no change


@pytest.mark.parametrize("tag", [LEVEL, LOT])
def test_pages_are_together_what_was_known(store: Store, tag: Tag, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, tag, {offset: float(offset) for offset in range(0, 100, 2)})
    (whole,) = pages(History(store), tag, 1_000, T0)
    known_at = times.now()
    change(store, tag)
    wanted = [*whole, (400, "LOT-1.0" if tag is LOT else 1.0)]
    assert len(wanted) == 51
    history = History(store)
    assert pages(history, tag, 1_000, known_at) == [wanted]
    monkeypatch.setattr("services.retrieval.history._AT_ONCE", AT_ONCE)
    monkeypatch.setattr("services.retrieval.history._MOST_READS", MOST_READS)
    for limit in (1, 2, 7, 8, 51, 52):
        assert [row for page in pages(history, tag, limit, known_at) for row in page] == wanted, limit
    assert any(len(page) < 3 for page in pages(history, tag, 3, known_at)[:-1]), "a page ends where it has read enough"


def test_a_page_reads_a_bounded_number_of_samples_and_revisions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, LEVEL, {offset: float(offset) for offset in range(0, 100, 2)})
    known_at = times.now()
    change(store, LEVEL)
    monkeypatch.setattr("services.retrieval.history._AT_ONCE", AT_ONCE)
    monkeypatch.setattr("services.retrieval.history._MOST_READS", MOST_READS)
    read: list[int] = []
    samples, revisions = store.samples, store.revisions_by_time

    def samples_read(*asked: int) -> SampleBatch:
        found = samples(*asked)
        read.append(len(found))
        return found

    def revisions_read(*asked: int) -> Revisions:
        found = revisions(*asked)
        read.append(len(found))
        return found

    monkeypatch.setattr(store, "samples", samples_read)
    monkeypatch.setattr(store, "revisions_by_time", revisions_read)
    history, cursor = History(store), None
    for _ in range(1_000):
        read.clear()
        cursor = history.page(LEVEL, *EVER, 2, cursor=cursor, known_at=known_at).next
        assert max(read) <= AT_ONCE
        assert len(read) <= 2 * MOST_READS
        if cursor is None:
            return
    raise AssertionError("pages without end")


def test_what_is_changed_while_a_page_is_read_is_undone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, LEVEL, {0: 1.0, 2: 2.0})
    known_at = times.now()
    samples, revisions = store.samples, store.revisions_by_time

    def samples_first(*asked: int) -> SampleBatch:
        found = samples(*asked)
        write(store, LEVEL, {0: 9.0, 1: 9.0}, EditMode.UPDATE)
        return found

    def revisions_first(*asked: int) -> Revisions:
        found = revisions(*asked)
        store.delete(LEVEL.id, T0 + 2, T0 + 3, ANNA)
        return found

    monkeypatch.setattr(store, "samples", samples_first)
    monkeypatch.setattr(store, "revisions_by_time", revisions_first)
    assert pages(History(store), LEVEL, 10, known_at) == [[(0, 1.0), (2, 2.0)]]


def test_each_piece_of_a_deletion_is_known_from_when_it_was_made(store: Store) -> None:
    write(store, LEVEL, {0: 1.0, 1: 2.0, 50: 3.0})
    before = times.now()
    store.delete(LEVEL.id, T0, T0 + 1, ANNA)
    between = times.now()
    write(store, LEVEL, {1: 2.5})
    corrected = times.now()
    store.delete(LEVEL.id, T0 + 1, T0 + 60, ANNA)
    history = History(store)
    assert pages(history, LEVEL, 10, before) == [[(0, 1.0), (1, 2.0), (50, 3.0)]]
    assert pages(history, LEVEL, 10, between) == [[(1, 2.0), (50, 3.0)]]
    assert pages(history, LEVEL, 10, corrected) == [[(1, 2.5), (50, 3.0)]]
    assert pages(history, LEVEL, 10, times.now()) == [[]]
