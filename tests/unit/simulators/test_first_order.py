"""Behaviour of a device, second by second, without a clock."""

from dataclasses import replace

import numpy as np
import pytest

from plant.quality import Quality
from plant.site_loader import reference_site
from plant.tag import AlarmLimits, DataType, Kind, Tag
from simulators.first_order import FirstOrderDevice, lag_share
from simulators.image import TagImage
from tests.samples import make_tag


def tag(name: str, normal: float | None = 50.0, **changes: object) -> Tag:
    return replace(make_tag(sum(name.encode()), name), normal=normal, **changes)  # type: ignore[arg-type]  # fields by name


LOOP = (
    tag("PRP.LCH101.FIC101", 210.0, eu_range=(0.0, 600.0)),
    tag("PRP.LCH101.FIC101.SP", 210.0, eu_range=(0.0, 600.0), writable=True),
    tag("PRP.LCH101.FIC101.OP", 42.0, writable=True),
    tag("PRP.LCH101.FIC101.MODE", 1.0, eu_range=(0.0, 2.0), data_type=DataType.UINT16, writable=True),
)
PV, SP, OP, MODE = range(4)


def device(*tags: Tag, seed: int = 1, speed: float = 1.0) -> tuple[TagImage, FirstOrderDevice]:
    image = TagImage(tags, 0)
    return image, FirstOrderDevice(image, np.random.default_rng(seed), speed)


def run(behaviour: FirstOrderDevice, seconds: float, dt: float = 0.1, start: float = 0.0) -> None:
    for number in range(1, round(seconds / dt) + 1):
        behaviour.step(dt, round((start + number * dt) * 1e6))


def test_the_lag_goes_63_percent_of_the_way_in_one_time_constant() -> None:
    assert lag_share(10.0, np.array([10.0]))[0] == pytest.approx(1 - 1 / np.e)


def test_the_lag_is_exact_for_any_step() -> None:
    left = 1.0
    for _ in range(100):
        left *= 1.0 - lag_share(0.1, np.array([3.0]))[0]
    assert 1.0 - left == pytest.approx(lag_share(10.0, np.array([3.0]))[0])


def test_everything_starts_at_its_normal_and_good() -> None:
    image, _ = device(*LOOP)
    assert image.values.tolist() == [210.0, 210.0, 42.0, 1.0]
    assert not image.quality.any()


def test_a_process_value_follows_its_set_point_and_the_output_helps() -> None:
    image, behaviour = device(*LOOP)
    image.write(SP, 300.0, 1)
    run(behaviour, 30)
    assert image.value(PV) == pytest.approx(300.0, abs=10.0)
    assert image.value(SP) == 300.0
    assert image.value(OP) == pytest.approx(57.0, abs=0.5)
    image.write(SP, 210.0, 2)
    run(behaviour, 30, start=30)
    assert image.value(OP) == pytest.approx(42.0, abs=0.5)


@pytest.mark.parametrize("by_mode", [True, False])
def test_a_written_output_holds_and_leads_the_process_value(by_mode: bool) -> None:
    image, behaviour = device(*LOOP)
    if by_mode:
        image.write(MODE, 0.0, 1)
        run(behaviour, 1)
    image.write(OP, 52.0, 1)
    run(behaviour, 30)
    assert image.value(OP) == 52.0
    assert image.value(PV) == pytest.approx(270.0, abs=10.0)
    image.write(MODE if by_mode else SP, 1.0 if by_mode else 210.0, 2)
    run(behaviour, 30)
    assert image.value(OP) == pytest.approx(42.0, abs=0.5)


def test_noise_has_the_stated_width_and_stays_in_range() -> None:
    signal = tag("SEP.COL101.PT101", scan_ms=100)
    at_the_end = tag("SEP.COL101.AT101", 0.0, scan_ms=100)
    image, behaviour = device(signal, at_the_end)
    seen = []
    for number in range(1, 20_001):
        behaviour.step(1.0, number)
        seen.append(image.values.copy())
    columns = np.array(seen)
    assert columns[:, 0].std() == pytest.approx(0.2, rel=0.15)
    assert columns[:, 0].mean() == pytest.approx(50.0, abs=0.05)
    assert columns.min() == 0.0
    assert columns.max() <= 100.0


