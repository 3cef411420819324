import math
from dataclasses import dataclass

import numpy as np
import pytest

from plant import Quality
from simulators.plc import Block, Direction, OperatingState, PidLoop, Plc, Program, ScanTiming, Signal, SignalImage
from simulators.plc.devices import Motor
from simulators.process.control import Mode, Tuning
from tests.unit.simulators.plc.program_parts import exact_plc, signal

IN, OUT, BEAT = "T.U.FT1", "T.U.FV1", "T.U.KQ1"


@dataclass(frozen=True)
class Doubler:
    """Writes twice its input, and keeps the lengths of its scans."""

    lengths: list[float]

    @property
    def declares(self) -> tuple[Signal, ...]:
        return signal(IN, Direction.INPUT), signal(OUT, Direction.OUTPUT, high=150.0, safe=3.0)

    @property
    def uses(self) -> tuple[str, ...]:
        return ()

    def bind(self, image: SignalImage) -> Block:
        return RunningDoubler(image, self.lengths)


class RunningDoubler:
    def __init__(self, image: SignalImage, lengths: list[float]) -> None:
        self.image, self.lengths = image, lengths

    def scan(self, dt: float) -> None:
        self.lengths.append(dt)
        self.image.write(self.image.position(OUT), 2.0 * self.image.value(self.image.position(IN)))


def program(lengths: list[float] | None = None) -> Program:
    return Program(blocks=[Doubler([] if lengths is None else lengths)], heartbeat=BEAT)


def test_an_output_follows_its_input_in_the_next_scan_and_not_before() -> None:
    plc = exact_plc(program())
    assert plc.output(OUT) == 3.0
    plc.step(0.0)
    assert plc.output(OUT) == 0.0
    plc.connect(IN, 20.0)
    plc.step(0.09)
    assert (plc.output(OUT), plc.read(IN)) == (0.0, 0.0)
    plc.step(0.02)
    assert (plc.output(OUT), plc.read(IN)) == (40.0, 20.0)
    plc.connect(IN, 90.0)
    plc.step(0.1)
    assert plc.output(OUT) == 150.0


def test_scans_come_in_their_period_with_a_bounded_lateness() -> None:
    lengths: list[float] = []
    plc = Plc("PLC", program(lengths), ScanTiming(0.1, lateness=0.05), np.random.default_rng(1))
    for _ in range(10):
        plc.step(60.0)
    assert plc.scans in {6000, 6001}
    assert plc.read(BEAT) == plc.scans
    assert plc.overruns == 0
    measured = np.array(lengths[1:])
    assert measured.mean() == pytest.approx(0.1, rel=1e-3)
    # two half-normals of 5 % of the period apart: sqrt(2 (1 - 2/pi)) of it
    assert measured.std() == pytest.approx(0.005 * math.sqrt(2.0 * (1.0 - 2.0 / math.pi)), rel=0.1)


def test_the_same_seed_gives_the_same_history_however_it_is_stepped() -> None:
    def history(steps: list[float], seed: int) -> list[float]:
        lengths: list[float] = []
        plc = Plc("PLC", program(lengths), 0.1, np.random.default_rng(seed))
        for step in steps:
            plc.step(step)
        return lengths

    assert history([10.0], 5) == history([0.25] * 40, 5)
    assert history([10.0], 5) != history([10.0], 6)


def test_a_scan_that_takes_too_long_loses_ticks_and_counts_them() -> None:
    lengths: list[float] = []
    plc = Plc("PLC", program(lengths), ScanTiming(0.1, lateness=0.0, execution=0.2, execution_spread=0.0), np.random.default_rng(0))
    plc.step(0.05)
    plc.burden(0.25)
    plc.step(0.5)
    # the scan at 0.1 s ends at 0.37 s: the ticks at 0.2 and 0.3 s are lost, and the next one begins at its end
    assert plc.overruns == 2
    assert np.cumsum(lengths[1:]).tolist() == pytest.approx([0.1, 0.37, 0.4, 0.5])


def test_a_plc_that_never_keeps_its_period_runs_back_to_back() -> None:
    plc = Plc("PLC", program(), ScanTiming(0.1, lateness=0.0, execution=1.5, execution_spread=0.0), np.random.default_rng(0))
    plc.step(30.0)
    assert plc.scans == pytest.approx(30.0 / 0.15, abs=2)
    assert plc.overruns == pytest.approx(30.0 / 0.1, abs=2)


def test_the_watchdog_stops_it_with_its_outputs_safe() -> None:
    plc = exact_plc(program())
    plc.connect(IN, 20.0)
    plc.step(1.0)
    plc.burden(1.1)
    plc.step(0.2)
    assert plc.state is OperatingState.FAULT
    assert plc.output(OUT) == 3.0
    scans = plc.scans
    plc.step(10.0)
    assert plc.scans == scans
    plc.start()
    plc.step(1.0)
    assert plc.output(OUT) == 40.0


