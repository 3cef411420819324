"""The examples of OPC UA Part 13, Annex A, as golden values.

``annex_a.csv`` holds the values of the reference tester of the standard (its Historian 2 extrapolates along the slope; the published tables of Historian 2
do not, and differ only after the last sample). Where such a value contradicts the normative text, ``DECIDED`` has what the text asks for, and why.
"""

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pytest

from plant.aggregates import AggregateFunction, AggregateValues, aggregate, interval_edges, served_by_summaries, summarise
from plant.quality import Quality, quality_from_name
from plant.times import MICROSECONDS
from tests.unit.plant.aggregates.historians import HISTORIANS

END: Final = 100


class Row(NamedTuple):
    start: int
    value: str
    quality: str
    actual_time: str


Key = tuple[str, int]

# Function, historian -> start of the interval -> value and quality.
DECIDED: Final[dict[Key, dict[int, tuple[str, str]]]] = {
    # 5.4.3.31: the first region is what the sample at or before the start is, here Good. The tester takes the simple bound instead (Uncertain, for the
    # sample after it is not Good), and then the durations of two halves are not that of the whole.
    ("DurationGood", 1): {32: ("8000", "Good"), 64: ("6000", "Good")},
    ("PercentGood", 1): {32: ("50", "Good"), 64: ("37.5", "Good")},
    # 5.4.3.24: the first sample of all is a transition, and a sample at the start of the interval is compared with the one before it.
    ("NumberOfTransitions", 1): {0: ("1", "Good"), 80: ("2", "Good")},
    ("NumberOfTransitions", 2): {0: ("1", "Good")},
    # As many Bad as Good samples, both percentages 50: then that of Good decides (4.2.1.2). The tester has it so at 64, and otherwise at 32.
    ("NumberOfTransitions", 3): {0: ("1", "Good"), 32: ("1", "Good")},
    ("Count", 3): {32: ("1", "Good")},
    ("NumberOfTransitions", 4): {0: ("1", "Good")},
    # 5.4.3.27: without Good samples the status is Bad_NoData.
    ("Delta", 1): {32: ("", "BadNoData"), 64: ("", "BadNoData")},
    # 5.4.3.30: Uncertain if either bound is, and the tester itself has the EndBound of this interval so.
    ("DeltaBounds", 1): {16: ("14", "UncertainDataSubNormal")},
    # 5.4.3.36: the start bound counts, the end bound does not, and how Uncertain is treated is ignored.
    ("WorstQuality2", 1): {16: ("Good", "Good"), 80: ("Good", "Good")},
    ("WorstQuality2", 2): {64: ("Uncertain", "Good"), 80: ("UncertainDataSubNormal", "Good")},
    ("WorstQuality2", 3): {64: ("Uncertain", "Good"), 80: ("UncertainDataSubNormal", "Good")},
    ("WorstQuality2", 4): {64: ("Uncertain", "Good"), 80: ("UncertainDataSubNormal", "Good")},
}


