"""Reading recordings."""

from pathlib import Path

import numpy as np
import pytest

from plant.errors import ConfigurationError
from plant.times import parse_time
from simulators.replay import Recording

SKAB = Path(__file__).parents[5] / "shared" / "recorded" / "skab"


def written(folder: Path, text: str) -> Path:
    path = folder / "run.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_times_and_blank_cells(tmp_path: Path) -> None:
    text = "Flow;datetime;Pressure\n1.5;2020-03-09 10:14:33;2\n;2020-03-09 10:14:34.5;-3e-2\n\n4;2020-03-09T12:15:00+01:00;5\n"
    recording = Recording.read(written(tmp_path, text))
    assert recording.names == ("Flow", "Pressure")
    start = parse_time("2020-03-09T10:14:33Z", 0)
    assert recording.times.tolist() == [start, start + 1_500_000, parse_time("2020-03-09T11:15:00Z", 0)]
    assert np.array_equal(recording.values, [[1.5, 2.0], [np.nan, -0.03], [4.0, 5.0]], equal_nan=True)
    assert recording.values.dtype == np.float64


def test_the_interval_is_the_usual_one(tmp_path: Path) -> None:
    rows = "".join(f"2020-01-01 00:00:{second:02};1\n" for second in (0, 1, 2, 50))
    assert Recording.read(written(tmp_path, f"datetime;A\n{rows}")).interval == 1.0
    assert Recording.read(written(tmp_path, "datetime;A\n2020-01-01;1\n")).interval == 1.0


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("", ["run.csv:1: the header has no column 'datetime'"]),
        ("datetime,A\n", ["run.csv:1: the header has no column 'datetime'"]),
        ("datetime;A\n", ["run.csv: has no rows"]),
        ("datetime;A\nyesterday;1\n2020-01-01;x\n2020-01-02;1;2\n", ["run.csv:2: datetime: 'yesterday'", "run.csv:3: A: 'x'", "run.csv:4: has 3 cells"]),
        ("datetime;A\n2020-01-02;1\n2020-01-02;2\n2020-01-01;3\n", ["run.csv:3: datetime:", "run.csv:4: datetime:"]),
    ],
)
def test_every_mistake_is_named(tmp_path: Path, text: str, complaints: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Recording.read(written(tmp_path, text))
    assert len(caught.value.problems) == len(complaints)
    for problem, complaint in zip(caught.value.problems, complaints, strict=True):
        assert complaint in str(problem)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Recording.read(tmp_path / "none.csv")


@pytest.mark.skipif(not SKAB.is_dir(), reason=f"the recorded data are not at {SKAB}")
def test_recorded_plant_data() -> None:
    recording = Recording.read(SKAB / "valve1-0.csv")
    assert recording.values.shape == (1147, 10)
    assert recording.names[7] == "Volume Flow RateRMS"
    assert recording.values[0, 0] == 0.0265878
    assert recording.interval == 1.0
    assert recording.times[0] == parse_time("2020-03-09T10:14:33Z", 0)
