import base64
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from plant import times
from plant.batch import SampleBatch, TextBatch
from plant.ledger import Gap, GapCause
from plant.quality import Quality
from plant.tag import DataType, Tag
from services.retrieval import BadCursor, History
from services.store import Commit, Store, open_store
from tests.samples import batch_of, make_tag

LEVEL = make_tag(1)
VALVE = make_tag(2, "SEP.COL101.YL101", data_type=DataType.BOOLEAN)
LOT = make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING, eu_range=None)
WEIGHT = make_tag(4, "SEP.COL101.WT101", data_type=DataType.DOUBLE)
COUNTER = make_tag(5, "SEP.COL101.KQ101", data_type=DataType.UINT16)
NEVER = make_tag(6, "SEP.COL101.TT101")
NO_LOT = make_tag(7, "SEP.COL101.UY102", data_type=DataType.STRING, eu_range=None)
GOOD, HELD = int(Quality.GOOD), int(Quality.UNCERTAIN_DATA_SUB_NORMAL)
LOST = int(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)
T0 = times.parse_time("2026-11-23T04:00:00Z", 0)
BAD = int(Quality.BAD_NO_COMMUNICATION)
UNCERTAIN = int(Quality.UNCERTAIN_LAST_USABLE_VALUE)
COUNT = 10


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/history.sqlite")
    opened.prepare([LEVEL, VALVE, LOT])
    opened.commit(Commit(batch_of([(1, 1000, 1.0, 0), (1, 2000, 2.0, 0), (1, 3000, 3.0, 0), (2, 1000, 1.0, 0)]), TextBatch.of([3], [1000], ["LOT-1"], [0])))
    yield opened
    opened.close()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """Over another store: ten samples of every tag but two, at T0, T0 + 10 … T0 + 90 µs; the value is the number; number 5 is Bad, 7 Uncertain."""
    opened = open_store(f"sqlite:///{tmp_path}/ten.sqlite")
    opened.prepare([LEVEL, VALVE, LOT, WEIGHT, COUNTER, NEVER, NO_LOT])
    quality = {5: BAD, 7: UNCERTAIN}
    numbers = range(COUNT)
    rows = [(tag.id, T0 + 10 * n, float(n), quality.get(n, 0)) for tag in (LEVEL, VALVE, WEIGHT, COUNTER) for n in numbers]
    texts = TextBatch.of([LOT.id] * COUNT, [T0 + 10 * n for n in numbers], [f"LOT-{n}" for n in numbers], [quality.get(n, 0) for n in numbers])
    opened.commit(Commit(batch_of(rows), texts))
    yield History(opened)
    opened.close()


def offsets(history: History, tag: Tag, start: int, end: int, limit: int, *, bounds: bool = False) -> list[list[int]]:
    """The times of each page, counted from T0."""
    pages: list[list[int]] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        page = history.page(tag, T0 + start, T0 + end, limit, cursor=cursor, bounds=bounds)
        pages.append([time - T0 for time in page.batch.time.tolist()])
        cursor = page.next
    return pages


@pytest.mark.parametrize("tag", [LEVEL, LOT])
@pytest.mark.parametrize("limit", [1, 2, 3, COUNT - 1, COUNT, COUNT + 1])
def test_pages_together_are_the_whole_and_none_is_longer_than_asked(history: History, tag: Tag, limit: int) -> None:
    pages = offsets(history, tag, 0, 100, limit)
    assert [time for page in pages for time in page] == list(range(0, 100, 10))
    assert max(map(len, pages)) <= limit


@pytest.mark.parametrize("tag", [LEVEL, LOT])
def test_pages_carry_values_and_qualities_of_their_own_tag(history: History, tag: Tag) -> None:
    batch = history.page(tag, T0 + 40, T0 + 80, 100).batch
    assert isinstance(batch, TextBatch if tag is LOT else SampleBatch)
    assert batch.value.tolist() == (["LOT-4", "LOT-5", "LOT-6", "LOT-7"] if tag is LOT else [4.0, 5.0, 6.0, 7.0])
    assert batch.quality.tolist() == [0, BAD, 0, UNCERTAIN]


@pytest.mark.parametrize("tag", [LEVEL, LOT])
@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (20, 50, [20, 30, 40]),
        (20, 51, [20, 30, 40, 50]),
        (21, 50, [30, 40]),
        (20, 20, []),
        (91, 1000, []),
        (-100, 0, []),
    ],
)
def test_from_is_included_and_to_is_not(history: History, tag: Tag, start: int, end: int, found: list[int]) -> None:
    assert offsets(history, tag, start, end, 100) == [found]


@pytest.mark.parametrize("tag", [LEVEL, LOT])
@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (20, 50, [10, 20, 30, 40, 50]),
        (21, 50, [20, 30, 40, 50]),
        (21, 29, [20, 30]),
        (20, 20, [10, 20]),
        (0, 100, list(range(0, 100, 10))),
        (-100, -50, [0]),
        (500, 600, [90]),
    ],
)
def test_bounds_are_the_sample_before_from_and_the_one_at_or_after_to(history: History, tag: Tag, start: int, end: int, found: list[int]) -> None:
    assert offsets(history, tag, start, end, 100, bounds=True) == [found]


@pytest.mark.parametrize("tag", [LEVEL, LOT])
def test_bounds_stand_once_before_the_first_page_and_behind_the_last(history: History, tag: Tag) -> None:
    assert offsets(history, tag, 20, 70, 2, bounds=True) == [[10, 20, 30], [40, 50], [60, 70]]
    assert offsets(history, tag, 20, 60, 2, bounds=True) == [[10, 20, 30], [40, 50], [60]]