def published() -> dict[tuple[str, int, int], list[Row]]:
    """Function, historian and interval in seconds -> rows."""
    tables: dict[tuple[str, int, int], list[Row]] = {}
    with Path(__file__).with_name("annex_a.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = (row["function"], int(row["historian"]), int(row["interval"]))
            tables.setdefault(key, []).append(Row(int(row["start"]), row["value"], row["quality"], row["actual_time"]))
    return tables


TABLES: Final = published()


def number(function: str, text: str) -> float:
    if not text:
        return math.nan
    return float(quality_from_name(text)) if function.startswith("WorstQuality") else float(text)


def golden(function: str, historian: int, interval: int) -> AggregateValues:
    example = HISTORIANS[historian]
    configuration = replace(example.configuration, use_sloped_extrapolation=historian == 2)
    return aggregate(AggregateFunction(function), example.samples, interval_edges(0, END * MICROSECONDS, interval * MICROSECONDS), configuration=configuration)


def mismatch(function: str, historian: int, row: Row, values: AggregateValues, at: int) -> str | None:
    value, quality = DECIDED.get((function, historian), {}).get(row.start, (row.value, row.quality))
    expected, found = number(function, value), float(values.value[at])
    same_value = (math.isnan(expected) and math.isnan(found)) or abs(expected - found) < 1e-4
    actual = float(row.actual_time or row.start) * MICROSECONDS
    if same_value and values.quality[at] == quality_from_name(quality) and values.actual_time[at] == actual and values.time[at] == row.start * MICROSECONDS:
        return None
    return f"{row.start} s: expected {value} {quality}, found {found} {Quality(int(values.quality[at])).symbol}, {values.actual_time[at] / MICROSECONDS}"


@pytest.mark.parametrize(("function", "historian", "interval"), list(TABLES), ids=str)
def test_an_example_of_the_standard(function: str, historian: int, interval: int) -> None:
    values = golden(function, historian, interval)
    rows = TABLES[function, historian, interval]
    assert len(values) == len(rows)
    assert [line for at, row in enumerate(rows) if (line := mismatch(function, historian, row, values, at))] == []


SERVED: Final = [key for key in TABLES if served_by_summaries(AggregateFunction(key[0]), HISTORIANS[key[1]].configuration)]


@pytest.mark.parametrize(("function", "historian", "interval"), SERVED, ids=str)
def test_an_example_of_the_standard_from_summaries_of_odd_buckets(function: str, historian: int, interval: int) -> None:
    example = HISTORIANS[historian]
    edges = interval_edges(0, END * MICROSECONDS, interval * MICROSECONDS)
    buckets = np.unique(np.concatenate([edges, np.arange(0, END, 3) * MICROSECONDS, [71 * MICROSECONDS]]))
    values = aggregate(AggregateFunction(function), summarise(example.samples, buckets), edges, configuration=example.configuration)
    raw = aggregate(AggregateFunction(function), example.samples, edges, configuration=example.configuration)
    np.testing.assert_allclose(values.value, raw.value, rtol=1e-12)
    np.testing.assert_array_equal(values.quality, raw.quality)


def test_every_decision_contradicts_a_published_value() -> None:
    for (function, historian), rows in DECIDED.items():
        table = next(rows for key, rows in TABLES.items() if key[:2] == (function, historian))
        by_start = {row.start: (row.value, row.quality) for row in table}
        for start, decided in rows.items():
            assert by_start[start] != decided, (function, historian, start)


def test_there_is_an_example_of_every_function() -> None:
    spread = {AggregateFunction.STANDARD_DEVIATION_SAMPLE, AggregateFunction.STANDARD_DEVIATION_POPULATION}
    spread |= {AggregateFunction.VARIANCE_SAMPLE, AggregateFunction.VARIANCE_POPULATION}
    assert {function for function, _, _ in TABLES} == set(AggregateFunction) - spread


UNSURE: Final = "UncertainDataSubNormal"

# A.36, and from it the other three: the tester divides by its own counts, and later releases correct it.
VARIANCE: Final = {
    1: [(0.0, "Good"), (50.0, "Good"), (0.0, UNSURE), (0.0, UNSURE), (50.0, "Good")],
    2: [(0.0, "Good"), (25.0, "Good"), (50.0, UNSURE), (0.0, UNSURE), (100.0, "Good")],
    3: [(0.0, "Good"), (25.0, "Good"), (50.0, UNSURE), (0.0, UNSURE), (100.0, "Good")],
}
GOOD_SAMPLES: Final = {1: [1, 2, 1, 1, 2], 2: [1, 3, 2, 1, 3], 3: [1, 3, 2, 1, 3]}


@pytest.mark.parametrize("historian", VARIANCE)
def test_the_examples_of_standard_deviation_and_variance(historian: int) -> None:
    expected, quality = zip(*VARIANCE[historian], strict=True)
    variance = golden("VarianceSample", historian, 20)
    np.testing.assert_allclose(variance.value, expected, rtol=1e-12)
    assert variance.quality.tolist() == [quality_from_name(name) for name in quality]
    np.testing.assert_allclose(golden("StandardDeviationSample", historian, 20).value, np.sqrt(expected), rtol=1e-12)
    count = np.array(GOOD_SAMPLES[historian])
    population = np.array(expected) * (count - 1) / count
    np.testing.assert_allclose(golden("VariancePopulation", historian, 20).value, population, rtol=1e-12)
    deviation = golden("StandardDeviationPopulation", historian, 20)
    np.testing.assert_allclose(deviation.value, np.sqrt(population), rtol=1e-12)
    np.testing.assert_array_equal(deviation.quality, variance.quality)


@pytest.mark.parametrize(
    ("function", "historian", "last"),
    [
        ("PercentGood", 1, 100.0),
        ("PercentGood", 2, 70.003),
        ("PercentGood", 4, 70.003),
        ("PercentBad", 1, 0.0),
        ("PercentBad", 2, 29.997),
        ("DurationInStateZero", 4, 4000.0),
        ("DurationInStateNonZero", 4, 3001.0),
    ],
)
def test_the_examples_of_release_1_04_end_with_the_last_sample(function: str, historian: int, last: float) -> None:
    """In release 1.04 the data end a millisecond, the resolution of its server, after the last sample, and the partial interval counts as far as that."""
    example = HISTORIANS[historian]
    edges = interval_edges(0, END * MICROSECONDS, 16 * MICROSECONDS)
    end_of_data = 90 * MICROSECONDS + 1000
    values = aggregate(AggregateFunction(function), example.samples, edges, configuration=example.configuration, known_until=end_of_data)
    assert values.value[5] == pytest.approx(last, abs=1e-3)
    assert values.partial.tolist() == [True, False, False, False, False, True, False]
    assert values.quality[6] == Quality.BAD_NO_DATA


def test_the_published_tables_of_historian_2_hold_the_last_value() -> None:
    example = HISTORIANS[2]
    edges = interval_edges(0, END * MICROSECONDS, 5 * MICROSECONDS)
    for function, last in (
        (AggregateFunction.INTERPOLATIVE, [90.0, 90.0]),
        (AggregateFunction.TIME_AVERAGE, [90.0, 90.0]),
        (AggregateFunction.TOTAL, [450.0, 450.0]),
    ):
        values = aggregate(function, example.samples, edges, configuration=example.configuration)
        np.testing.assert_allclose(values.value[-2:], last)
        assert values.quality[-1] == Quality.UNCERTAIN_DATA_SUB_NORMAL