def test_noise_keeps_away_from_alarm_limits() -> None:
    signal = tag("SEP.COL101.PT101", alarm_limits=AlarmLimits(high=50.1), scan_ms=100)
    image, behaviour = device(signal)
    highest = 0.0
    for number in range(1, 10_001):
        behaviour.step(1.0, number)
        highest = max(highest, float(image.values[0]))
    assert 50.0 < highest < 50.1


def test_the_same_seed_is_the_same_plant() -> None:
    runs = []
    for seed in (1, 1, 2):
        image, behaviour = device(tag("SEP.COL101.PT101"), tag("SEP.COL101.UY101", None, data_type=DataType.STRING, eu_range=None), seed=seed)
        run(behaviour, 10)
        runs.append((float(image.values[0]), image.texts[1]))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("speed", [1.0, 50.0])
def test_a_tag_is_new_once_in_its_scan_whatever_the_speed(speed: float) -> None:
    slow, fast = tag("PPT.RX101.AT101", scan_ms=10_000), tag("PPT.RX101.PT101", scan_ms=500)
    image, behaviour = device(slow, fast, speed=speed)
    changes = image.listen()
    changes.take()
    counts = np.zeros(2)
    for number in range(1, 601):
        behaviour.step(0.1, number * 100_000)
        counts[changes.take()] += 1
    assert counts[0] == 6
    assert counts[1] == pytest.approx(120, abs=1)


def test_a_long_step_makes_no_burst() -> None:
    image, behaviour = device(tag("PPT.RX101.PT101", scan_ms=500))
    changes = image.listen()
    behaviour.step(60.0, 60_000_000)
    changes.take()
    behaviour.step(0.01, 60_010_000)
    behaviour.step(0.01, 60_020_000)
    assert len(changes.take()) <= 1


def test_counters_count() -> None:
    heartbeat = tag("SYS.PLC101.KQ101", 0.0, data_type=DataType.UINT16, eu_range=(0.0, 65535.0))
    cycles = tag("SIN.PRS101.KQ101", 0.0, data_type=DataType.INT32, eu_range=(0.0, 2e9))
    image, behaviour = device(heartbeat, cycles)
    run(behaviour, 100.5)
    assert image.values.tolist() == [100.0, 10.0]
    run(behaviour, 65536, dt=1.0)
    assert image.values[0] == 100.0


def test_lot_ids_and_phases_hold() -> None:
    lot = tag("SEP.COL101.UY101", None, data_type=DataType.STRING, eu_range=None, kind=Kind.CALCULATED, writable=True)
    phase = tag("SEP.COL101.KY101", 4.0, data_type=DataType.UINT16, kind=Kind.CALCULATED)
    image, behaviour = device(lot, phase)
    assert image.texts[0].startswith("LOT-")
    assert len(image.texts[0]) == 10
    image.write(0, "LOT-000123", 1)
    run(behaviour, 10)
    assert (image.value(0), image.value(1)) == ("LOT-000123", 4.0)


def test_the_reference_plant_rests_in_range_without_alarms() -> None:
    site = reference_site()
    for name in site.devices:
        image, behaviour = device(*site.tags_on_wire(name))
        for number in range(1, 301):
            behaviour.step(1.0, number * 1_000_000)
            for position, one in enumerate(image.tags):
                value, limits = image.value(position), one.alarm_limits
                if isinstance(value, str):
                    continue
                assert one.eu_range is None or one.eu_range[0] <= value <= one.eu_range[1], one.name
                assert value > max((limit for limit in (limits.low, limits.low_low) if limit is not None), default=-np.inf), one.name
                assert value < min((limit for limit in (limits.high, limits.high_high) if limit is not None), default=np.inf), one.name
        assert (image.quality == Quality.GOOD).all()
