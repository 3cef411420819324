from collections.abc import Iterator
from pathlib import Path

import pytest

from plant.batch import TextBatch
from plant.ledger import Gap, GapCause
from plant.quality import Quality
from plant.tag import DataType
from services.retrieval import History
from services.store import Commit, Store, open_store
from tests.samples import batch_of, make_tag

LEVEL = make_tag(1)
VALVE = make_tag(2, "SEP.COL101.YL101", data_type=DataType.BOOLEAN)
LOT = make_tag(3, "SEP.COL101.UY101", data_type=DataType.STRING, eu_range=None)
GOOD, HELD = int(Quality.GOOD), int(Quality.UNCERTAIN_DATA_SUB_NORMAL)
LOST = int(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/history.sqlite")
    opened.prepare([LEVEL, VALVE, LOT])
    opened.commit(Commit(batch_of([(1, 1000, 1.0, 0), (1, 2000, 2.0, 0), (1, 3000, 3.0, 0), (2, 1000, 1.0, 0)]), TextBatch.of([3], [1000], ["LOT-1"], [0])))
    yield opened
    opened.close()


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
