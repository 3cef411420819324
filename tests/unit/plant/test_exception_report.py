from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plant.batch import SampleBatch, TextBatch
from plant.exception_report import MAXIMUM_INTERVAL, ExceptionReport
from plant.quality import Quality
from plant.tag import DataType
from tests.samples import batch_of, make_tag, rows_of

BAD = int(Quality.BAD_NO_COMMUNICATION)


def test_a_tag_without_deadband_reports_every_sample() -> None:
    report = ExceptionReport([make_tag(1, deadband=None)])
    rows = [(1, time, 5.0, 0) for time in range(4)]
    assert rows_of(report.filter(batch_of(rows))) == rows


def test_inside_the_deadband_nothing_is_reported() -> None:
    report = ExceptionReport([make_tag(1, deadband=1.0)])
    assert rows_of(report.filter(batch_of([(1, 0, 5.0, 0)]))) == [(1, 0, 5.0, 0)]
    assert rows_of(report.filter(batch_of([(1, 1, 5.9, 0), (1, 2, 4.1, 0), (1, 3, 6.0, 0)]))) == []


def test_a_break_out_brings_the_sample_held_before_it() -> None:
    report = ExceptionReport([make_tag(1, deadband=1.0)])
    report.filter(batch_of([(1, 0, 5.0, 0), (1, 1, 5.5, 0), (1, 2, 5.6, 0)]))
    assert rows_of(report.filter(batch_of([(1, 3, 9.0, 0)]))) == [(1, 2, 5.6, 0), (1, 3, 9.0, 0)]
    assert rows_of(report.filter(batch_of([(1, 4, 2.0, 0)]))) == [(1, 4, 2.0, 0)], "nothing was held since the last report"


def test_a_stepped_tag_needs_no_corner() -> None:
    report = ExceptionReport([make_tag(1, data_type=DataType.UINT16, deadband=0.0)])
    report.filter(batch_of([(1, 0, 5.0, 0), (1, 1, 5.0, 0)]))
    assert rows_of(report.filter(batch_of([(1, 2, 6.0, 0)]))) == [(1, 2, 6.0, 0)]


def test_another_quality_is_reported_whatever_the_value() -> None:
    report = ExceptionReport([make_tag(1, deadband=1.0)])
    report.filter(batch_of([(1, 0, 5.0, 0)]))
    assert rows_of(report.filter(batch_of([(1, 1, 5.0, BAD), (1, 2, 5.0, BAD), (1, 3, 5.0, 0)]))) == [(1, 1, 5.0, BAD), (1, 2, 5.0, BAD), (1, 3, 5.0, 0)]


def test_nan_after_nan_is_no_change() -> None:
    report = ExceptionReport([make_tag(1, deadband=0.0)])
    assert len(report.filter(batch_of([(1, 0, np.nan, BAD), (1, 1, np.nan, BAD)]))) == 1
    assert len(report.filter(batch_of([(1, 2, np.inf, BAD), (1, 3, np.inf, BAD)]))) == 2, "the NaN held before the change, and the change"


def test_silence_has_a_longest_interval() -> None:
    report = ExceptionReport([make_tag(1, deadband=1.0)])
    report.filter(batch_of([(1, 0, 5.0, 0)]))
    late = (1, MAXIMUM_INTERVAL, 5.0, 0)
    assert rows_of(report.filter(batch_of([(1, MAXIMUM_INTERVAL - 1, 5.0, 0), late]))) == [late]


def test_tags_do_not_disturb_each_other_and_the_order_stays() -> None:
    report = ExceptionReport([make_tag(1, deadband=1.0), make_tag(7, "SEP.COL101.PT102", deadband=None)])
    rows = [(7, 0, 1.0, 0), (1, 0, 5.0, 0), (7, 1, 1.0, 0), (1, 1, 5.1, 0), (99, 1, 3.0, 0), (1, 2, 8.0, 0)]
    held, breakout = rows[3], rows[5]
    assert rows_of(report.filter(batch_of(rows))) == [*rows[:3], rows[4], held, breakout], "a corner stands directly before the break-out"


def test_text_is_reported_when_it_changes() -> None:
    report = ExceptionReport([make_tag(1, data_type=DataType.STRING)])
    batch = TextBatch.of([1, 1, 1, 1], [0, 1, 2, 3], ["LOT-1", "LOT-1", "LOT-2", "LOT-2"], [0, 0, 0, BAD])
    kept = report.filter_text(batch)
    assert kept.time.tolist() == [0, 2, 3]


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.floats(-10, 10, width=16), st.sampled_from([0, BAD])), max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_how_samples_fall_into_batches_changes_nothing(samples: list[tuple[int, float, int]], cuts: list[int]) -> None:
    tags = [make_tag(1, deadband=0.5), make_tag(2, "SEP.COL101.PT102", deadband=0.0), make_tag(3, "SEP.COL101.PT103", deadband=None)]
    rows = [(tag_id, time, value, quality) for time, (tag_id, value, quality) in enumerate(samples)]
    whole = ExceptionReport(tags).filter(batch_of(rows))
    piecewise = ExceptionReport(tags)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [piecewise.filter(batch_of(rows[start:end])) for start, end in pairwise(edges)]
    assert sorted(rows_of(SampleBatch.concatenate(parts))) == sorted(rows_of(whole))


@given(st.lists(st.floats(-10, 10, width=16), min_size=1, max_size=80))
def test_no_sample_is_further_from_the_last_report_than_the_deadband(values: list[float]) -> None:
    deadband = 1.0
    report = ExceptionReport([make_tag(1, deadband=deadband)])
    rows = [(1, time, value, 0) for time, value in enumerate(values)]
    kept = rows_of(report.filter(batch_of(rows)))
    assert set(kept) <= set(rows), "nothing is invented"
    reported = {time: value for _, time, value, _ in kept}
    last = values[0]
    for _, time, value, _ in rows:
        last = reported.get(time, last)
        assert abs(value - last) <= deadband