@pytest.mark.parametrize("tag", [NEVER, NO_LOT])
@pytest.mark.parametrize("bounds", [True, False])
def test_a_tag_without_history_is_one_empty_page(history: History, tag: Tag, bounds: bool) -> None:
    assert offsets(history, tag, 0, 100, 10, bounds=bounds) == [[]]


def test_a_from_that_moved_on_between_pages_is_obeyed(history: History) -> None:
    first = history.page(LEVEL, T0, T0 + 100, 2)
    second = history.page(LEVEL, T0 + 45, T0 + 100, 2, cursor=first.next)
    assert (second.batch.time - T0).tolist() == [50, 60]


def test_a_cursor_of_another_tag_is_refused(history: History) -> None:
    cursor = history.page(LEVEL, T0, T0 + 100, 2).next
    with pytest.raises(BadCursor, match="another tag"):
        history.page(WEIGHT, T0, T0 + 100, 2, cursor=cursor)


def packed(layout: str, *numbers: int) -> str:
    return base64.urlsafe_b64encode(struct.pack(layout, *numbers)).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "mine",
        "größer",
        "AAAA AAAA AAAA A",
        "=" * 16,
        packed(">q", T0),
        packed(">iqq", LEVEL.id, T0, T0),
        packed(">iq", LEVEL.id, 2**63 - 1),
        packed(">iq", LEVEL.id, -(2**63)),
        packed("<iq", LEVEL.id, T0),
    ],
)
def test_a_cursor_that_was_not_made_here_is_refused(history: History, cursor: str) -> None:
    with pytest.raises(BadCursor, match="begin again without it"):
        history.page(LEVEL, T0, T0 + 100, 2, cursor=cursor)


@pytest.mark.parametrize(
    ("tag", "time", "value", "quality"),
    [
        (LEVEL, 20, 2.0, GOOD),
        (LEVEL, 25, 2.5, GOOD),
        (WEIGHT, 21, 2.1, GOOD),
        (VALVE, 25, 2.0, GOOD),
        (COUNTER, 29, 2.0, GOOD),
        (LEVEL, 45, 4.0, HELD),
        (COUNTER, 45, 4.0, GOOD),
        (LEVEL, 50, 5.0, BAD),
        (LEVEL, 65, 6.0, HELD),
        (LEVEL, 75, 7.0, UNCERTAIN),
        (LEVEL, 95, 9.0, HELD),
        (COUNTER, 95, 9.0, GOOD),
    ],
)
def test_the_value_at_a_time_is_on_the_line_or_held_as_the_tag_says(history: History, tag: Tag, time: int, value: float, quality: int) -> None:
    found = history.at(tag, T0 + time)
    assert (found.time, found.quality) == (T0 + time, quality)
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("tag", "time", "quality"),
    [(LEVEL, -1, Quality.BAD_NO_DATA), (COUNTER, -1, Quality.BAD_NO_DATA), (NEVER, 50, Quality.BAD_NO_DATA), (LEVEL, 55, BAD), (COUNTER, 55, BAD)],
)
def test_where_nothing_is_known_there_is_no_value_and_the_quality_says_why(history: History, tag: Tag, time: int, quality: int) -> None:
    found = history.at(tag, T0 + time)
    assert (str(found.value), found.quality) == ("nan", quality)


@pytest.mark.parametrize(
    ("tag", "time", "value", "quality"),
    [
        (LOT, 20, "LOT-2", 0),
        (LOT, 29, "LOT-2", 0),
        (LOT, 59, None, BAD),
        (LOT, 79, "LOT-7", UNCERTAIN),
        (LOT, 1000, "LOT-9", 0),
        (LOT, -1, None, Quality.BAD_NO_DATA),
        (NO_LOT, 50, None, Quality.BAD_NO_DATA),
    ],
)
def test_a_text_holds_until_the_next_and_a_bad_one_is_none(history: History, tag: Tag, time: int, value: str | None, quality: int) -> None:
    found = history.at(tag, T0 + time)
    assert (found.value, found.quality) == (value, quality)


def test_no_line_is_drawn_across_a_loss_and_inside_it_values_are_the_last_usable_ones(store: Store) -> None:
    history = History(store)
    assert (history.at(LEVEL, 1500).value, history.at(LEVEL, 1500).quality) == (1.5, GOOD)
    store.save_gap(Gap(LEVEL.device, 1000, 1800, GapCause.GATEWAY_STOPPED))
    for tag, time, value, quality in (
        (LEVEL, 1000, 1.0, GOOD),
        (LEVEL, 1500, 1.0, LOST),
        (LEVEL, 1900, 1.0, HELD),
        (LEVEL, 2500, 2.5, GOOD),
        (VALVE, 1500, 1.0, LOST),
        (VALVE, 1900, 1.0, GOOD),
        (LOT, 1500, "LOT-1", LOST),
        (LOT, 1900, "LOT-1", GOOD),
    ):
        found = history.at(tag, time)
        assert (found.value, found.quality) == (value, quality), (tag.name, time)


def test_a_loss_of_another_device_or_one_made_good_changes_nothing(store: Store) -> None:
    store.save_gap(Gap("MB-SEP-09", 1000, 1800, GapCause.GATEWAY_STOPPED))
    store.save_gap(Gap(LEVEL.device, 1000, 1800, GapCause.BATCH_LOST, recovered=True))
    assert History(store).at(LEVEL, 1500).quality == GOOD


def test_pages_end_where_the_samples_do(store: Store) -> None:
    history = History(store)
    first = history.page(LEVEL, 0, 10_000, 2)
    assert first.next is not None
    second = history.page(LEVEL, 0, 10_000, 2, cursor=first.next)
    assert (first.batch.time.tolist(), second.batch.time.tolist(), second.next) == ([1000, 2000], [3000], None)
