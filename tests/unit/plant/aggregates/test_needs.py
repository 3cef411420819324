"""Each function is finished from the columns that it declares: they are enough, there is none too many, and looking at another is an error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.aggregates import (
    COLUMNS,
    IMPLIED,
    NOT_PLAIN,
    STORED_COLUMNS,
    TREND_COLUMNS,
    AggregateConfiguration,
    AggregateFunction,
    AggregateValues,
    ColumnNotRead,
    Summaries,
    TagSamples,
    aggregate,
    columns_of,
    from_stored,
    implied,
    merge,
    points_of_summaries,
    served_by_summaries,
    summarise,
    with_companions,
)
from plant.batch import Int64Column
from plant.times import MICROSECONDS
from tests.unit.plant.aggregates.historians import BAD, GOOD, UNCERTAIN, tag_samples
from tests.unit.plant.aggregates.histories import SPAN, History, configurations, edges_of, histories, tag_histories

F = AggregateFunction
KEYS = COLUMNS[:6]
MIXED = tag_samples([1, 2, 3, 4, 9], [1.0, 0.0, 3.0, 4.0, 0.0], [GOOD, UNCERTAIN, GOOD, BAD, GOOD], stepped=False)
EDGES = np.array([0, 6, 12], np.int64) * MICROSECONDS


def narrow(rows: Summaries, columns: tuple[str, ...]) -> Summaries:
    """As a store gives them that was asked for these columns."""
    kept = rows.select(rows.filled)
    return from_stored({name: getattr(kept, name) for name in columns if name in STORED_COLUMNS}, rows.stepped, columns)


def assert_identical(found: AggregateValues, wanted: AggregateValues, function: AggregateFunction) -> None:
    for name in ("time", "value", "quality", "percent_good", "actual_time", "partial"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=f"{function}: {name}")


@given(history=histories(), configuration=configurations(), buckets=st.sets(st.integers(-5, SPAN + 8), max_size=20))
@settings(max_examples=50, deadline=None)
def test_a_function_answers_from_its_columns_as_from_all(history: History, configuration: AggregateConfiguration, buckets: set[int]) -> None:
    everywhere = np.array([-6, SPAN + 9], np.int64) * MICROSECONDS
    cuts = np.unique(np.concatenate([everywhere, history.edges, np.array(sorted(buckets), np.int64) * MICROSECONDS]))
    rows = summarise(history.samples, cuts)
    whole = narrow(rows, COLUMNS)
    for function in F:
        if served_by_summaries(function, configuration):
            wanted, found = (
                aggregate(function, data, history.edges, configuration=configuration, known_until=history.known_until)
                for data in (whole, narrow(rows, columns_of(function)))
            )
            assert_identical(found, wanted, function)


@given(samples=tag_histories(), edges=edges_of(), names=st.sets(st.sampled_from(COLUMNS)), uncertain_as_bad=st.booleans())
@settings(max_examples=100, deadline=None)
def test_some_columns_merge_to_what_all_merge_to(samples: TagSamples, edges: Int64Column, names: set[str], uncertain_as_bad: bool) -> None:
    columns = with_companions(names)
    some = summarise(samples, edges, uncertain_as_bad=uncertain_as_bad, columns=columns)
    all_of_them = summarise(samples, edges, uncertain_as_bad=uncertain_as_bad)
    assert some.columns == columns
    for of_some, of_all in ((some, all_of_them), (merge(some, edges[[0, -1]]), merge(all_of_them, edges[[0, -1]]))):
        for name in columns:
            np.testing.assert_array_equal(getattr(of_some, name), getattr(of_all, name), err_msg=name)


@given(samples=tag_histories(), edges=edges_of())
@settings(max_examples=100, deadline=None)
def test_what_a_plain_row_implies_is_what_it_holds(samples: TagSamples, edges: Int64Column) -> None:
    rows = summarise(samples, edges)
    rows = rows.select(rows.filled)
    rows = rows.select(np.all([getattr(rows, name) == 0 for name in NOT_PLAIN], axis=0))
    ends = {name: getattr(rows, name) for name in KEYS}
    for name in IMPLIED:
        found = implied(name, ends)
        np.testing.assert_array_equal(found, getattr(rows, name), err_msg=name)
        assert found.dtype == STORED_COLUMNS[name], name


@pytest.mark.parametrize("function", sorted(F))
def test_no_column_is_declared_that_nobody_looks_at(function: AggregateFunction) -> None:
    columns = columns_of(function)
    for left_out in set(columns) - set(KEYS):
        fewer = tuple(name for name in columns if name != left_out)
        if with_companions(fewer) != fewer:
            continue  # another column cannot be merged without it
        with pytest.raises(ColumnNotRead, match=left_out):
            answered_both_ways(function, fewer)


def answered_both_ways(function: AggregateFunction, columns: tuple[str, ...]) -> None:
    """With Uncertain as Bad, and not."""
    for as_bad in (True, False):
        rows = summarise(MIXED, EDGES, uncertain_as_bad=as_bad or function is F.DELTA, columns=columns)
        aggregate(function, rows, EDGES, configuration=AggregateConfiguration(treat_uncertain_as_bad=as_bad))


def test_a_trend_needs_few_columns() -> None:
    some, all_of_them = (points_of_summaries(summarise(MIXED, EDGES, columns=columns)) for columns in (TREND_COLUMNS, COLUMNS))
    for name in ("time", "value", "quality"):
        np.testing.assert_array_equal(getattr(some, name), getattr(all_of_them, name))
    assert "mean" not in TREND_COLUMNS


def test_a_column_that_was_not_read_is_not_there() -> None:
    rows = summarise(MIXED, EDGES, columns=with_companions(["maximum"]))
    assert rows.columns == (*KEYS, "maximum", "maximum_time")
    for made in (rows, rows.select(slice(0, 1)), Summaries.concatenate([rows, rows]), merge(rows, EDGES[[0, -1]]), rows.told_as(stepped=True)):
        assert made.maximum[0] == 3.0 or len(made) == 1
        with pytest.raises(ColumnNotRead, match="the column mean of the summaries was not read"):
            _ = made.mean
    with pytest.raises(ColumnNotRead, match="minimum"):
        aggregate(F.RANGE, narrow(summarise(MIXED, EDGES), columns_of(F.MAXIMUM)), EDGES)
    assert not hasattr(rows, "no_column_at_all")


def test_parts_with_different_columns_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="different columns"):
        Summaries.concatenate([summarise(MIXED, EDGES, columns=columns_of(F.MAXIMUM)), summarise(MIXED, EDGES)])
    with pytest.raises(ValueError, match="have no meen"):
        with_companions(["meen"])
