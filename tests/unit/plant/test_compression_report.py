import numpy as np
import pytest

from plant.batch import SampleBatch
from plant.compression_report import CompressionReport, compression_reports, worst_error
from tests.samples import batch_of

ROWS = [(3, 0, 1.0, 0), (3, 1, 2.5, 0), (3, 2, 2.0, 0), (3, 5, 5.0, 0), (8, 0, 7.0, 0), (8, 1, 7.0, 0), (8, 2, 7.0, 0), (9, 0, 4.0, 0)]
KEPT = np.array([True, False, False, True, True, False, True, True])


def test_each_tag_has_its_own_figures() -> None:
    first, second, third = compression_reports(batch_of(ROWS), KEPT)
    assert (first.tag_id, first.raw, first.kept) == (3, 4, 2)
    assert first.worst_error == pytest.approx(0.7)
    assert second == CompressionReport(8, raw=3, kept=2, worst_error=0.0)
    assert third == CompressionReport(9, raw=1, kept=1, worst_error=0.0)
    assert [first.ratio, second.ratio, third.ratio] == [2.0, 1.5, 1.0]


def test_the_worst_error_is_that_of_the_tag() -> None:
    tag_id, error = worst_error(batch_of(ROWS), KEPT)
    assert tag_id.tolist() == [3, 8, 9]
    assert error.tolist() == pytest.approx([0.7, 0.0, 0.0])


def test_what_no_line_replaces_is_an_infinite_error() -> None:
    (report,) = compression_reports(batch_of(ROWS[:4]), np.array([False, True, False, True]))
    assert report.worst_error == float("inf")
    (report,) = compression_reports(batch_of(ROWS[:4]), np.zeros(4, np.bool_))
    assert (report.kept, report.ratio, report.worst_error) == (0, float("inf"), float("inf"))


def test_of_no_samples_there_is_no_report() -> None:
    assert compression_reports(SampleBatch.empty(), np.empty(0, np.bool_)) == []
