"""The engine against an oracle that takes one sample at a time."""

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings

from plant.aggregates import AggregateConfiguration, AggregateFunction, TagSamples, aggregate
from plant.quality import Quality
from tests.unit.plant.aggregates.histories import History, configurations, histories
from tests.unit.plant.aggregates.oracle import Answer, Oracle, Sample


def expected(history: History, function: AggregateFunction, configuration: AggregateConfiguration) -> list[Answer]:
    samples = [Sample(*row) for row in zip(history.samples.time.tolist(), history.samples.value.tolist(), history.samples.quality.tolist(), strict=True)]
    oracle = Oracle(samples, history.samples.stepped, configuration, history.end_of_knowledge)
    edges = history.edges.tolist()
    return [oracle.answer(function, start, end) for start, end in pairwise(edges)]


@given(history=histories(), configuration=configurations())
@settings(max_examples=120, deadline=None)
def test_the_engine_answers_as_the_definitions(history: History, configuration: AggregateConfiguration) -> None:
    for function in AggregateFunction:
        values = aggregate(function, history.samples, history.edges, configuration=configuration, known_until=history.known_until)
        answers = expected(history, function, configuration)
        assert values.quality.tolist() == [answer.quality for answer in answers], function
        np.testing.assert_allclose(values.value, [answer.value for answer in answers], rtol=1e-9, atol=1e-9, err_msg=function)
        np.testing.assert_allclose(values.percent_good, [answer.percent_good for answer in answers], rtol=1e-9, atol=1e-9, err_msg=function)
        assert values.partial.tolist() == [answer.partial for answer in answers], function


@given(history=histories())
@settings(max_examples=60, deadline=None)
def test_the_time_of_an_extreme_is_that_of_its_first_sample(history: History) -> None:
    samples = history.samples
    for function, best in ((AggregateFunction.MINIMUM_ACTUAL_TIME, min), (AggregateFunction.MAXIMUM_ACTUAL_TIME, max)):
        values = aggregate(function, samples, history.edges)
        rows = list(zip(samples.time.tolist(), samples.value.tolist(), samples.quality.tolist(), strict=True))
        for at, (start, end) in enumerate(pairwise(history.edges.tolist())):
            good = [(time, value) for time, value, quality in rows if start <= time < end and 0 <= quality < 0x4000]
            extreme = best((value for _, value in good), default=math.nan)
            times = [time for time, value in good if value == extreme]
            assert values.actual_time[at] == (times[0] if times else start)


def test_the_oracle_can_fail() -> None:
    samples = TagSamples(np.array([0, 10], np.int64), np.array([1.0, 2.0]), np.zeros(2, np.int16), stepped=False)
    oracle = Oracle([Sample(0, 1.0, 0), Sample(10, 3.0, 0)], False, AggregateConfiguration(), 20)
    value = aggregate(AggregateFunction.TIME_AVERAGE, samples, np.array([0, 10], np.int64)).value[0]
    assert value == 1.5
    assert oracle.answer(AggregateFunction.TIME_AVERAGE, 0, 10).value == 2.0
    assert oracle.answer(AggregateFunction.TIME_AVERAGE, 30, 40).quality == Quality.UNCERTAIN_DATA_SUB_NORMAL