def test_stopped_it_stands_still_with_safe_outputs_and_goes_on_warm_or_cold() -> None:
    lengths: list[float] = []
    plc = exact_plc(Program([signal("T.U.QQ1", Direction.MEMORY, initial=7.0)], [Doubler(lengths)], heartbeat=BEAT))
    plc.write("T.U.QQ1", 9.0)
    plc.connect(IN, 20.0)
    plc.step(1.0)
    plc.stop()
    beat = plc.read(BEAT)
    plc.step(30.0)
    assert (plc.output(OUT), plc.read(BEAT), plc.clock_s) == (3.0, beat, 31.0)
    plc.start()
    plc.step(0.05)
    assert (plc.output(OUT), plc.read("T.U.QQ1"), lengths[-1]) == (40.0, 9.0, 0.1)
    plc.force("T.U.QQ1", 50.0)
    plc.start(cold=True)
    assert plc.output(OUT) == 3.0
    plc.step(0.05)
    assert (plc.output(OUT), plc.read("T.U.QQ1"), plc.forces) == (40.0, 7.0, {})


def test_quality_of_an_input_comes_into_the_image() -> None:
    plc = exact_plc(program())
    plc.connect(IN, 20.0, Quality.BAD_SENSOR_FAILURE)
    plc.step(0.1)
    at = plc.image.position(IN)
    assert plc.image.quality[at] == Quality.BAD_SENSOR_FAILURE
    assert not plc.image.is_good(at)
    plc.connect(IN, math.nan)
    plc.step(0.1)
    assert not plc.image.is_good(at)


@pytest.mark.parametrize("dt", [-1.0, 61.0, 86400.0, math.nan])
def test_steps_that_are_none(dt: float) -> None:
    with pytest.raises(ValueError, match=r"^PLC-TEST: dt is .* s; give 0 to 60 s$"):
        exact_plc(program()).step(dt)


def test_what_cannot_be_asked_of_it() -> None:
    plc = exact_plc(program())
    with pytest.raises(ValueError, match=r"no signal 'T\.U\.FT9'"):
        plc.read("T.U.FT9")
    with pytest.raises(ValueError, match=r"T\.U\.FT1 is an input of PLC-TEST"):
        plc.write(IN, 1.0)
    with pytest.raises(ValueError, match=r"^signal T\.U\.FV1: written value is 151; give 0 to 150$"):
        plc.write(OUT, 151.0)
    with pytest.raises(ValueError, match="is no input of PLC-TEST"):
        plc.connect(OUT, 1.0)
    with pytest.raises(ValueError, match="is no output of PLC-TEST"):
        plc.output(IN)
    with pytest.raises(ValueError, match=r"^PLC-TEST: burden is 61 s; give 0 to 60 s$"):
        plc.burden(61.0)


def test_a_program_that_does_not_fit_together() -> None:
    with pytest.raises(ValueError, match=r"declared as %I and as %Q"):
        Program([signal(OUT, Direction.INPUT)], [Doubler([])]).image()
    with pytest.raises(ValueError, match=r"^signal T\.U\.X1: the range is 5 to 5; give the low end first$"):
        Signal("T.U.X1", Direction.MEMORY, 5.0, 5.0)
    with pytest.raises(ValueError, match=r"^signal T\.U\.X1: initial value is 9; give 0 to 5$"):
        Signal("T.U.X1", Direction.MEMORY, 0.0, 5.0, 9.0)


def test_of_two_declarations_the_program_s_own_counts() -> None:
    image = Program([signal(IN, Direction.INPUT, high=7.0)], [Doubler([])]).image()
    assert image.signals[image.position(IN)].high == 7.0


def test_a_heartbeat_begins_again_after_16_bits() -> None:
    plc = Plc("PLC", Program(heartbeat=BEAT), ScanTiming(0.001, lateness=0.0), np.random.default_rng(0))
    plc.scans = 65534
    plc.step(0.0)
    assert plc.read(BEAT) == 65535.0
    plc.step(0.001)
    assert plc.read(BEAT) == 0.0


def test_a_whole_program_with_jitter_is_the_same_bit_for_bit() -> None:
    def history(seed: int) -> bytes:
        loop = PidLoop("T.U.TIC1", Tuning(2.0, 60.0), 0.0, 200.0, 100.0, Mode.AUTOMATIC)
        plc = Plc("PLC", Program(blocks=[loop, Motor("T.U", "1")], heartbeat=BEAT), ScanTiming(0.1, lateness=0.3), np.random.default_rng(seed))
        columns = []
        for second in range(60):
            plc.connect("T.U.TIC1", 80.0 + second)
            plc.step(1.0)
            columns.append(plc.image.values.tobytes())
        return b"".join(columns)

    assert history(4) == history(4)
    assert history(4) != history(5)
