"""The swinging door over the recorded runs of a real test bed."""

from pathlib import Path

import numpy as np
import pytest

from plant.batch import SampleBatch
from plant.compression_report import compression_reports
from plant.swinging_door import thin
from simulators.replay.recording import Recording
from tests.faults.figures import report
from tests.unit.plant.test_swinging_door import check_bound

SKAB = Path(__file__).parents[4] / "shared" / "recorded" / "skab"
MEASURED = 8
"""Columns of a run that are measured; the others are labels."""


@pytest.mark.skipif(not SKAB.is_dir(), reason=f"the recorded data are not at {SKAB}")
def test_recorded_plant_data_at_one_percent_of_the_range() -> None:
    runs = [Recording.read(path) for path in sorted(SKAB.glob("*.csv"))]
    ranges = np.ptp(np.concatenate([run.values[:, :MEASURED] for run in runs]), axis=0)
    raw, kept = np.zeros(MEASURED, np.int64), np.zeros(MEASURED, np.int64)
    for run in runs:
        rows = len(run)
        tag_id = np.repeat(np.arange(MEASURED, dtype=np.int32), rows)
        batch = SampleBatch(tag_id, np.tile(run.times, MEASURED), run.values[:, :MEASURED].T.ravel(), np.zeros(len(tag_id), np.int16))
        mask = thin(batch, 0.01 * ranges[tag_id])
        for one in compression_reports(batch, mask):
            assert one.worst_error <= 0.01 * ranges[one.tag_id]
            of_tag = slice(one.tag_id * rows, (one.tag_id + 1) * rows)
            check_bound(batch.select(of_tag), mask[of_tag], 0.01 * float(ranges[one.tag_id]))
            raw[one.tag_id] += one.raw
            kept[one.tag_id] += one.kept
    figures = ", ".join(f"{name} {ratio:.2f}" for name, ratio in zip(runs[0].names[:MEASURED], raw / kept, strict=True))
    report(f"swinging door at 1 % of the range: of {raw.sum()} samples one in {raw.sum() / kept.sum():.2f} kept ({figures})")
    assert raw.sum() == 8 * sum(map(len, runs))
    assert raw.sum() / kept.sum() > 1.4
