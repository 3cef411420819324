"""Tags and batches for tests, with every field that a test does not speak of filled in."""

from collections.abc import Sequence

import numpy as np

from plant.batch import SampleBatch
from plant.device import OpcuaAddress, Source
from plant.tag import AlarmLimits, DataType, Kind, Tag


def make_tag(
    tag_id: int = 1,
    name: str = "SEP.COL101.PT101",
    *,
    data_type: DataType = DataType.FLOAT,
    device: str = "PLC-SEP-01",
    deadband: float | None = None,
    compression_deviation: float | None = None,
    writable: bool = False,
    eu_range: tuple[float, float] | None = (0.0, 100.0),
    source: Source | None = None,
    scan_ms: int = 1000,
) -> Tag:
    area, unit, _ = name.split(".", 2)
    return Tag(
        id=tag_id,
        name=name,
        area=area,
        unit=unit,
        description=f"{name} of a test",
        kind=Kind.ANALOG_OUTPUT if writable else Kind.ANALOG_INPUT,
        data_type=data_type,
        engineering_unit="bar",
        eu_range=eu_range,
        normal=None,
        device=device,
        source=source or OpcuaAddress(f"nsu=urn:test;s={name}"),
        scan_ms=scan_ms,
        deadband=deadband,
        compression_deviation=compression_deviation,
        alarm_limits=AlarmLimits(),
        priority=None,
        writable=writable,
    )


def batch_of(rows: Sequence[tuple[int, int, float, int]]) -> SampleBatch:
    """A batch from (tag id, time, value, quality) rows."""
    tag_id, time, value, quality = zip(*rows, strict=True) if rows else ((), (), (), ())
    return SampleBatch(np.array(tag_id, np.int32), np.array(time, np.int64), np.array(value, np.float64), np.array(quality, np.int16))


def rows_of(batch: SampleBatch) -> list[tuple[int, int, float, int]]:
    """The (tag id, time, value, quality) rows of a batch."""
    return list(zip(batch.tag_id.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True))
